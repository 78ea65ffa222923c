"""Modules whose sources decide what stages of both loops give, see :class:`nnpal.loop.stage.Stage`."""

from __future__ import annotations

DATA = ("nnpal.driver.data", "nnpal.driver.frames")
"""What reads and writes configurations."""
LABELS = ("nnpal.label", "nnpal.oracle", "nnpal.driver.labels", "nnpal.driver.oracle", "nnpal.driver.tasks", *DATA)
"""What labels them."""
SAMPLING = ("nnpal.explore", "nnpal.hooks", "nnpal.oracle", "nnpal.driver.outcomes")
"""What runs LAMMPS, under a model or, by a hook, under an oracle in Python."""
TRAINING = (
    *("nnpal.training", "nnpal.networks", "nnpal.export", "nnpal.evaluate"),
    *("nnpal.driver.training", "nnpal.driver.tasks"),
    *DATA,
)
"""What trains, and takes errors."""
