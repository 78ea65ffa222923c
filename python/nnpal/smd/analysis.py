"""Analysis of several pulls: activation energies, breaking distances, and the free energy along λ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnpal.observables import MembersEstimate
from nnpal.smd.free_energy import jarzynski_profile
from nnpal.smd.members import mean_activation_energy
from nnpal.smd.pull import Break, Pull, activation_energy, find_break

BOLTZ = {"metal": 8.617343e-5, "real": 0.0019872067, "lj": 1.0}  # values of LAMMPS

# With a smaller effective number of pulls, a few pulls with low work dominate Jarzynski's average
FEW_PULLS = 5.0


@dataclass(frozen=True)
class PullSummary:
    """Summary of one pull, with energies and distances in the units of the script."""

    name: str
    activation_energy: float
    at: Break


@dataclass(frozen=True)
class MeanEnergy:
    """Mean activation energy of pulls at one rate, with its error bars, in the units of the script.

    Attributes:
        value: mean over pulls.
        statistical: standard error of the mean over pulls; None for one pull.
        members: value under each member of the ensemble; None if not requested.
    """

    value: float
    statistical: float | None
    members: MembersEstimate | None = None

    def to_json(self) -> dict[str, Any]:
        members = None if self.members is None else self.members.to_json()
        return {"value": self.value, "statistical": self.statistical, "members": members}


@dataclass(frozen=True)
class Report:
    """Summaries of all pulls, and ΔF(λ) by Jarzynski's equality if they follow one protocol.

    Attributes:
        pulls: summary of each pull.
        mean: mean of all pulls; None if their rates or springs differ.
        kT: kT in the energy unit of the script.
        profile: λ, ΔF, its error, its bias, the second cumulant and the effective number of pulls, [n] each.
        notes: remarks to read before using the numbers.
    """

    pulls: list[PullSummary]
    mean: MeanEnergy | None
    kT: float
    profile: dict[str, NDArray[np.float64]]
    notes: list[str]

    def to_json(self) -> dict[str, Any]:
        return {
            "kT": self.kT,
            "pulls": [asdict(pull) for pull in self.pulls],
            "activation_energy": None if self.mean is None else self.mean.to_json(),
            "profile": {name: values.tolist() for name, values in self.profile.items()},
            "notes": self.notes,
        }


def make_report(
    pulls: Sequence[Pull],
    temperature: float,
    window: float,
    units: str | None = None,
    equivalent_atoms: bool = False,
    members: MembersEstimate | None = None,
) -> Report:
    """Return the analysis of pulls.

    Arguments:
        pulls: pulls with a moving spring.
        temperature: temperature of the pulls, in the script's unit (K).
        window: interval in λ over which the force is averaged to locate the bond rupture.
        units: LAMMPS unit style, for files that do not contain it.
        equivalent_atoms: whether to average pulls of different atoms, as equivalent by symmetry.
        members: the same activation energy under each member, for an error bar of the model.

    Raises:
        ValueError: the unit style is unknown, the temperature is not above 0, or a pull cannot be analyzed.
    """
    if not temperature > 0.0:
        raise ValueError(f"temperature {temperature:g}: expected more than 0")
    kT = boltzmann(pulls[0], units) * temperature
    summaries = [PullSummary(pull.name, activation_energy(pull), find_break(pull, window)) for pull in pulls]
    notes = [
        f"{s.name}: the force has not fallen to half of its largest value at the end; pull further"
        for s in summaries
        if not s.at.broken
    ]
    mean: MeanEnergy | None = None
    if differing := differing_facts(pulls):
        notes.append(f"no mean activation energy: the pulls differ in {', '.join(differing)}")
    else:
        mean = MeanEnergy(*mean_activation_energy(pulls), members)
    profile: dict[str, NDArray[np.float64]] = {}
    try:
        target, free = jarzynski_profile(pulls, kT, equivalent_atoms=equivalent_atoms)
    except ValueError as error:
        notes.append(f"no Jarzynski average: {error}")
        return Report(summaries, mean, kT, profile, notes)
    if len(pulls) == 1:
        notes.append("one pull: on average its work lies above the free energy; several give Jarzynski's average")
    else:
        pulled = {pull.facts.get("pulled", "") for pull in pulls}
        if len(pulled) > 1:
            notes.append(f"averaged over pulls of different atoms, treated as equivalent: {', '.join(sorted(pulled))}")
        profile = {
            "lambda": target,
            "free_energy": free.value,
            "error": free.error,
            "bias": free.bias,
            "second_cumulant": free.cumulant,
            "n_effective": free.n_effective,
        }
        if note := few_pulls_note(float(free.n_effective[-1]), len(pulls)):
            notes.append(note)
    return Report(summaries, mean, kT, profile, notes)


def few_pulls_note(n_effective: float, n_pulls: int) -> str | None:
    """Return a note if few pulls dominate Jarzynski's average, otherwise None.

    Arguments:
        n_effective: effective number of pulls at the end, see :class:`nnpal.smd.FreeEnergy`.
        n_pulls: number of all pulls.
    """
    if n_effective >= FEW_PULLS:
        return None
    return (
        f"{n_effective:.1f} of {n_pulls} pulls dominate the Jarzynski average at the end, so its error and bias are "
        "too small; pull more slowly, or many more times"
    )


def differing_facts(pulls: Sequence[Pull]) -> list[str]:
    """Return which of spring, rate and units differ between pulls, as far as their files contain them."""
    return [name for name in ("k", "rate", "units") if len({pull.facts.get(name) for pull in pulls}) > 1]


def boltzmann(pull: Pull, units: str | None) -> float:
    """Return Boltzmann's constant in the units of a pull."""
    return float(pull.facts["boltz"]) if "boltz" in pull.facts else BOLTZ[units_of(pull, units)]


def units_of(pull: Pull, units: str | None) -> str:
    """Return the unit style of a pull, from its file or ``units``.

    Raises:
        ValueError: the unit style is missing or unknown.
    """
    found = pull.facts.get("units", units)
    if found is None:
        raise ValueError(f"{pull.name}: the file does not say its units; give --units {'|'.join(BOLTZ)}")
    if found not in BOLTZ:
        raise ValueError(f"units {found}: expected one of {', '.join(BOLTZ)}")
    return found
