"""Distances that can be pulled: between two atoms, between two groups, or from a point to a group.

Each measures d and its gradient, adds a force along d to the atoms, and returns the virial of that force.
Three-vectors are tuples of floats, because NumPy's overhead is larger than their arithmetic.
"""

from __future__ import annotations

import math
from typing import Protocol

import numpy as np

from nnpal.hooks import Context, HookError
from nnpal.smd.identity import kinds_of_atoms, kinds_of_groups, require_whole_groups

Vector = tuple[float, float, float]

# Fraction of half the box; beyond it, the nearest image could change at the next step.
MARGIN = 0.98


class Distance(Protocol):
    """A distance that can be pulled.

    Attributes:
        label: text that names the pulled atoms or groups, for messages and to compare with a restart file.
        names: name of each pulled atom or group.
        places: positions or centers of mass at the last measurement of d.
    """

    label: str
    names: list[str]

    @property
    def places(self) -> list[list[float]]: ...

    def measure(self, context: Context) -> float:
        """Return d at the current positions, and store its direction (collective)."""
        ...

    def push(self, context: Context, force: float) -> None:
        """Add `force` along increasing d to the atoms of this rank."""
        ...

    def virial(self, force: float) -> tuple[float, ...]:
        """Return the virial of `force` at the last measured distance, xx yy zz xy xz yz, energy units."""
        ...

    def kinds(self, context: Context) -> list[str]:
        """Return the kind of each pulled atom or group, to detect IDs and groups whose atoms change (collective)."""
        ...

    def require_all_atoms(self, context: Context) -> None:
        """Raise an error if a trial state of a Monte Carlo fix lacks pulled atoms (collective)."""
        ...


class AtomPair:
    """d = |r_j − r_i| between the nearest images of two atoms."""

    def __init__(self, context: Context, tags: tuple[int, int]) -> None:
        i, j = tags
        if i == j:
            raise HookError(f"atoms {i} {j}: the pulled atoms are one and the same; expected two different atom IDs")
        context.positions_of([i, j])  # raises an error for an ID that does not exist
        self.label = f"atoms {i} {j}"
        self.names = [f"atom {i}", f"atom {j}"]
        self._tags = [i, j]
        self._places: list[Vector] = []
        self._vector, self._n = (0.0, 0.0, 0.0), (0.0, 0.0, 0.0)

    @property
    def places(self) -> list[list[float]]:
        return [list(place) for place in self._places]

    def measure(self, context: Context) -> float:
        i, j = self._tags
        self._vector, share, *self._places = context.separation(i, j)
        if share >= 0.5 * MARGIN:
            nearest(context, self._vector, self.label)  # raises the error
        d, self._n = along(self._vector, self.label)
        return d

    def push(self, context: Context, force: float) -> None:
        x, y, z = self._n
        x, y, z = force * x, force * y, force * z
        context.add_force(self._tags[1], (x, y, z))
        context.add_force(self._tags[0], (-x, -y, -z))

    def virial(self, force: float) -> tuple[float, ...]:
        return pair_virial(self._vector, self._n, force)

    def kinds(self, context: Context) -> list[str]:
        return kinds_of_atoms(context, self._tags)

    def require_all_atoms(self, context: Context) -> None:
        pass  # positions_of has checked them


class GroupPair:
    """d = |R_B − R_A| between the nearest images of two groups' centers of mass."""

    def __init__(self, context: Context, names: tuple[str, str]) -> None:
        a, b = names
        if a == b:
            raise HookError(f"groups {a} {b}: the pulled groups are one and the same; expected two different groups")
        for name in names:
            check_not_empty(context, name, "groups")
        shared = int(np.count_nonzero(context.group_mask_of(a) & context.group_mask_of(b)))
        shared = context.comm.allreduce(shared)
        if shared:
            raise HookError(
                f"groups {a} {b}: {shared} atoms are in both; expected groups without common atoms "
                f"(group {b}_only subtract {b} {a})"
            )
        self.label = f"groups {a} {b}"
        self.names = [f"group {a}", f"group {b}"]
        self.places: list[list[float]] = []
        self._names = names
        self._counts = [context.group_count(name) for name in names]
        self._d, self._vector, self._n = 0.0, (0.0, 0.0, 0.0), (0.0, 0.0, 0.0)

    def measure(self, context: Context) -> float:
        self.places = [context.center_of_mass(name).tolist() for name in self._names]
        a, b = self.places
        self._vector = nearest(context, (b[0] - a[0], b[1] - a[1], b[2] - a[2]), self.label)
        self._d, self._n = along(self._vector, self.label)
        return self._d

    def push(self, context: Context, force: float) -> None:
        push_group(context, self._names[1], self._n, force)
        push_group(context, self._names[0], self._n, -force)

    def virial(self, force: float) -> tuple[float, ...]:
        return pair_virial(self._vector, self._n, force)

    def kinds(self, context: Context) -> list[str]:
        return kinds_of_groups(context, list(self._names))

    def require_all_atoms(self, context: Context) -> None:
        require_whole_groups(context, list(self._names), self._counts)


