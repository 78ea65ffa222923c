"""Gate that a model file must pass before use: LAMMPS against Python, derivatives against finite differences."""

from nnpal.evaluation.gate.checks import check_export
from nnpal.evaluation.gate.findings import Check, GateError, GateReport

__all__ = ["Check", "GateError", "GateReport", "check_export"]
