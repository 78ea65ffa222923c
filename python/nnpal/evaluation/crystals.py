"""Compare relaxed crystals of model and oracle, as in Tables S6 and S7 of the data-distillation supplement."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from nnpal.evaluation.metrics import MILLI
from nnpal.evaluation.relax import Relaxed, RelaxedFigures, Structure, nnp_commands, or_none, relax, relax_if_possible
from nnpal.oracle.lammps_commands import filled


class _OfOracle(TypedDict, total=False):
    oracle: dict[str, RelaxedFigures]
    oracle_order: list[str]
    right_order: bool
    bond_errors: list[float | None]
    energy_errors: list[float | None]
    summed_bond_error: float | None
    energy_error_spread: float | None
    trustworthy: bool


class CrystalFigures(_OfOracle):
    """JSON form of an element's crystals, by name; with the oracle's if there is one."""

    model: dict[str, RelaxedFigures]
    model_order: list[str]
    notes: list[str]


@dataclass(frozen=True)
class RelaxComparison:
    """Relaxed crystals of one element.

    Attributes:
        element: chemical symbol.
        model: crystals relaxed with the model.
        oracle: the same crystals relaxed with the oracle, or empty.
    """

    element: str
    model: tuple[Relaxed, ...]
    oracle: tuple[Relaxed, ...]

    @property
    def bond_errors(self) -> list[float]:
        """Return the shortest bonds of the model minus those of the oracle, Å."""
        return [mine.bond - theirs.bond for mine, theirs in self._pairs()]

    @property
    def energy_errors(self) -> list[float]:
        """Return the energies of the model minus those of the oracle, eV/atom."""
        return [mine.energy - theirs.energy for mine, theirs in self._pairs()]

    @property
    def summed_bond_error(self) -> float:
        """Return the sum of absolute bond errors, Å."""
        return sum(map(abs, self.bond_errors))

    @property
    def energy_error_spread(self) -> float:
        """Return the largest minus the smallest energy error, meV/atom."""
        return MILLI * (max(self.energy_errors) - min(self.energy_errors))

    @property
    def right_order(self) -> bool:
        """Return whether model and oracle rank the crystals by energy in the same order."""
        return not any(r.failed for r in (*self.model, *self.oracle)) and order(self.model) == order(self.oracle)

    @property
    def trustworthy(self) -> bool:
        """Return whether all runs converged and kept their initial crystal structure."""
        return all(r.converged and r.kept_phase for r in (*self.model, *self.oracle))

    def _pairs(self) -> list[tuple[Relaxed, Relaxed]]:
        return list(zip(self.model, self.oracle, strict=True))

    def notes(self) -> list[str]:
        """Return notes on runs that did not converge or changed their crystal structure."""
        said = []
        for whose, relaxed in (("model", self.model), ("oracle", self.oracle)):
            for r in relaxed:
                if r.failed:
                    said.append(f"{whose}: {r.structure.name} could not be relaxed: {r.failed}")
                    continue
                if not r.kept_phase:
                    said.append(f"{whose}: {r.structure.name} turned into {r.phase}")
                if not r.converged:
                    said.append(
                        f"{whose}: {r.structure.name} did not converge (pressure {r.pressure:.3g} bar, largest force "
                        f"{r.largest_force:.3g} eV/Å)"
                    )
        return said

    def to_json(self) -> CrystalFigures:
        """Return all values: eV/atom and Å for crystals, meV/atom for the spread."""
        found: CrystalFigures = {
            "model": {r.structure.name: r.to_json() for r in self.model},
            "model_order": order(self.model),
            "notes": self.notes(),
        }
        if self.oracle:
            found["oracle"] = {r.structure.name: r.to_json() for r in self.oracle}
            found["oracle_order"] = order(self.oracle)
            found["right_order"] = self.right_order
            found["bond_errors"] = [or_none(error) for error in self.bond_errors]
            found["energy_errors"] = [or_none(error) for error in self.energy_errors]
            found["summed_bond_error"] = or_none(self.summed_bond_error)
            found["energy_error_spread"] = or_none(self.energy_error_spread)
            found["trustworthy"] = self.trustworthy
        return found


def order(relaxed: Sequence[Relaxed]) -> list[str]:
    """Return the names of crystals in order of increasing energy, without those whose relaxation failed."""
    return [r.structure.name for r in sorted((r for r in relaxed if not r.failed), key=lambda r: r.energy)]


def relax_table(
    model: str | os.PathLike[str],
    oracle: Sequence[str],
    structures: Sequence[Structure],
    folder: Path,
    *,
    device: str = "cpu",
    contain: bool = False,
) -> list[RelaxComparison]:
    """Relax structures with a model and with the oracle's LAMMPS commands; return one comparison per element.

    Arguments:
        model: a model file.
        oracle: commands such as ``["pair_style eam/fs", "pair_coeff * * NiNb.eam.fs {element}"]``, in which
            ``{element}`` and ``{symbols}`` stand for the structure's element; empty: only the model.
        structures: structures, no two with the same element, phase and c/a.
        folder: folder in which ``model`` and ``oracle`` are written, with scripts, logs and relaxed structures.
        device: device of the model.
        contain: do not raise an error for crystals whose relaxation with the model fails, see
            :func:`nnpal.evaluation.relax.relax_if_possible`.

    Raises:
        ValueError: a duplicate or invalid structure, or a command with an unknown word in braces.
        nnpal.lammps.process.LmpError: ``lmp`` fails.
    """
    names = [structure.name for structure in structures]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"structures: {', '.join(twice)} is listed more than once")
    found = []
    for element in dict.fromkeys(structure.element for structure in structures):
        of_element = [structure for structure in structures if structure.element == element]
        relaxed = relax_if_possible if contain else relax
        mine = [relaxed(nnp_commands(model, element, device), s, folder / "model") for s in of_element]
        commands = [filled(command, [element], "the crystals' oracle") for command in oracle]
        theirs = [relax(commands, s, folder / "oracle") for s in of_element] if commands else []
        found.append(RelaxComparison(element, tuple(mine), tuple(theirs)))
    return found
