"""Find what is wrong with configurations before anything is trained on them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from ase import Atoms

from nnpal.data.copied_labels import copied_labels
from nnpal.data.finding import Finding
from nnpal.data.hashes import structure_hash
from nnpal.data.labels import labels_of
from nnpal.data.stresses import large_stress, no_stress
from nnpal.electrons import WHOLE, electrons_of

SAME_ENERGY = 1e-5  # eV/atom; oracles and printed digits do not agree better than this


@dataclass(frozen=True)
class Limits:
    """What counts as sound.

    Attributes:
        energy_spread: eV/atom; an energy farther than this from the median of its composition is an error.
        lowest_energy, highest_energy: eV/atom; an energy outside is an error. None: no such limit.
        max_force: eV/Å; a larger force on any atom is an error.
        max_stress: eV/Å³; a larger component of the stress is an error. 1 eV/Å³ is 160 GPa, which few crystals see, and
            which stresses in kbar or GPa that pass for eV/Å³ exceed.
        min_distance: Å; a shorter distance between two atoms, images included, is an error.
        net_force: eV/Å for each atom; a larger mean force vector is a warning.
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
    """Return all faults of configurations, in order of their index; labels are checked where there are any.

    Args:
        symbols: elements that are known; None knows all.
    """
    limits = limits or Limits()
    findings: list[Finding] = []
    labels: dict[int, dict[str, Any]] = {}
    sound: list[int] = []
    for index, frame in enumerate(frames):
        found = list(_of_one(index, frame, symbols, limits, labels))
        findings += found
        if not any(f.kind in ("empty", "not finite") for f in found):
            sound.append(index)
    energies = {index: own["energy"] / len(frames[index]) for index, own in labels.items() if "energy" in own}
    findings += _duplicates(frames, sound, energies)
    findings += copied_labels(frames, {index: labels[index] for index in sound if index in labels})
    findings += _energies(frames, energies, limits)
    findings += _mixed_electrons(frames)
    return sorted(findings, key=lambda finding: finding.index)


def require_sound(
    frames: Sequence[Atoms], symbols: Sequence[str] | None = None, limits: Limits | None = None, *, source: str = ""
) -> list[Finding]:
    """Return the warnings.

    Raises:
        ValueError: any finding that is an error; names the first few.
    """
    findings = check_frames(frames, symbols, limits)
    _refuse_errors(frames, findings, source)
    return findings


def require_sound_labels(frames: Sequence[Atoms], limits: Limits, *, source: str = "") -> None:
    """Check what no one configuration shows as it is read: copied labels, and stresses in another unit.

    Raises:
        ValueError: any of these; names the first few.
    """
    labels = {index: labels_of(frame) for index, frame in enumerate(frames)}
    finite = {
        index: {name: value for name, value in own.items() if np.isfinite(value).all()} for index, own in labels.items()
    }
    findings = [
        fault
        for index, own in finite.items()
        if "stress" in own and (fault := large_stress(index, own["stress"], limits.max_stress))
    ]
    findings += copied_labels(frames, finite)
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
        raise ValueError(f"{where}{count} of {len(frames)} configurations are not sound:\n{lines}{more}")


def _of_one(
    index: int, frame: Atoms, symbols: Sequence[str] | None, limits: Limits, finite: dict[int, dict[str, Any]]
) -> Iterator[Finding]:
    """Yield the faults of one configuration by itself; put its finite labels into ``finite``."""
    if len(frame) == 0:
        yield Finding(index, "error", "empty", "no atoms", "one at least")
        return
    try:
        labels = labels_of(frame)
    except ValueError as error:
        yield Finding(index, "error", "stale", str(error).removeprefix("configuration: "), "labels of these very atoms")
        labels = {}
    parts = {"positions": frame.positions, "cell": frame.cell.array, **labels}
    infinite = [name for name, values in parts.items() if not np.isfinite(values).all()]
    for name in infinite:
        count = int(np.count_nonzero(~np.isfinite(parts[name])))
        yield Finding(index, "error", "not finite", f"{count} NaN or infinite values of {name}", "finite numbers")
    known = set(symbols) if symbols is not None else None
    unknown = sorted({s for s in frame.symbols if s == "X" or (known is not None and s not in known)})
    if unknown:
        expected = "a chemical element" if known is None else f"one of {', '.join(symbols or ())}"
        yield Finding(index, "error", "element", ", ".join(unknown), expected)
    if "positions" not in infinite and "cell" not in infinite:
        yield from _distances(index, frame, limits)
    finite[index] = {name: value for name, value in labels.items() if name not in infinite}
    if "forces" in finite[index]:
        yield from _forces(index, labels["forces"], limits)
    if "stress" in labels:
        yield from _stress(index, frame, finite[index].get("stress"), limits)


def _distances(index: int, frame: Atoms, limits: Limits) -> Iterator[Finding]:
    from nnpal.graph import neighbor_graph  # torch with it, which costs every task a second or two

    try:
        graph = neighbor_graph(
            frame.positions, frame.cell.array, frame.pbc, np.zeros(len(frame), int), limits.min_distance
        )
    except ValueError as error:
        yield Finding(index, "error", "cell", str(error), "atoms and a cell whose neighbours can be found")
        return
    if len(graph.edge_vec):
        distances = graph.edge_vec.norm(dim=1)
        k = int(distances.argmin())
        i, j = sorted(graph.edge_index[:, k].tolist())
        value = f"{distances[k]:.4g} Å between atoms {i} and {j}"
        yield Finding(index, "error", "distance", value, f"{limits.min_distance:g} Å at least")


