"""Beside the cores: admits, grants, compiles, replies."""
