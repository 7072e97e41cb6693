"""Which files a translation unit can read: a superset, without running the preprocessor. Pure."""