class GroupToPoint:
    """d = (R − P)·n along a direction n, or |R − P| without one, of a group's center of mass R and a fixed point P.

    The force is external, like that of a wall: no atom has the reaction force, so there is no virial.
    """

    def __init__(self, context: Context, name: str, point: Vector, direction: Vector | None) -> None:
        check_not_empty(context, name, "group")
        self.label = f"group {name} point {words(point)}" + (f" direction {words(direction)}" if direction else "")
        self.names = [f"group {name}"]
        self.places: list[list[float]] = []
        self._name, self._point, self._given = name, point, direction is not None
        self._counts = [context.group_count(name)]
        self._n: Vector = (0.0, 0.0, 0.0)
        if direction is not None:
            length = math.hypot(*direction)
            if not (math.isfinite(length) and length > 0.0):
                raise HookError(f"direction {words(direction)}: expected three numbers, not all zero")
            self._n = (direction[0] / length, direction[1] / length, direction[2] / length)

    def measure(self, context: Context) -> float:
        self.places = [context.center_of_mass(self._name).tolist()]
        r, p = self.places[0], self._point
        n = self._n if self._given else None
        vector = nearest(context, (r[0] - p[0], r[1] - p[1], r[2] - p[2]), self.label, n)
        if n is not None:
            return dot(vector, n)
        d, self._n = along(vector, self.label)
        return d

    def push(self, context: Context, force: float) -> None:
        push_group(context, self._name, self._n, force)

    def virial(self, force: float) -> tuple[float, ...]:
        return (0.0, 0.0, 0.0, 0.0, 0.0, 0.0)

    def kinds(self, context: Context) -> list[str]:
        return kinds_of_groups(context, [self._name])

    def require_all_atoms(self, context: Context) -> None:
        require_whole_groups(context, [self._name], self._counts)


def dot(a: Vector, b: Vector) -> float:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def words(vector: Vector) -> str:
    return " ".join(f"{value:g}" for value in vector)


def pair_virial(vector: Vector, n: Vector, force: float) -> tuple[float, ...]:
    """Return the virial vector ⊗ force·n of a force between two bodies, as xx yy zz xy xz yz."""
    x, y, z = force * n[0], force * n[1], force * n[2]
    return (vector[0] * x, vector[1] * y, vector[2] * z, vector[0] * y, vector[0] * z, vector[1] * z)


def along(vector: Vector, label: str) -> tuple[float, Vector]:
    """Return the length and direction of a vector.

    Raises:
        HookError: the vector has no direction.
    """
    x, y, z = vector
    d = math.sqrt(x * x + y * y + z * z)
    if not d > 0.0:  # includes NaN
        raise HookError(f"{label}: their distance is {d:g}, so there is no direction to pull in; move them apart")
    return d, (x / d, y / d, z / d)


def nearest(context: Context, vector: Vector, label: str, n: Vector | None = None) -> Vector:
    """Return the nearest periodic image of a vector; with `n`, only images that differ along n count as different.

    Raises:
        HookError: another image is (almost) as near, so the distance would jump on a further increase.
    """
    x, y, z = context.minimum_image(vector).tolist()
    image = (x, y, z)
    box = context.box.tolist()
    for axis, periodic in enumerate(context.periodic):
        length = box[axis][axis]
        if not periodic or abs(image[axis]) < 0.5 * MARGIN * length:
            continue
        if n is None or abs(dot(box[axis], n)) > 1e-9 * length:
            d = math.sqrt(dot(image, image)) if n is None else dot(image, n)
            raise HookError(
                f"{label}: at a distance of {d:.6g} they are half the box apart along {'xyz'[axis]} (box length "
                f"{length:.6g}), where the nearest image changes; take a box longer than twice the longest distance, "
                f"or make {'xyz'[axis]} non-periodic"
            )
    return image


def check_not_empty(context: Context, name: str, option: str) -> None:
    if context.group_count(name) == 0:
        raise HookError(f"{option} {name}: there are no atoms in group {name}")


def push_group(context: Context, name: str, n: Vector, force: float) -> None:
    """Distribute a force on a center of mass over the group's atoms by mass, so that all accelerate equally."""
    index = np.flatnonzero(context.group_mask_of(name))
    mass = context.masses[context.type[index]]
    scale = force / context.group_mass(name)
    context.f[index] += (scale * mass)[:, None] * np.array(n)
