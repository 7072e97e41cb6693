"""Fixtures for the end-to-end tests."""

from tests.support.launcher import launcher_binary, python_launcher, stop_agents, world

__all__ = ["launcher_binary", "python_launcher", "stop_agents", "world"]
