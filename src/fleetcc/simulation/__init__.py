"""Builds on simulated fleets, under virtual time, by the scheduling code of the agent and the server."""