def _forces(index: int, forces: np.ndarray, limits: Limits) -> Iterator[Finding]:
    sizes = np.linalg.norm(forces, axis=1)
    largest = int(sizes.argmax())
    if sizes[largest] > limits.max_force:
        value = f"{sizes[largest]:.4g} eV/Å on atom {largest}"
        yield Finding(index, "error", "force", value, f"{limits.max_force:g} eV/Å at most")
    net = float(np.linalg.norm(forces.mean(axis=0)))
    if net > limits.net_force:
        value = f"{net:.4g} eV/Å for each atom"
        yield Finding(index, "warning", "net force", value, f"0, {limits.net_force:g} at most")


def _stress(index: int, frame: Atoms, stress: np.ndarray | None, limits: Limits) -> Iterator[Finding]:
    """Yield the fault of a stress; None when it is not finite, which has been said."""
    fault = no_stress(index, frame)
    if fault is None and stress is not None:
        fault = large_stress(index, stress, limits.max_stress)
    if fault is not None:
        yield fault


def _energies(frames: Sequence[Atoms], energies: dict[int, float], limits: Limits) -> Iterator[Finding]:
    """Compare energies per atom with the limits, and with the median of configurations of the same composition."""
    lowest = -np.inf if limits.lowest_energy is None else limits.lowest_energy
    highest = np.inf if limits.highest_energy is None else limits.highest_energy
    for index, energy in energies.items():
        if not lowest <= energy <= highest:
            yield Finding(index, "error", "energy", f"{energy:.6g} eV/atom", f"{lowest:g} to {highest:g} eV/atom")
    groups: dict[tuple[tuple[int, int], ...], list[int]] = {}
    for index in energies:
        numbers, counts = np.unique(frames[index].numbers, return_counts=True)
        divisor = int(np.gcd.reduce(counts))
        groups.setdefault(tuple(zip(numbers.tolist(), (counts // divisor).tolist(), strict=True)), []).append(index)
    for group in groups.values():
        median = float(np.median([energies[index] for index in group]))
        for index in group:
            if abs(energies[index] - median) > limits.energy_spread:
                expected = f"{median:.6g} ± {limits.energy_spread:g}, the median of this composition"
                yield Finding(index, "error", "energy", f"{energies[index]:.6g} eV/atom", expected)


def _duplicates(frames: Sequence[Atoms], sound: Sequence[int], energies: dict[int, float]) -> Iterator[Finding]:
    """Yield configurations that equal an earlier one, to the last bit or after wrapping into the cell.

    An error where the two have different energies, for one of them is wrong; else a warning.
    """
    exact: dict[str, int] = {}
    wrapped: dict[str, int] = {}
    for index in sound:
        frame = frames[index]
        state = _state(frame)  # of another charge or spin it is another structure, see _mixed_electrons
        same = exact.setdefault(structure_hash(frame) + state, index)
        how = "the same structure"
        if same == index:
            same = wrapped.setdefault(structure_hash(_canonical(frame)) + state, index)
            how = "the same structure but for atoms a cell vector away"
        if same == index:
            continue
        value = f"{how} as configuration {same}"
        apart = abs(energies[index] - energies[same]) if index in energies and same in energies else 0.0
        if apart > SAME_ENERGY:
            yield Finding(index, "error", "duplicate", f"{value}, {apart:.4g} eV/atom apart", "one energy for it")
        else:
            yield Finding(index, "warning", "duplicate", value, "each structure once")


def _mixed_electrons(frames: Sequence[Atoms]) -> Iterator[Finding]:
    """Yield configurations of another charge or spin than the first of their composition: no model tells them apart."""
    first: dict[str, tuple[int, str]] = {}
    for index, frame in enumerate(frames):
        state = _state(frame)
        same, expected = first.setdefault(frame.get_chemical_formula(), (index, state))
        if state != expected:
            value = f"{state}, but configuration {same} of the same atoms has {expected}"
            yield Finding(index, "warning", "charge", value, "one charge and spin: a model knows neither")


def _state(frame: Atoms) -> str:
    """Return charge and multiplicity; not stated is 0, and 1 or 2 by the number of electrons."""
    try:
        stated = electrons_of(frame)
    except ValueError as error:
        return str(error)
    charge = stated.total_charge or 0
    multiplicity = stated.multiplicity
    if multiplicity is None and stated.moments is not None:
        total = abs(float(stated.moments.sum()))  # a sum that is not whole is a first guess of a metal's
        multiplicity = round(total) + 1 if abs(total - round(total)) <= WHOLE else None
    return f"charge {charge}, multiplicity {multiplicity or 1 + (int(frame.numbers.sum()) - charge) % 2}"


def _canonical(frame: Atoms) -> Atoms:
    """Return the structure wrapped and rounded to 1e-6 of a cell vector along periodic directions, 1e-6 Å else."""
    cell = frame.cell.complete()
    if abs(np.linalg.det(cell.array)) < 1e-6:
        return frame
    scaled = cell.scaled_positions(frame.positions) if frame.pbc.any() else frame.positions.copy()
    scaled[:, frame.pbc] %= 1.0
    rounded = np.round(scaled, 6)
    rounded[:, frame.pbc] %= 1.0  # 0.9999999 is 0
    return Atoms(frame.numbers, positions=rounded, cell=np.round(frame.cell.array, 6), pbc=frame.pbc)
