"""Which job goes where, when; whom a server grants to. Pure: time comes in as an argument."""
