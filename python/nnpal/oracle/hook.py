"""Hook for LAMMPS: `fix ID all python/hook nnpal.oracle:CalculatorForces calculator MODULE:CLASS key value ...`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

from nnpal.geometry.electrons import Electrons
from nnpal.hooks import Context, HookError
from nnpal.hooks.own_files import require_own
from nnpal.lammps.units import UNITS
from nnpal.oracle.calculation import Result, evaluate, gives_stress, make_calculator
from nnpal.oracle.calculators import electrons_caution, electrons_refusal, periodicity_refusal
from nnpal.oracle.elements import numbers_of_types
from nnpal.oracle.errors import CalculationFailed
from nnpal.oracle.hook_table import options_of
from nnpal.oracle.last_step import LastStep
from nnpal.oracle.snapshot import gathered, on_rank_zero, rows_of
from nnpal.runtime.places import begins_with

_LITERALS = {"True": True, "False": False, "None": None}


def _is_restart_file(path: Path) -> bool:
    return begins_with(path, b"LammpS RestartT")


class CalculatorForces:
    """Energy, forces and virial of all atoms from an ASE calculator, which runs on rank 0.

    Arguments:
        context: access to LAMMPS, see the hook contract.
        calculator: `MODULE:CLASS`, e.g. tblite.ase:TBLite.
        restart: restart file that is written when a calculation fails.
        table: JSON with the tables options (keyword arguments that are not single words) and profile (the program).
        elements: one symbol for each atom type, given last; by default from the masses.
        options: keyword arguments of the calculator; True, False and None as in Python.

    Attributes:
        energy: energy from the calculator, in the script's unit.
        virial: xx yy zz xy xz yz; zero if the box is not fully periodic or the calculator has no stress, and then
            `fix_modify virial yes` and a changing box are errors.
        vector: number of calculations, and their total time on rank 0, s.

    Raises:
        nnpal.hooks.HookError: unsuitable options, units, group or masses, or a calculation that failed.
    """

    reads = ()  # reads neither energy nor virial of the pair style

    def __init__(
        self,
        context: Context,
        *,
        calculator: str,
        restart: str = "oracle_failed.restart",
        table: str | None = None,
        elements: list[str] | None = None,
        **options: Any,
    ) -> None:
        if context.units not in UNITS:
            raise HookError(f"units {context.units}: expected {' or '.join(UNITS)}")
        if context.n_group != context.n_atoms:
            raise HookError(
                f"group {context.group} has {context.n_group} of {context.n_atoms} atoms; the calculator needs all: "
                f"fix {context.fix_id} all python/hook ..."
            )
        # ASE's energy unit, eV, in the script's unit; both use Å and g/mol
        self._ev = UNITS[context.units].energy
        self._name = calculator
        self._restart = restart
        on_rank_zero(context.comm, self._require_place_of_restart)
        self._numbers = numbers_of_types(elements, context.masses)
        keywords = {key: _LITERALS.get(str(value), value) for key, value in options.items()}
        if table is not None:
            keywords = options_of(table, calculator, keywords)
        self._options = keywords
        self._calculator = on_rank_zero(context.comm, lambda: make_calculator(calculator, keywords))
        self._check(context)
        if told := electrons_caution(calculator, keywords, Electrons()):
            context.log(f"WARNING: fix {context.fix_id}: {told}")
        self._has_stress = bool(context.comm.bcast(gives_stress(self._calculator), root=0))
        self._last = LastStep()

        self.energy = 0.0
        self.virial = np.zeros(6)
        self.vector = np.zeros(2)

    def setup(self, context: Context) -> None:
        """Check that the calculator supports this run."""
        self._last = LastStep()  # the script may have moved atoms between runs
        self._check(context)
        if self._wants_stress(context):
            return
        why = "the calculator gives none" if not self._has_stress else "the box is not periodic in all directions"
        if context.box_changes:
            raise HookError(
                f"a fix changes the box, which needs the calculator's stress, and {why}; keep the box, or use a "
                "calculator with stress"
                " in a periodic box"
            )
        if context.virial_yes:
            raise HookError(
                f"fix_modify {context.fix_id} virial yes needs the calculator's stress, and {why}; remove it"
            )

    def _require_place_of_restart(self) -> None:
        if not set(self._restart) & set("*%"):  # LAMMPS replaces these in the name
            require_own("restart", Path(self._restart), _is_restart_file, "restart file of LAMMPS")

    def _check(self, context: Context) -> None:
        """Refuse periodicity, charge or spin that the calculator would ignore or change (collective)."""

        def refuse() -> None:
            reason = periodicity_refusal(self._name, context.periodic, self._calculator)
            if reason := reason or electrons_refusal(self._name, self._options, Atoms(), self._calculator):
                raise HookError(reason)

        on_rank_zero(context.comm, refuse)

    def pre_reverse(self, context: Context) -> None:
        """Set energy, forces and virial to the calculator's."""
        comm = context.comm
        taken = ~context.excluded
        tags, x, types = gathered(comm, context.tag[taken], context.x[taken], context.type[taken])
        result, complaint = None, ""
        if len(tags) == 0:
            self.energy = 0.0  # trial deletion of the last atom by a Monte Carlo fix
            self.virial[:] = 0.0
            return
        if comm.rank == 0:
            start = time.perf_counter()
            try:
                result = self._calculate(context, x, types)
            except CalculationFailed as error:
                complaint = str(error)
            self.vector += (1.0, time.perf_counter() - start)
        result, complaint, self.vector = comm.bcast((result, complaint, self.vector), root=0)
        if complaint:
            self._stop(context, complaint)
        context.f[taken] += self._ev * result.forces[rows_of(context.tag[taken], tags)]
        self.energy = self._ev * result.energy
        if result.stress is not None:
            xx, yy, zz, yz, xz, xy = (-self._ev * context.volume * result.stress).tolist()
            self.virial[:] = (xx, yy, zz, xy, xz, yz)
        if context.minimizing:
            self._last.keep(context)

    def end_of_step(self, context: Context) -> None:
        """Keep the state of this step, from which a next run may start."""
        self._last.keep(context)

    def _wants_stress(self, context: Context) -> bool:
        return self._has_stress and all(context.periodic)

    def _calculate(self, context: Context, x: np.ndarray, types: np.ndarray) -> Result:
        # the box has no physical meaning along nonperiodic directions: omit its vector and corner
        periodic = np.array(context.periodic)
        atoms = Atoms(
            numbers=self._numbers[types],
            positions=x - context.origin * periodic,
            cell=context.box * periodic[:, None],
            pbc=periodic,
        )
        return evaluate(self._calculator, atoms, want_stress=self._wants_stress(context))

    def _stop(self, context: Context, complaint: str) -> None:
        """Write the last completed step to the restart file and end the run on every rank."""
        step = context.step
        if context.is_trial:
            raise HookError(
                f"{self._name} failed at step {step}, in a trial state of a Monte Carlo fix: {complaint}. No restart "
                "file was written, because the trial was in progress. Keep inserted atoms apart (overlap_cutoff), "
                "move atoms "
                "less far, or change the calculator's settings"
            )
        held = self._last.restore(context)
        context.write_restart(self._restart)
        raise HookError(
            f"{self._name} failed at step {step}: {complaint}. Restart file {self._restart} holds {held}; continue "
            "from it with a smaller timestep or with other settings of the calculator (for xTB a higher "
            "electronic_temperature or more max_iterations)"
        )
