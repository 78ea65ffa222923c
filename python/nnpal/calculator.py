"""Earlier name of :mod:`nnpal.model.calculator`, kept for one release."""

from nnpal.model.calculator import NNPCalculator

__all__ = ["NNPCalculator"]
