"""The hook: `fix ID group python/hook nnpal.smd:SMD atoms 1 4 k 20 rate 1.0`."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nnpal.hooks import Context, HookError
from nnpal.smd.distance import AtomPair, Distance, GroupPair, GroupToPoint, Vector
from nnpal.smd.identity import Pulled, require_same_atoms
from nnpal.smd.steering import ConstantForce, MovingSpring, Steering
from nnpal.smd.trace import TraceFile


class SMD:
    """Hook that pulls a distance d by a spring with a moving end, or by a constant force.

        U = ½ k (d − λ)²,  λ(t) = λ0 + rate·t        or        U = −F d

    Arguments:
        context: access to LAMMPS.
        atoms: IDs of the two pulled atoms.
        groups: names of two groups; d is the distance between their centers of mass.
        group: name of one group, whose center of mass is pulled relative to `point`.
        point: coordinates x y z of the fixed point.
        direction: vector along which d is measured; None: d is the distance from the point.
        k: spring constant, energy/distance².
        rate: velocity of λ, distance/time; negative values push together, 0 keeps λ fixed.
        start: λ0; by default d at the first evaluation.
        force: constant force, energy/distance, instead of `k` and `rate`; positive values increase d.
        file: name of the output file, with a row at every `every`-th step.
        every: number of steps between rows.

    Attributes:
        energy: bias energy U, energy units.
        virial: virial of the spring, xx yy zz xy xz yz; zero with a point, because its force is external.
        vector: d, λ, spring force k (λ − d), work ∫ F dλ.

    Raises:
        nnpal.hooks.HookError: options are incompatible, atoms or groups cannot be pulled, or d is half the box.
    """

    reads = ()  # needs neither energy nor virial of the potential

    def __init__(
        self,
        context: Context,
        *,
        atoms: tuple[int, int] | None = None,
        groups: tuple[str, str] | None = None,
        group: str | None = None,
        point: tuple[float, float, float] | None = None,
        direction: tuple[float, float, float] | None = None,
        k: float | None = None,
        rate: float | None = None,
        start: float | None = None,
        force: float | None = None,
        file: str | None = None,
        every: int = 100,
    ) -> None:
        self._steering = choose_steering(k, rate, start, force)
        self._distance = choose_distance(context, atoms, groups, group, point, direction)
        if every < 1:
            raise HookError(f"every {every}: expected a number of steps of 1 or more")
        self._every = every
        self._n_steps = 0  # number of dynamics steps in all runs
        self._seen = -1  # LAMMPS step at the last evaluation; -1 before the first one of a run
        self._context = context
        self._left: Pulled | None = None  # state at the end of the last run
        self._is_running = False
        facts = {"units": context.units, "boltz": context.boltz, "pulled": self._distance.label}
        facts |= {"force": force} if force is not None else {"k": k, "rate": rate}
        self._trace = TraceFile(file, facts, writes=context.comm.rank == 0, log=context.log) if file else None
        if self._trace:
            self.end_of_step = self._write_row  # without a file the fix calls nothing there

        # tuples, because filling a small array takes longer than computing the pull
        self.energy = 0.0
        self.virial: tuple[float, ...] = (0.0,) * 6
        self.vector: tuple[float, ...] = (0.0,) * 4

    def setup(self, context: Context) -> None:
        """Check the pull against the script, and open its file."""
        self._seen = -1
        if "hmc" in context.fix_styles and getattr(self._steering, "rate", 0.0) != 0.0:
            raise HookError(
                "fix hmc rejects whole trajectories, and λ would advance with the rejected ones too; give rate 0, "
                "or remove fix hmc"
            )
        if self._left is not None:
            d = self._distance.measure(context)
            require_same_atoms(context, self._left, self._pulled(context, d))

    def pre_reverse(self, context: Context) -> None:
        """Add the spring's forces and virial, and advance λ and the work."""
        if context.is_trial:
            self._distance.require_all_atoms(context)
            self.energy = self._steering.energy_at(self._distance.measure(context))
            return
        self._is_running = True
        step = context.step
        first_of_run = self._seen < 0
        if not first_of_run and step > self._seen and not context.minimizing:
            self._steering.advance(context.dt)
            self._n_steps += 1
        self._seen = step

        d = self._distance.measure(context)
        steering = self._steering
        steering.begin(d)
        steering.evaluate(d)
        self._distance.push(context, steering.force)

        self.energy = steering.energy
        self.virial = self._distance.virial(steering.force)
        self.vector = (d, steering.target, steering.force, steering.work)
        if first_of_run and self._trace and self._trace.n_rows == 0 and not context.minimizing:
            self._trace.write(context.time, step, self.vector)

    def _write_row(self, context: Context) -> None:
        """Write a row of the file at every `every`-th step."""
        if self._trace and self._n_steps % self._every == 0:
            self._trace.write(context.time, context.step, self.vector)

    def post_run(self, context: Context) -> None:
        """Write buffered rows at the end of a run."""
        self._left = self._pulled(context, self.vector[0])
        self._is_running = False
        if self._trace:
            self._trace.flush()

    def _pulled(self, context: Context, d: float) -> Pulled:
        """Return the pulled atoms or groups at the last measurement of d (collective)."""
        distance = self._distance
        return Pulled(distance.names, distance.kinds(context), np.array(distance.places), d)

    def close(self) -> None:
        """Close the file of the pull."""
        if self._trace:
            self._trace.close()

    def state_dict(self) -> dict[str, Any]:
        """Return the state of the pull for a restart file."""
        state: dict[str, Any] = {"pulled": self._distance.label, "n_steps": self._n_steps}
        state["kind"] = type(self._steering).__name__
        state["steering"] = self._steering.state()
        state["trace"] = self._trace.state() if self._trace else None
        left = self._pulled(self._context, self.vector[0]) if self._is_running else self._left
        state["left"] = left.state() if left is not None else None
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Resume a pull from a restart file.

        Arguments:
            state: result of :meth:`state_dict`.

        Raises:
            HookError: the state is for other atoms, or for another kind of steering.
        """
        kind = type(self._steering).__name__
        for name, found, expected in (("pulled", self._distance.label, state["pulled"]), ("by", kind, state["kind"])):
            if found != expected:
                raise HookError(
                    f"{name} {found}, but the restart file holds a pull of {state['pulled']} by {state['kind']}; give "
                    "the options of that run, or another fix ID to start a new pull"
                )
        self._n_steps = state["n_steps"]
        if state.get("left") is not None:  # missing in files of earlier versions
            self._left = Pulled(**state["left"])
        self._steering.load(state["steering"])
        if self._trace and state["trace"]:
            self._trace.load(state["trace"])


def choose_steering(k: float | None, rate: float | None, start: float | None, force: float | None) -> Steering:
    """Return the moving spring or the constant force for the options."""
    for name, value in (("k", k), ("rate", rate), ("start", start), ("force", force)):
        if value is not None and not math.isfinite(value):
            raise HookError(f"{name} {value}: expected a finite number")
    if force is not None:
        for name, value in (("k", k), ("rate", rate), ("start", start)):
            if value is not None:
                raise HookError(f"{name} {value:g} with force {force:g}: give k and rate, or force only")
        return ConstantForce(force)
    if k is None or rate is None:
        raise HookError("give k and rate (a spring that moves), or force (a constant force)")
    if k <= 0.0:
        raise HookError(f"k {k:g}: expected a spring constant greater than 0")
    return MovingSpring(k, rate, start)


def choose_distance(
    context: Context,
    atoms: tuple[int, int] | None,
    groups: tuple[str, str] | None,
    group: str | None,
    point: Vector | None,
    direction: Vector | None,
) -> Distance:
    """Return the distance for the options."""
    given = [name for name, value in (("atoms", atoms), ("groups", groups), ("group", group)) if value is not None]
    if len(given) != 1:
        raise HookError(
            f"found {' and '.join(given) or 'nothing to pull'}; give one of: atoms I J, groups A B, group A point X Y Z"
        )
    if group is None and (point is not None or direction is not None):
        raise HookError(f"point and direction are for group, not for {given[0]}")
    if atoms is not None:
        return AtomPair(context, atoms)
    if groups is not None:
        return GroupPair(context, groups)
    if group is None or point is None:
        raise HookError(f"group {group}: it is pulled relative to a point; give point X Y Z")
    for name, vector in (("point", point), ("direction", direction)):
        if vector is not None and not all(map(math.isfinite, vector)):
            raise HookError(f"{name} {' '.join(f'{x:g}' for x in vector)}: expected three finite numbers")
    return GroupToPoint(context, group, point, direction)
