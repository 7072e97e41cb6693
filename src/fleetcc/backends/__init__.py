"""Runs one placed job on one kind of host."""
