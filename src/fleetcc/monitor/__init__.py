"""What people look at: the agent's status as text."""
