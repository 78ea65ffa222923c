"""Interface of oracles, which compute energy and forces and state what their results depend on."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from ase import Atoms

from nnpal.oracle.calculation import Result
from nnpal.oracle.errors import CalculationFailed, OracleError
from nnpal.runtime import json_files as durable
from nnpal.runtime.caution import caution

Answer = tuple[Result | None, str, float]
"""Outcome of one calculation: result or None, the reason if there is none, and time, s."""


class Oracle(Protocol):
    """Interface of oracles. Instances are pickled and sent to workers, so they open nothing before :meth:`prepare`.

    An oracle has one or more rungs: settings that are tried in order until one succeeds. Optional methods are
    ``refusal(atoms)``, which returns why it cannot compute a configuration as stated, and ``caution(atoms)``, which
    returns a warning about how it is computed; both return an empty string if there is nothing to report.
    """

    @property
    def n_rungs(self) -> int:
        """Return the number of rungs, at least one."""
        ...

    def identity(self, rung: int = 0) -> dict[str, Any]:
        """Return everything that affects the results of a rung, as JSON: names, options, versions, hashes of files.

        Labels of the same identity are interchangeable.

        Arguments:
            rung: index of the settings, from 0.

        Raises:
            OracleError: a file does not exist.
        """
        ...

    def prepare(self) -> None:
        """Load what calculations need; called once, in the process that computes.

        Raises:
            OracleError: it cannot work as specified.
        """
        ...

    def compute(self, atoms: Atoms, rung: int = 0) -> Result:
        """Return energy (eV), forces (eV/Å) and, if available, stress (eV/Å³), independent of earlier calculations.

        Arguments:
            atoms: a configuration, Å.
            rung: index of the settings, from 0.

        Raises:
            CalculationFailed: this configuration has no result on this rung.
        """
        ...


def require_able(oracle: Oracle, frames: Sequence[Atoms]) -> None:
    """Refuse configurations that an oracle cannot compute as stated, and pass on its warnings.

    Raises:
        OracleError: the oracle refuses any of them; the message names the first for each reason.
    """
    if refused := _said(oracle, "refusal", frames):
        n_frames = sum(len(indices) for indices in refused.values())
        lines = "".join(
            f"\n  configuration {indices[0]} ({frames[indices[0]].info.get('source', 'unknown source')})"
            f"{f' and {len(indices) - 1} more' if len(indices) > 1 else ''}: {reason}"
            for reason, indices in list(refused.items())[:5]
        )
        raise OracleError(f"oracle: {n_frames} of {len(frames)} configurations are not for it:{lines}")
    for text, indices in _said(oracle, "caution", frames).items():
        caution(f"{len(indices)} of {len(frames)} configurations: {text}")


def _said(oracle: Oracle, method: str, frames: Sequence[Atoms]) -> dict[str, list[int]]:
    """Return the messages of an oracle's method, if it has it, each with the indices of its configurations."""
    found: dict[str, list[int]] = {}
    ask: Callable[[Atoms], str] | None = getattr(oracle, method, None)
    if ask is None:
        return found
    for index, frame in enumerate(frames):
        if text := ask(frame):
            found.setdefault(text, []).append(index)
    return found


def sound(result: Result, n_atoms: int) -> Result:
    """Check a result and return it.

    Raises:
        CalculationFailed: a wrong shape, or numbers that are not finite.
    """
    if result.forces.shape != (n_atoms, 3):
        raise CalculationFailed(f"forces are {result.forces.shape}, expected ({n_atoms}, 3)")
    if result.stress is not None and result.stress.shape != (6,):
        raise CalculationFailed(f"stress is {result.stress.shape}, expected (6,), Voigt")
    parts = {"energy": np.array(result.energy), "forces": result.forces, "stress": result.stress}
    for name, values in parts.items():
        if values is not None and not np.isfinite(values).all():
            raise CalculationFailed(f"{name} is not finite (energy {result.energy} eV)")
    return result


def canonical(identity: Mapping[str, Any]) -> str:
    """Return an identity as JSON with sorted keys.

    Raises:
        OracleError: it holds a value that JSON cannot represent.
    """
    try:
        return durable.canonical(identity)
    except (TypeError, ValueError) as error:
        raise OracleError(f"identity {dict(identity)!r} of the oracle is not valid JSON: {error}") from error


def digests(paths: Sequence[str], folder: Path) -> dict[str, str]:
    """Return the SHA-256 of each file, and of all files below each folder, by their paths relative to ``folder``.

    Raises:
        OracleError: no such file.
    """
    found: dict[str, str] = {}
    for name in paths:
        path = folder / name
        if not path.exists():
            raise OracleError(f"{path}: no such file; the files of the oracle are looked up in {folder}")
        inside = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
        for file in inside:
            below = name if file == path else f"{name.rstrip('/')}/{file.relative_to(path).as_posix()}"
            found[below] = hashlib.sha256(file.read_bytes()).hexdigest()
    return found
