"""Placeholder for the code of a stage in tests of the engine."""
