"""Selection of configurations worth labeling: thresholds of the uncertainty, classes of frames, similarity.

Functions take and return arrays, independent of the source of the uncertainties (LAMMPS,
:func:`nnpal.evaluation.predict`).
"""

from nnpal.active_learning.selection.classes import Classes, classify, tally
from nnpal.active_learning.selection.descriptor import Descriptors, describe
from nnpal.active_learning.selection.similarity import Choice, choose, distances, nearest
from nnpal.active_learning.selection.threshold import Threshold, threshold

__all__ = [
    "Choice",
    "Classes",
    "Descriptors",
    "Threshold",
    "choose",
    "classify",
    "describe",
    "distances",
    "nearest",
    "tally",
    "threshold",
]
