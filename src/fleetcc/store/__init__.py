"""Blobs by digest, and replicas of clients' file systems, on the server's disk."""
