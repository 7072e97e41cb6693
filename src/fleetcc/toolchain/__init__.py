"""Which compiler a name stands for on this machine."""
