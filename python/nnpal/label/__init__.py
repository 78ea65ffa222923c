"""Oracles, the store of their labels, and labelling by worker processes."""

from nnpal.label.augment import augment
from nnpal.label.calculator_oracle import CalculatorOracle
from nnpal.label.labelling import Failure, LabelReport, Progress, label_frames
from nnpal.label.lammps_oracle import LammpsOracle
from nnpal.label.oracle import Oracle, OracleError
from nnpal.label.python_oracle import PythonOracle
from nnpal.label.store import LabelStore, StoreError

__all__ = [
    "CalculatorOracle",
    "Failure",
    "LabelReport",
    "LabelStore",
    "LammpsOracle",
    "Oracle",
    "OracleError",
    "Progress",
    "PythonOracle",
    "StoreError",
    "augment",
    "label_frames",
]
