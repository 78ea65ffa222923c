"""Evaluation of models: errors against labels, calibration of the uncertainty, relaxed crystals."""

from nnpal.evaluation.calibration import Calibration, calibrate, calibrations
from nnpal.evaluation.crystals import RelaxComparison, relax_table
from nnpal.evaluation.labels import Labels, read_labels
from nnpal.evaluation.metrics import MILLI, Comparison, accuracy, by_tag, compare
from nnpal.evaluation.prediction import Predictions, predict
from nnpal.evaluation.relax import Relaxed, Structure, nnp_commands, relax

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
