"""Files, locks, processes and names; knows no physics and no torch."""
