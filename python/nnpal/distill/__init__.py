"""Data distillation: environments cut into small cells, selection on grids, translation to another metal."""

from nnpal.distill.environment import cut_environment
from nnpal.distill.grid import DELTAS, Level, grid_chain, occupied_cells
from nnpal.distill.sets import sequential_sets
from nnpal.distill.translate import translate

__all__ = [
    "DELTAS",
    "Level",
    "cut_environment",
    "grid_chain",
    "occupied_cells",
    "sequential_sets",
    "translate",
]
