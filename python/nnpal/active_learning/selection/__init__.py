"""Which configurations are worth a label: thresholds of the uncertainty, classes of frames, similarity.

Arrays in, arrays out; where the uncertainties come from (LAMMPS, :func:`nnpal.evaluation.predict`) is of no concern
here.
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
