"""How good a model is: errors against labels, calibration of its uncertainty, relaxed crystals."""

from nnpal.evaluate.labels import Labels, read_labels
from nnpal.evaluate.metrics import MILLI, Comparison, accuracy, by_tag, compare
from nnpal.evaluate.prediction import Predictions, predict

__all__ = [
    "MILLI",
    "Comparison",
    "Labels",
    "Predictions",
    "accuracy",
    "by_tag",
    "compare",
    "predict",
    "read_labels",
]
