"""The demos: a loop of rare events on n-butane, and a potential for aluminium in one pass."""
