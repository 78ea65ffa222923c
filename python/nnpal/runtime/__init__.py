"""Files, locks, processes and names, without physics and torch."""
