"""Rotations of the ends of a molecule, the atoms bonded to the pulled atoms, as it is pulled apart."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from ase import Atoms
from ase.neighborlist import natural_cutoffs, neighbor_list
from numpy.typing import NDArray

from nnpal.geometry.nearest_image import nearest_vectors

BOND = 1.15
"""Largest length of a bond relative to the sum of covalent radii."""


@dataclass(frozen=True)
class EndRotations:
    """Rotations of the two ends since the first frame, relative to the rest of the molecule, degrees.

    Attributes:
        twist: rotation about the line between the pulled atoms, signed and without jumps of 360, [n_frames, 2].
        tilt: angle between the end's axis and that line, 0 to 180, [n_frames, 2].
        groups: atoms of the two ends, without the pulled atoms.
    """

    twist: NDArray[np.float64]
    tilt: NDArray[np.float64]
    groups: tuple[tuple[int, ...], tuple[int, ...]]


def end_rotations(
    frames: Sequence[Atoms],
    atoms: tuple[int, int],
    groups: tuple[Sequence[int], Sequence[int]] | None = None,
) -> EndRotations:
    """Return the rotations of both ends of a molecule in each frame.

    The molecule may cross a periodic boundary; other molecules are ignored. Its overall rotation is removed first: the
    line between the pulled atoms is rotated to its direction in the reference, then the molecule about the line for the
    best fit of the atoms that belong to neither end. The remaining rotation of an end is the best fit for the vectors
    from its pulled atom to its other atoms (Kabsch, Acta Cryst. A 32, 922 (1976), doi:10.1107/S0567739476001873),
    decomposed into a twist about the line and a tilt.

    Arguments:
        frames: frames of one pull, in order; the first is the reference.
        atoms: indices of the pulled atoms, from 0.
        groups: other atoms of the two ends; None: those bonded to each pulled atom in the first frame, except the one
            towards the other end.

    Raises:
        ValueError: there are no frames, or an end has fewer than 2 other atoms, so that its rotation is undefined.
    """
    if not frames:
        raise ValueError("frames: none, expected one or more")
    if groups is None:
        groups = bonded_groups(frames[0], atoms)
    for atom, group in zip(atoms, groups, strict=True):
        if len(group) < 2:
            raise ValueError(
                f"atom {atom + 1}: {len(group)} atoms turn with it, expected 2 or more; give the atoms of its end"
            )
    rest = _rest(frames[0], atoms, groups)
    line = _unit(_vectors(frames[0], atoms[0], atoms[1:])[0])
    first_rest = _vectors(frames[0], atoms[0], rest)
    first = [_vectors(frames[0], atom, group) for atom, group in zip(atoms, groups, strict=True)]
    twist, tilt = np.zeros((len(frames), 2)), np.zeros((len(frames), 2))
    for n, frame in enumerate(frames):
        turn = _turning(_unit(_vectors(frame, atoms[0], atoms[1:])[0]), line)
        turn = _about(line, _vectors(frame, atoms[0], rest) @ turn.T, first_rest) @ turn
        for side, (atom, group) in enumerate(zip(atoms, groups, strict=True)):
            own = _vectors(frame, atom, group) @ turn.T
            twist[n, side], tilt[n, side] = _taken_apart(_kabsch(first[side], own), line)
    return EndRotations(np.unwrap(twist, period=360.0, axis=0), tilt, (tuple(groups[0]), tuple(groups[1])))


def bonded_groups(frame: Atoms, atoms: tuple[int, int]) -> tuple[list[int], list[int]]:
    """Return the atoms bonded to each of two atoms, except the one on the shortest path of bonds to the other."""
    bonded, found = _bonds(frame), []
    for atom, other in (atoms, atoms[::-1]):
        steps = _steps_from(other, bonded)
        own = sorted(set(bonded.get(atom, [])))
        towards = min((k for k in own if k in steps), key=lambda k: steps[k], default=None)
        found.append([k for k in own if k != towards])
    return found[0], found[1]


def _rest(frame: Atoms, atoms: tuple[int, int], groups: tuple[Sequence[int], Sequence[int]]) -> list[int]:
    """Return the atoms of the molecule that belong to neither end, or all its atoms if there are none."""
    bonded = _bonds(frame)
    molecule = sorted({k for atom in atoms for k in _steps_from(atom, bonded)} | {*groups[0], *groups[1]})
    return [k for k in molecule if k not in {*atoms, *groups[0], *groups[1]}] or molecule


def _bonds(frame: Atoms) -> dict[int, list[int]]:
    """Return the atoms that each atom is bonded to."""
    bonded: dict[int, list[int]] = {}
    for i, j in zip(*neighbor_list("ij", frame, natural_cutoffs(frame, mult=BOND)), strict=True):
        bonded.setdefault(int(i), []).append(int(j))
    return bonded


def _vectors(frame: Atoms, atom: int, others: Sequence[int]) -> NDArray[np.float64]:
    """Return vectors from an atom to the nearest images of others, [n_others, 3]."""
    return np.asarray(nearest_vectors(frame, [atom], others)[0])


def _steps_from(start: int, bonded: dict[int, list[int]]) -> dict[int, int]:
    """Return the number of bonds from an atom to each atom that it is connected to."""
    steps, waiting = {start: 0}, deque([start])
    while waiting:
        at = waiting.popleft()
        for k in bonded.get(at, []):
            if k not in steps:
                steps[k] = steps[at] + 1
                waiting.append(k)
    return steps


def _unit(vector: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(vector / np.linalg.norm(vector))


def _turning(start: NDArray[np.float64], end: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the smallest rotation from one unit vector to another, [3, 3]."""
    axis, cosine = np.cross(start, end), float(start @ end)
    if cosine < -1.0 + 1e-12:  # 180° about any perpendicular axis
        across = _unit(np.cross(start, np.eye(3)[np.abs(start).argmin()]))
        return np.asarray(2.0 * np.outer(across, across) - np.eye(3))
    cross = _cross(axis)
    return np.asarray(np.eye(3) + cross + cross @ cross / (1.0 + cosine))


def _about(
    line: NDArray[np.float64], points: NDArray[np.float64], reference: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the rotation about a line that best fits points to a reference, both relative to a point on it."""
    sine = float((np.cross(points, reference) @ line).sum())
    flat = [one - np.outer(one @ line, line) for one in (points, reference)]
    cosine = float((flat[0] * flat[1]).sum())
    angle, cross = np.arctan2(sine, cosine), _cross(line)
    return np.asarray(np.eye(3) + np.sin(angle) * cross + (1.0 - np.cos(angle)) * cross @ cross)


def _kabsch(reference: NDArray[np.float64], points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the proper rotation R that best fits R reference to points, [3, 3]."""
    left, _, right = np.linalg.svd(points.T @ reference)
    mirror = np.diag([1.0, 1.0, np.sign(np.linalg.det(left @ right))])
    return np.asarray(left @ mirror @ right)


def _taken_apart(rotation: NDArray[np.float64], line: NDArray[np.float64]) -> tuple[float, float]:
    """Return the twist about a line and the tilt that make up a rotation, degrees."""
    turned = rotation @ line
    tilt = float(np.degrees(np.arccos(np.clip(turned @ line, -1.0, 1.0))))
    twist = _turning(turned, line) @ rotation  # leaves the line unchanged
    across = _unit(np.cross(line, np.eye(3)[np.abs(line).argmin()]))
    moved = twist @ across
    return float(np.degrees(np.arctan2(np.cross(across, moved) @ line, across @ moved))), tilt


def _cross(axis: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the matrix of the cross product with a vector, [3, 3]."""
    x, y, z = axis
    return np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
