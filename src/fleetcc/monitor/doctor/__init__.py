"""Is everything in order? Checks, each a row of a table, and what they find with its remedy."""
