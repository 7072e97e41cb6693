"""A GNU jobserver whose tokens follow what the fleet can take, for `fleetcc run`.

`tokens` counts, `pipe` and `fifo` hold the tokens, `capacity` says how many there should be, `holders` how
many can be held at most, `serving` brings the four together; `tools` knows which build tools read what.
"""
