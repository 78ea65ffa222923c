"""Check configurations for errors before training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from ase import Atoms

from nnpal.data.check_geometry import Finite, geometry_faults, not_finite
from nnpal.data.check_labels import energy_faults, force_faults, stress_faults
from nnpal.data.columns import Columns
from nnpal.data.copied_labels import copied_labels
from nnpal.data.duplicates import duplicates
from nnpal.data.electron_states import mixed_electrons
from nnpal.data.finding import Finding
from nnpal.data.stresses import large_stress


@dataclass(frozen=True)
class Limits:
    """Limits of valid configurations.

    Coordinates and cell vectors above ``LARGEST_LENGTH``, and energies beyond ``LARGEST_ENERGY``, are always errors.

    Attributes:
        energy_spread: eV/atom; an energy farther than this from the median of its composition is an error.
        lowest_energy, highest_energy: eV/atom; an energy outside is an error. None: no such limit.
        max_force: eV/Å; a larger force on any atom is an error.
        max_stress: eV/Å³; a larger component of the stress is an error. 1 eV/Å³ is 160 GPa, rare in crystals but
            exceeded by stresses in kbar or GPa that are mistaken for eV/Å³.
        min_distance: Å; a shorter distance between two atoms, images included, is an error.
        net_force: eV/Å; a mean force vector per atom larger than this is a warning.
    """

    energy_spread: float = 10.0
    max_force: float = 100.0
    max_stress: float = 1.0
    min_distance: float = 0.5
    net_force: float = 1e-3
    lowest_energy: float | None = None
    highest_energy: float | None = None

    def __post_init__(self) -> None:
        for name in ("energy_spread", "max_force", "max_stress", "min_distance", "net_force"):
            value = getattr(self, name)
            if not value > 0:
                raise ValueError(f"limits: {name} = {value}, expected more than 0")


def check_frames(
    frames: Sequence[Atoms], symbols: Sequence[str] | None = None, limits: Limits | None = None
) -> list[Finding]:
    """Return all faults of configurations, in order of their index; labels are checked if present.

    Time and memory are linear in the number of atoms; small configurations are checked in batches.

    Arguments:
        frames: configurations, with or without labels.
        symbols: allowed elements; None allows all.
        limits: limits of valid configurations; by default those of :class:`Limits`.
    """
    limits = limits or Limits()
    columns = Columns.of(frames)
    finite = Finite(columns)
    findings = [*geometry_faults(columns, finite, symbols, limits.min_distance)]
    findings += force_faults(columns, finite, limits.max_force, limits.net_force)
    findings += stress_faults(columns, finite, limits.max_stress)
    findings += duplicates(columns, finite)
    findings += copied_labels(columns, finite.labels)
    findings += energy_faults(columns, finite, limits.energy_spread, limits.lowest_energy, limits.highest_energy)
    findings += mixed_electrons(columns)
    return sorted(findings, key=lambda finding: finding.index)


def require_sound(
    frames: Sequence[Atoms], symbols: Sequence[str] | None = None, limits: Limits | None = None, *, source: str = ""
) -> list[Finding]:
    """Check configurations, raise an error for faults, and return the warnings.

    Arguments:
        frames: configurations, with or without labels.
        symbols: allowed elements; None allows all.
        limits: limits of valid configurations; by default those of :class:`Limits`.
        source: name of the configurations in the message, such as a file name.

    Raises:
        ValueError: a configuration has an error; the message names the first few.
    """
    findings = check_frames(frames, symbols, limits)
    _refuse_errors(frames, findings, source)
    return findings


def require_sound_labels(frames: Sequence[Atoms], limits: Limits, *, source: str = "") -> None:
    """Check for faults that reading does not detect: NaN, copied labels, and stresses in another unit.

    Raises:
        ValueError: any of these; the message names the first few.
    """
    columns = Columns.of(frames)
    columns.require_consistent()
    finite = Finite(columns)
    findings = [*not_finite(columns, finite)]
    if columns.has["stress"].any():
        large = finite.having("stress") & (np.abs(columns.stresses).max(axis=1) > limits.max_stress)
        faults = (large_stress(i, columns.stresses[i], limits.max_stress) for i in map(int, np.flatnonzero(large)))
        findings += [fault for fault in faults if fault is not None]
    findings += copied_labels(columns, {name: finite.having(name) for name in columns.has})
    _refuse_errors(frames, findings, source)


def _refuse_errors(frames: Sequence[Atoms], findings: Sequence[Finding], source: str) -> None:
    errors = [finding for finding in findings if finding.severity == "error"]
    if errors:
        more = f"\n... and {len(errors) - 5} more" if len(errors) > 5 else ""
        count = len({finding.index for finding in errors})
        sources = [frames[finding.index].info.get("source") for finding in errors[:5]]
        lines = "\n".join(
            f"  {finding}{f' ({own})' if own else ''}" for finding, own in zip(errors, sources, strict=False)
        )
        where = f"{source}: " if source else ""
        raise ValueError(f"{where}{count} of {len(frames)} configurations are invalid:\n{lines}{more}")
