"""Any ASE calculator as an oracle, with fallback settings for configurations that fail."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ase import Atoms

from nnpal.geometry.electrons import electrons_of
from nnpal.hooks import HookError
from nnpal.oracle.calculation import Result, evaluate, find_calculator, gives_stress, make_calculator
from nnpal.oracle.calculators import (
    PYSCF,
    TBLITE,
    electrons_caution,
    electrons_refusal,
    hand_over,
    periodicity_refusal,
    without_open_vectors,
)
from nnpal.oracle.errors import CalculationFailed
from nnpal.oracle.program_output import close
from nnpal.oracle.programs import arguments, program_files, program_identity
from nnpal.oracle.protocol import OracleError, canonical, digests
from nnpal.oracle.source_identity import resolved, version_of
from nnpal.runtime.import_path import on_path

DEFAULTS: Mapping[str, Mapping[str, Any]] = MappingProxyType({TBLITE: {"method": "GFN2-xTB", "verbosity": 0}})
LADDERS: Mapping[str, Sequence[Mapping[str, Any]]] = MappingProxyType(
    # the same self-consistent solution, with more and with smaller steps; a higher electronic temperature is another
    # level of theory (0.02 to 2.4 eV apart on stretched molecules, 300 K against 3000 K), which users must request
    {
        TBLITE: ({"max_iterations": 1000}, {"max_iterations": 2000, "mixer_damping": 0.1}),
        PYSCF: ({"second_order": True},),
    }
)


class CalculatorOracle:
    """An ASE calculator, given by its import path.

    Unless ``reuse`` is set, each calculation creates a new calculator, so that its result does not depend on the
    previous configuration (tblite starts from the last density, and may converge to another solution).

    Arguments:
        calculator: ``MODULE:CLASS``, by default tblite's.
        options: keyword arguments; ``{folder}`` in texts stands for ``folder``.
        ladder: fallback settings: changes of options, one mapping per rung; None uses the calculator's default, if any.
        files: files or folders, relative to ``folder``, whose contents affect the results.
        version: version of an external program, as the user states it.
        profile: program of the calculator, as a table [oracle.profile]; ``{folder}`` as in ``options``.
        reuse: keep one calculator for all configurations of a rung, if creating one is slow.
        folder: folder in which files and modules are looked up.

    Raises:
        OracleError: an empty rung, or one that repeats another.
    """

    def __init__(
        self,
        calculator: str = TBLITE,
        options: Mapping[str, Any] | None = None,
        *,
        ladder: Sequence[Mapping[str, Any]] | None = None,
        files: Sequence[str] = (),
        version: str | None = None,
        profile: Mapping[str, str] | None = None,
        reuse: bool = False,
        folder: str | Path = ".",
    ) -> None:
        base = {**DEFAULTS.get(calculator, {}), **(options or {})}
        further = LADDERS.get(calculator, ()) if ladder is None else ladder
        self._rungs: list[dict[str, Any]] = [base]
        for number, overrides in enumerate(further, 1):
            rung = {**base, **overrides}
            if rung in self._rungs:
                # a default rung may coincide with the user's options
                if ladder is None:
                    continue
                raise OracleError(f"oracle.ladder: rung {number}, {dict(overrides)}, repeats an earlier one")
            self._rungs.append(rung)
        self._calculator = calculator
        self._files = tuple(files)
        self._version = version
        self._profile = None if profile is None else dict(profile)
        self._reuse = reuse
        self._folder = Path(folder).resolve()
        self._kept: dict[tuple[int, str], Any] = {}

    @property
    def n_rungs(self) -> int:
        """Return the number of settings: the options and all fallback settings."""
        return len(self._rungs)

    def identity(self, rung: int = 0) -> dict[str, Any]:
        """Return the calculator, a rung's options, the version of its code, and the files' SHA-256.

        Arguments:
            rung: index of the settings, from 0.
        """
        found: dict[str, Any] = {
            "kind": "ase",
            "calculator": self._calculator,
            "options": self._rungs[rung],
            "version": self._version,
            "files": digests(self._files, self._folder),
            **version_of(self._calculator, self._folder),
        }
        if self._profile is None:
            return found
        options, profile = resolved(self._rungs[rung], self._folder), resolved(self._profile, self._folder)
        for name, place in program_files(self._calculator, options, profile).items():
            found["files"] |= {name: next(iter(digests([str(place)], self._folder).values()))}
        return {**found, **program_identity(self._calculator, profile, self._version)}

    def prepare(self) -> None:
        """Find the calculator, and create one with each rung's options."""
        try:
            with on_path(self._folder):
                find_calculator(self._calculator)
            for rung in range(self.n_rungs):
                close(self._make(self._rungs[rung]))
        except HookError as error:
            raise OracleError(f"oracle: {error}") from error

    def refusal(self, atoms: Atoms) -> str:
        """Return why this calculator cannot compute a configuration as stated, or an empty string.

        Arguments:
            atoms: a configuration, Å.
        """
        reasons = (electrons_refusal(self._calculator, rung, atoms) for rung in self._rungs)
        return periodicity_refusal(self._calculator, atoms.pbc) or next(filter(None, reasons), "")

    def caution(self, atoms: Atoms) -> str:
        """Return a warning about how a configuration is computed, or an empty string.

        Arguments:
            atoms: a configuration, Å.
        """
        return electrons_caution(self._calculator, self._rungs[0], electrons_of(atoms))

    def compute(self, atoms: Atoms, rung: int = 0) -> Result:
        """Return energy (eV), forces (eV/Å) and, if available, stress (eV/Å³) of a configuration.

        Arguments:
            atoms: a configuration, Å.
            rung: index of the settings, from 0.

        Raises:
            CalculationFailed: no result with these settings; the message has the reason.
        """
        if reason := self.refusal(atoms):
            raise CalculationFailed(reason)
        bare = without_open_vectors(atoms)
        bare.set_constraint()
        options = hand_over(self._calculator, self._rungs[rung], bare)
        key = (rung, canonical(options))
        calculator = self._kept.get(key)
        if calculator is None:
            try:
                calculator = self._make(options)
            except HookError as error:
                raise CalculationFailed(str(error)) from error
        if self._reuse:
            self._kept[key] = calculator
        try:
            with on_path(self._folder):
                return self._evaluated(calculator, bare, options)
        except CalculationFailed:
            self._kept.pop(key, None)
            raise
        finally:
            if key not in self._kept:
                close(calculator)

    def _evaluated(self, calculator: Any, atoms: Atoms, options: Mapping[str, Any]) -> Result:
        """Compute; the class of a custom calculator may be a known one under another name."""
        own = getattr(calculator, "parameters", None)
        options = {**(own if isinstance(own, Mapping) else {}), **options}
        reason = periodicity_refusal(self._calculator, atoms.pbc, calculator)
        if reason := reason or electrons_refusal(self._calculator, options, atoms, calculator):
            raise CalculationFailed(reason)
        return evaluate(calculator, atoms, want_stress=bool(atoms.pbc.all()) and gives_stress(calculator))

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_kept": {}}

    def _make(self, options: Mapping[str, Any]) -> Any:
        with on_path(self._folder):
            given = resolved(options, self._folder)
            if self._profile is not None:
                given = arguments(self._calculator, given, resolved(self._profile, self._folder))
            return make_calculator(self._calculator, given)
