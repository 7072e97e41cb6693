"""Beside the build: accepts launchers and carries jobs from argv to outcome."""
