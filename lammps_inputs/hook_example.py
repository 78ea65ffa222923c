"""A custom hook: a spherical wall that confines a cluster or a droplet, and can be moved inward.

    fix wall all python/hook hook_example:SphericalWall radius 14 k 0.5 rate -0.2 end 11
    fix_modify wall energy yes virial yes

docs/hooks.md describes all methods and attributes.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nnpal.hooks import Context, HookError


class SphericalWall:
    """Push atoms of the group that are farther than R from a center back inside; R moves at a constant rate.

        E = k/2 Σ_i max(0, |r_i - c| - R)²

    E and its forces are continuous at the wall. The work of the moving wall, ∫ ∂E/∂R dR by the trapezoid
    rule, equals the increase of the total energy in NVE.

    Arguments:
        context: interface to LAMMPS of the hook contract.
        radius: initial R, distance.
        k: force constant of the wall, energy/distance².
        rate: velocity of R, distance/time; negative moves the wall inward.
        end: R at which the wall stops.
        center: center of the sphere, as fractions of the box vectors, so that it moves with the box.

    Attributes:
        energy: energy E of the wall.
        virial: virial of the wall, Σ f (r - c), xx yy zz xy xz yz.
        vector: R, number of atoms beyond R, pressure of the wall on the atoms, work done by the moving wall.
    """

    reads = ()  # neither energy nor virial of the potential, so LAMMPS need not compute them for this hook

    def __init__(
        self,
        context: Context,
        radius: float,
        k: float,
        rate: float = 0.0,
        end: float | None = None,
        center: tuple[float, float, float] = (0.5, 0.5, 0.5),
    ) -> None:
        for name, value in (("radius", radius), ("k", k)):
            if not value > 0.0:
                raise HookError(f"{name} {value:g}: expected a number greater than 0")
        if end is not None and not (rate != 0.0 and end > 0.0 and (end - radius) * rate >= 0.0):
            raise HookError(f"end {end:g}: a wall at {radius:g} that moves at {rate:g} never comes there")
        self.k, self.rate, self.end = k, rate, end
        self.center = np.array(center)
        self.radius = radius
        self.work = 0.0
        self._slope = 0.0  # ∂E/∂R at the latest evaluation
        self._step = -1

        self.energy = 0.0
        self.virial = np.zeros(6)
        self.vector = np.zeros(4)

    def setup(self, context: Context) -> None:
        widths = 1.0 / np.linalg.norm(np.linalg.inv(context.box), axis=0)  # between opposite faces of the box
        periodic = widths[np.array(context.periodic)]
        if periodic.size and self.radius >= periodic.min() / 2:
            raise HookError(f"radius {self.radius:g}: in this periodic box it must be less than {periodic.min() / 2:g}")
        self._step = context.step  # the next evaluation repeats this step: the wall does not move

    def pre_reverse(self, context: Context) -> None:
        moved = 0.0
        if not context.is_trial:  # the wall moves with timesteps only
            if context.step > self._step and not context.minimizing:
                moved = self._move(context.dt)
            self._step = context.step

        distances, vectors, is_outside = self._beyond(context)
        stretch = distances - self.radius
        forces = (-self.k * stretch / distances)[:, None] * vectors
        context.f[is_outside] += forces

        sums = np.empty(9)  # of this rank, then of all ranks
        sums[0] = 0.5 * self.k * stretch @ stretch
        sums[1] = self.k * stretch.sum()
        sums[2] = len(stretch)
        sums[3:] = [forces[:, a] @ vectors[:, b] for a, b in ((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2))]
        if context.comm.size > 1:
            sums = context.comm.allreduce(sums)

        self.energy = float(sums[0])
        if context.is_trial:
            return

        slope = -sums[1]
        self.work += 0.5 * (self._slope + slope) * moved
        self._slope = slope
        self.virial[:] = sums[3:]
        pressure = sums[1] / (4.0 * np.pi * self.radius**2) * context.nktv2p
        self.vector[:] = (self.radius, sums[2], pressure, self.work)

    def state_dict(self) -> dict[str, Any]:
        return {"radius": self.radius, "work": self.work}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.radius, self.work = state["radius"], state["work"]

    def _move(self, dt: float) -> float:
        """Move the wall by one step; return the change of R."""
        before, self.radius = self.radius, self.radius + self.rate * dt
        if self.end is not None and (self.radius - self.end) * self.rate > 0.0:
            self.radius = self.end
        return self.radius - before

    def _beyond(self, context: Context) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return distances [n] and vectors [n, 3] from the center of the group's atoms beyond R, and their mask."""
        box = context.box
        fractions = (context.x - context.origin) @ np.linalg.inv(box) - self.center
        fractions -= np.where(context.periodic, np.round(fractions), 0.0)
        vectors = fractions @ box
        distances = np.linalg.norm(vectors, axis=1)
        is_outside = (distances > self.radius) & context.group_mask
        return distances[is_outside], vectors[is_outside], is_outside
