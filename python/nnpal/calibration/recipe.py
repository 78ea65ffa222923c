"""Recipes that convert the spread of an ensemble to an error: three parameters per element, three for the energy."""

from __future__ import annotations

import dataclasses
import sys
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

DETERMINED = 1e-6
"""Rounding tolerance, per atom, for the component of a composition along an undetermined direction."""
STEEPEST = 4.0
"""Largest exponent; in real ensembles it is 0.5 to 1.2."""


@dataclass(frozen=True)
class ForceRecipe:
    """The error of a force from ``uq_force``, for each element.

    With s_i the spread of the members' forces on atom i (``uq_force``), s the knee, σ the error at the knee and b
    the exponent of the atom's element::

        error_force_i = σ min(s_i/s, 1)^b max(s_i/s, 1)

    a power law below the knee, where most of the calibration data are, and proportional above it. It is the RMS of
    |ΔF_i| over atoms with that spread; the error of one component is smaller by √3.

    Attributes:
        knee: spread s at the knee, eV/Å, [n_elements], in the order of the model's elements.
        error_at_knee: error σ at the knee, eV/Å, [n_elements].
        exponent: exponent b below the knee, [n_elements].
    """

    knee: tuple[float, ...]
    error_at_knee: tuple[float, ...]
    exponent: tuple[float, ...]

    def __post_init__(self) -> None:
        lengths = {len(self.knee), len(self.error_at_knee), len(self.exponent)}
        if len(lengths) != 1 or 0 in lengths:
            raise ValueError(f"force recipe: knee, error_at_knee and exponent have lengths {sorted(lengths)}")
        for name in ("knee", "error_at_knee", "exponent"):
            require_positive(f"force recipe: {name}", *getattr(self, name))
        if max(self.exponent) > STEEPEST:
            raise ValueError(f"force recipe: exponent is {max(self.exponent)}, expected at most {STEEPEST}")

    def in_knees(self, uq_force: NDArray[np.float64], species: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return s_i/s, [n_atoms].

        Arguments:
            uq_force: spread of the members' forces, eV/Å, [n_atoms].
            species: index of each atom's element, [n_atoms].
        """
        return np.asarray(uq_force / np.array(self.knee)[species])

    def errors(self, uq_force: NDArray[np.float64], species: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return ``error_force``, eV/Å, [n_atoms].

        Arguments:
            uq_force: spread s_i of the members' forces, eV/Å, [n_atoms].
            species: index of each atom's element, [n_atoms].
        """
        ratio = self.in_knees(uq_force, species)
        power = np.minimum(ratio, 1.0) ** np.array(self.exponent)[species]
        return np.asarray(np.array(self.error_at_knee)[species] * power * np.maximum(ratio, 1.0))


@dataclass(frozen=True)
class EnergyRecipe:
    """The error of a configuration's energy from the spread of the members' energies.

    With E_m the energy of member m, and the standard deviation in the population form::

        error_energy = factor sqrt(mean_m (E_m - mean_m E_m)²)

    for configurations like those of the calibration. For others the members have common errors, which the spread does
    not show, and the error is unknown. A configuration of N atoms is outside if the standard deviation is above
    N ``largest_per_atom``, s_i/knee of any atom is above ``largest``, or its composition is not a linear combination of
    those of the calibration, so that the self-energies of its elements are not determined separately.

    Attributes:
        factor: ratio of the error to the standard deviation.
        largest_per_atom: largest standard deviation per atom, eV.
        largest: largest spread of an atom's force, in units of the knee.
        undetermined: unit vectors over the elements that are orthogonal to all compositions of the calibration; empty
            if all self-energies are determined.
    """

    factor: float
    largest_per_atom: float
    largest: float
    undetermined: tuple[tuple[float, ...], ...] = ()

    def __post_init__(self) -> None:
        for name in ("factor", "largest_per_atom", "largest"):
            require_positive(f"energy recipe: {name}", getattr(self, name))

    def is_determined(self, composition: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Return whether compositions are linear combinations of those of the calibration, bool [n].

        Arguments:
            composition: number of atoms of each element, [n, n_elements].
        """
        rows = np.array(self.undetermined).reshape(-1, composition.shape[1])
        return np.asarray((np.abs(composition @ rows.T) <= DETERMINED * composition.sum(1, keepdims=True)).all(1))


@dataclass(frozen=True)
class Calibration:
    """Calibration of a model file.

    Attributes:
        force: see :class:`ForceRecipe`.
        energy: see :class:`EnergyRecipe`; None if there were too few configurations.
        evidence: data and quality of the fit; anything that JSON can represent.
    """

    force: ForceRecipe
    energy: EnergyRecipe | None
    evidence: dict[str, Any] = field(default_factory=dict)

    def error_force(self, uq_force: NDArray[np.float64], species: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the error of every atom's force, eV/Å; see :meth:`ForceRecipe.errors`.

        Arguments:
            uq_force: spread of the members' forces, eV/Å, [n_atoms].
            species: index of each atom's element, [n_atoms].
        """
        return self.force.errors(uq_force, species)

    def error_energy(
        self,
        energy_std: NDArray[np.float64],
        uq_force: NDArray[np.float64],
        species: NDArray[np.int64],
        n_atoms: NDArray[np.int64],
    ) -> NDArray[np.float64]:
        """Return the error of every configuration's energy, eV, [n_frames]; infinite if it is unknown.

        Arguments:
            energy_std: standard deviation of the members' energies, eV, [n_frames].
            uq_force: spread s_i of the atoms of all configurations, concatenated, eV/Å.
            species: element index of the same atoms.
            n_atoms: number of atoms of each configuration, [n_frames].
        """
        if self.energy is None:
            return np.full(len(n_atoms), np.inf)
        ratio = self.force.in_knees(uq_force, species)
        largest = np.maximum.reduceat(ratio, np.cumsum(n_atoms) - n_atoms)
        outside = (energy_std > n_atoms * self.energy.largest_per_atom) | (largest > self.energy.largest)
        outside |= ~self.energy.is_determined(compositions(species, n_atoms, len(self.force.knee)))
        return np.where(outside, np.inf, self.energy.factor * energy_std)

    def to_json(self) -> dict[str, Any]:
        """Return the calibration as JSON for :meth:`from_json`."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, values: Any) -> Calibration:
        """Return the calibration from the output of :meth:`to_json`.

        Arguments:
            values: the decoded JSON object.

        Raises:
            ValueError: a key is missing, unknown or has a wrong value; the message names it.
        """
        _require_keys("calibration", values, ("force", "energy", "evidence"))
        force, energy = values["force"], values["energy"]
        _require_keys("force recipe", force, ("knee", "error_at_knee", "exponent"))
        for name, column in force.items():
            if not isinstance(column, list):
                raise ValueError(f"force recipe: {name} is {column!r}, expected a list of numbers")
        if energy is not None:
            _require_keys("energy recipe", energy, ("factor", "largest_per_atom", "largest", "undetermined"))
            rows = energy["undetermined"]
            if not isinstance(rows, list) or not all(_are_numbers(row, len(force["knee"])) for row in rows):
                raise ValueError(f"energy recipe: undetermined is {rows!r}, expected rows of a number for each element")
            energy = energy | {"undetermined": tuple(map(tuple, rows))}
        if not isinstance(values["evidence"], dict):
            raise ValueError(f"calibration: evidence is {values['evidence']!r}, expected an object")
        return cls(
            ForceRecipe(**{name: tuple(column) for name, column in force.items()}),
            None if energy is None else EnergyRecipe(**energy),
            values["evidence"],
        )


def compositions(species: NDArray[np.int64], n_atoms: NDArray[np.int64], n_elements: int) -> NDArray[np.float64]:
    """Return the number of atoms of each element in each configuration, float [n_frames, n_elements]."""
    counts = np.zeros((len(n_atoms), n_elements))
    np.add.at(counts, (np.repeat(np.arange(len(n_atoms)), n_atoms), species), 1.0)
    return counts


def _are_numbers(row: Any, n: int) -> bool:
    numbers = isinstance(row, list) and all(isinstance(v, int | float) and not isinstance(v, bool) for v in row)
    return numbers and len(row) == n and all(abs(v) <= 1 + DETERMINED for v in row)


def require_positive(name: str, *values: Any) -> None:
    """Refuse values that are not positive numbers."""
    for value in values:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not 0 < value <= sys.float_info.max:
            raise ValueError(f"{name} is {value!r}, expected a number above 0")


def _require_keys(name: str, values: Any, keys: tuple[str, ...]) -> None:
    if not isinstance(values, dict) or set(values) != set(keys):
        found = sorted(values) if isinstance(values, dict) else values
        raise ValueError(f"{name} has {found!r}, expected the keys {list(keys)}")
