"""For one release: :mod:`nnpal.model.calculator`, under its earlier name."""

from nnpal.model.calculator import NNPCalculator

__all__ = ["NNPCalculator"]
