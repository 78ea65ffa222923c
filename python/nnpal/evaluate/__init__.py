"""How good a model is: errors against labels, calibration of its uncertainty, relaxed crystals."""

from nnpal.evaluate.calibration import Calibration, calibrate, calibrations
from nnpal.evaluate.labels import Labels, read_labels
from nnpal.evaluate.metrics import MILLI, Comparison, accuracy, by_tag, compare
from nnpal.evaluate.prediction import Predictions, predict
from nnpal.evaluate.relax import Relaxed, Structure, nnp_commands, relax
from nnpal.evaluate.relax_table import RelaxComparison, relax_table

__all__ = [
    "MILLI",
    "Calibration",
    "Comparison",
    "Labels",
    "Predictions",
    "RelaxComparison",
    "Relaxed",
    "Structure",
    "accuracy",
    "by_tag",
    "calibrate",
    "calibrations",
    "compare",
    "nnp_commands",
    "predict",
    "read_labels",
    "relax",
    "relax_table",
]
