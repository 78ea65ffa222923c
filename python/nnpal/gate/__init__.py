"""What a model file must pass before it is used: LAMMPS against Python, and derivatives against differences."""

from nnpal.gate.check import check_export
from nnpal.gate.report import Check, GateError, GateReport

__all__ = ["Check", "GateError", "GateReport", "check_export"]
