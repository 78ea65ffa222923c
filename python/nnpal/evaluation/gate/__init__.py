"""What a model file must pass before it is used: LAMMPS against Python, and derivatives against differences."""

from nnpal.evaluation.gate.checks import check_export
from nnpal.evaluation.gate.findings import Check, GateError, GateReport

__all__ = ["Check", "GateError", "GateReport", "check_export"]
