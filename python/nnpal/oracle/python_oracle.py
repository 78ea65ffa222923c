"""A custom Python class as an oracle."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ase import Atoms

from nnpal.oracle.calculation import Result
from nnpal.oracle.errors import CalculationFailed
from nnpal.oracle.protocol import OracleError, digests
from nnpal.oracle.shapes import as_energy, as_forces, as_stress
from nnpal.oracle.source_identity import resolved, version_of
from nnpal.runtime.import_path import import_object, on_path

NAMES = ("energy", "forces", "stress")


class PythonOracle:
    """A class with a method ``compute(atoms)`` that returns a mapping of energy (eV), forces (eV/Å, [n_atoms, 3]) and,
    optionally, stress (eV/Å³, Voigt, ASE's sign), or a :class:`nnpal.oracle.calculation.Result`.

    If it raises an exception, the configuration has failed. The source of the class's module is part of the identity;
    name anything else that affects the results in ``options``, ``files`` or ``version``.

    Arguments:
        oracle: ``MODULE:CLASS``, also looked up in ``folder``.
        options: keyword arguments of the class; ``{folder}`` in texts stands for ``folder``.
        ladder: fallback settings: changes of options, one mapping per rung.
        files: files or folders, relative to ``folder``, whose contents affect the results.
        version: version of anything else, as the user states it.
        folder: folder in which modules and files are looked up, and to which paths are relative.
    """

    def __init__(
        self,
        oracle: str,
        options: Mapping[str, Any] | None = None,
        *,
        ladder: Sequence[Mapping[str, Any]] = (),
        files: Sequence[str] = (),
        version: str | None = None,
        folder: str | Path = ".",
    ) -> None:
        self._oracle = oracle
        self._rungs = [dict(options or {}), *({**(options or {}), **overrides} for overrides in ladder)]
        self._files = tuple(files)
        self._version = version
        self._folder = Path(folder).resolve()
        self._made: dict[int, Any] = {}

    @property
    def n_rungs(self) -> int:
        """Return the number of settings: the options and all fallback settings."""
        return len(self._rungs)

    def identity(self, rung: int = 0) -> dict[str, Any]:
        """Return the class, a rung's options, and the SHA-256 of the module's source and of the files.

        Arguments:
            rung: index of the settings, from 0.
        """
        return {
            "kind": "python",
            "oracle": self._oracle,
            "options": self._rungs[rung],
            "version": self._version,
            "files": digests(self._files, self._folder),
            **version_of(self._oracle, self._folder, with_source=True),
        }

    def prepare(self) -> None:
        """Find the class and create an instance for each rung."""
        for rung in range(self.n_rungs):
            self._instance(rung)

    def compute(self, atoms: Atoms, rung: int = 0) -> Result:
        """Return energy (eV), forces (eV/Å) and, if available, stress (eV/Å³) of a configuration.

        Arguments:
            atoms: a configuration, Å.
            rung: index of the settings, from 0.

        Raises:
            CalculationFailed: no result with these settings; the message has the reason.
        """
        instance = self._instance(rung)
        try:
            with on_path(self._folder):
                return _as_result(instance.compute(atoms.copy()), len(atoms))
        except CalculationFailed:
            raise
        except Exception as error:  # custom classes raise exceptions of any type
            raise CalculationFailed(f"{type(error).__name__}: {error}") from error

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_made": {}}

    def _instance(self, rung: int) -> Any:
        if rung not in self._made:
            options = resolved(self._rungs[rung], self._folder)
            factory = self._find()
            try:
                instance = factory(**options)
            except Exception as error:  # constructors raise exceptions of any type about their options
                raise OracleError(f"oracle {self._oracle} with {options}: {type(error).__name__}: {error}") from error
            if not callable(getattr(instance, "compute", None)):
                raise OracleError(f"oracle {self._oracle}: {type(instance).__name__} has no method compute(atoms)")
            self._made[rung] = instance
        return self._made[rung]

    def _find(self) -> Any:
        with on_path(self._folder):
            return import_object(
                self._oracle,
                f"oracle {self._oracle}",
                example="my_oracle:MyOracle",
                place=self._folder,
                suggests=lambda value: inspect.isclass(value) and hasattr(value, "compute"),
                error=OracleError,
            )


def _as_result(value: Any, n_atoms: int) -> Result:
    if isinstance(value, Result):
        return value
    if not isinstance(value, Mapping):
        raise CalculationFailed(f"compute gave a {type(value).__name__}, expected a mapping of energy, forces, stress")
    missing = [name for name in NAMES[:2] if name not in value]
    unknown = [str(name) for name in value if name not in NAMES]
    if missing or unknown:
        raise CalculationFailed(
            f"compute gave {', '.join(map(str, value))}; expected energy, forces and optionally stress"
        )
    stress = value.get("stress")
    return Result(
        as_energy(value["energy"]),
        as_forces(value["forces"], n_atoms),
        None if stress is None else as_stress(stress),
    )
