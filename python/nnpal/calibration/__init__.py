"""Calibration: error bars from the spread of an ensemble."""

from nnpal.calibration.calibrate import CalibrationError, calibrate, judge, sigma
from nnpal.calibration.pairs import Pairs, unshared
from nnpal.calibration.recipe import Calibration, EnergyRecipe, ForceRecipe
from nnpal.calibration.reliability import LEVELS, Reliability, coverage, reliability, reliability_curve

__all__ = [
    "LEVELS",
    "Calibration",
    "CalibrationError",
    "EnergyRecipe",
    "ForceRecipe",
    "Pairs",
    "Reliability",
    "calibrate",
    "coverage",
    "judge",
    "reliability",
    "reliability_curve",
    "sigma",
    "unshared",
]
