"""Which machines there are: the host list's grammar and where the list comes from."""
