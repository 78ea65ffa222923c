"""The demos: a loop of rare events on n-butane, and a potential for aluminum in one pass."""
