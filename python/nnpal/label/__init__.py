"""Oracles, the label store, and labeling with worker processes."""

from nnpal.label.augment import augment
from nnpal.label.labeling import Failure, LabelReport, Progress, label_frames
from nnpal.label.store import LabelStore
from nnpal.label.store_errors import StoreError
from nnpal.oracle.calculator_oracle import CalculatorOracle
from nnpal.oracle.lammps_oracle import LammpsOracle
from nnpal.oracle.protocol import Oracle, OracleError
from nnpal.oracle.python_oracle import PythonOracle

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
