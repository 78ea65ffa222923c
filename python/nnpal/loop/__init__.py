"""For one release: commands in texts of older runs name :mod:`nnpal.loop.task`."""
