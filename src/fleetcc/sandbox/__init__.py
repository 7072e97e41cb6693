"""Runs a compiler that sees nothing but its replica."""
