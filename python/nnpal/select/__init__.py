"""Which configurations are worth a label: thresholds of the uncertainty, classes of frames, similarity.

Arrays in, arrays out; where the uncertainties come from (LAMMPS, :func:`nnpal.evaluate.predict`) is of no concern here.
"""

from nnpal.select.classes import Classes, classify, tally
from nnpal.select.descriptor import Descriptors, describe
from nnpal.select.similarity import Choice, choose, distances, nearest
from nnpal.select.threshold import Threshold, threshold

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
