"""Any ASE calculator as the force field of a LAMMPS run."""

from nnpal.oracle.hook import CalculatorForces

__all__ = ["CalculatorForces"]
