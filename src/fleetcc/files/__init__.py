"""Files of this machine by their versions: the scanner's real disk, digests, the layers of a manifest."""
