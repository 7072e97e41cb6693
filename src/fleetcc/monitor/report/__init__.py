"""One HTML page about a build: what held it up, and what would have helped."""
