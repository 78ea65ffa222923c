"""Hooks for the tests of `fix python/hook`, one for each feature."""

from __future__ import annotations

import threading
import time

import numpy as np

from nnpal.hooks import Context, HookError

MADE: list[object] = []


class Potential:
    """Hook that passes on energy and virial of the potential, vector = [U, W (6)], and records them at every step."""

    def __init__(self, context: Context, file: str | None = None) -> None:
        self.vector = np.zeros(7)
        self.file = file

    def pre_reverse(self, context: Context) -> None:
        self.vector[0] = context.potential_energy
        self.vector[1:] = context.virial

    def end_of_step(self, context: Context) -> None:
        if self.file and context.comm.rank == 0:
            with open(self.file, "a") as file:
                print(context.step, *(f"{value:.17g}" for value in self.vector), file=file)


class PotentialAtTheEnd:
    """Hook that reads energy and virial at the end of a step and takes no part in evaluations."""

    def __init__(self, context: Context) -> None:
        self.vector = np.zeros(7)

    def end_of_step(self, context: Context) -> None:
        assert not context.is_trial
        self.vector = np.array([context.potential_energy, *context.virial])


class Tether:
    """Harmonic restraint of each atom to the plane z = z0: E = k/2 Σ (z - z0)²; forces, energy, virial."""

    def __init__(self, context: Context, k: float, z0: float) -> None:
        self.k, self.z0 = k, z0
        self.energy = 0.0
        self.virial = np.zeros(6)
        self.vector = np.zeros(2)

    def pre_reverse(self, context: Context) -> None:
        stretch = context.x[:, 2] - self.z0
        force = -self.k * stretch
        context.f[:, 2] += force
        self.energy = context.comm.allreduce(0.5 * self.k * float(stretch @ stretch))
        self.virial[2] = context.comm.allreduce(float(force @ context.x[:, 2]))
        self.vector[:] = context.potential_energy, context.step


class Pressure:
    """External pressure as an energy with its virial: E = P V / nktv2p."""

    def __init__(self, context: Context, pressure: float) -> None:
        self.pressure = pressure
        self.energy = 0.0
        self.virial = np.zeros(6)

    def pre_reverse(self, context: Context) -> None:
        self.energy = self.pressure * context.volume / context.nktv2p
        self.virial[:3] = -self.energy


SEQUENCES = {
    "tuple": tuple,
    "mixed tuple": lambda values: (np.float64(values[0]), int(values[1]), *values[2:]),
    "list": list,
    "array": np.array,
}


class Sequences:
    """Hook with virial and vector as sequences of one kind."""

    reads = ()

    def __init__(self, context: Context, kind: str) -> None:
        self.kind = SEQUENCES[kind]
        self.virial = self.kind([0.0] * 6)
        self.vector = self.kind([0.0] * 3)

    def pre_reverse(self, context: Context) -> None:
        step = float(context.step)
        self.virial = self.kind([1.5, 2.0, 3.5, 4.5, 5.5, step])
        self.vector = self.kind([0.5 * step, 7.0, 0.25])


class Scale:
    """Hook that multiplies the potential by a factor."""

    def __init__(self, context: Context, factor: float) -> None:
        self.factor = factor
        self.energy = 0.0

    def pre_reverse(self, context: Context) -> None:
        context.scale_forces(self.factor)
        self.energy = (self.factor - 1) * context.potential_energy


class ScaleTooLate:
    def post_force(self, context: Context) -> None:
        context.scale_forces(2.0)


class Calls:
    """Hook that records every call."""

    def __init__(self, context: Context, name: str = "calls") -> None:
        self.name = name
        self._note("init")

    def _note(self, what: str) -> None:
        with open(f"{self.name}.txt", "a") as file:
            print(what, file=file)

    def setup(self, context: Context) -> None:
        self._note(f"setup {context.step}")

    def pre_reverse(self, context: Context) -> None:
        self._note(f"pre_reverse {context.step}")

    def post_force(self, context: Context) -> None:
        self._note(f"post_force {context.step}")

    def end_of_step(self, context: Context) -> None:
        self._note(f"end_of_step {context.step}")

    def post_run(self, context: Context) -> None:
        self._note(f"post_run {context.step}")

    def close(self) -> None:
        self._note("close")


class Counter:
    """Hook that counts steps and stores the count and an array in restart files."""

    def __init__(self, context: Context, fill: float = 0.0) -> None:
        MADE.append(self)
        self.n_steps = 0
        self.table = np.full((2, 3), fill)
        self.note = "début"
        self.vector = np.zeros(2)

    def end_of_step(self, context: Context) -> None:
        self.n_steps += 1
        self.vector[:] = self.n_steps, self.table.sum()

    def state_dict(self) -> dict[str, object]:
        return {"n_steps": self.n_steps, "table": self.table, "nested": {"note": self.note, "none": [None, True]}}

    def load_state_dict(self, state: dict) -> None:
        assert state["nested"] == {"note": "début", "none": [None, True]}
        self.n_steps = state["n_steps"]
        self.table = state["table"]
        self.vector[:] = self.n_steps, self.table.sum()


class Other(Counter):
    """The same state under another name."""


class Facts:
    """Hook whose vector contains values of the context for a test to compare."""

    def __init__(self, context: Context) -> None:
        self.vector = np.zeros(16)

    def end_of_step(self, context: Context) -> None:
        comm = context.comm
        here = np.array([context.n_local, context.group_mask.sum(), context.group_mask_of("half").sum()], dtype=float)
        sums = comm.allreduce(here)
        momentum = comm.allreduce(context.masses[context.type] @ context.v)
        first, last = context.positions_of([1, context.n_atoms])
        vector = context.minimum_image(last - first)
        found, share, *places = context.separation(1, context.n_atoms)
        np.testing.assert_allclose(found, vector, atol=1e-12)
        np.testing.assert_allclose(places, [first, last], atol=1e-12)
        lengths, periodic = np.diag(context.box), np.array(context.periodic)
        np.testing.assert_allclose(share, (np.abs(vector) / lengths)[periodic].max(initial=0.0), atol=1e-12)
        self.vector[:] = [
            *sums,
            context.n_atoms,
            context.n_group,
            comm.size,
            *context.center_of_mass("half"),
            context.group_mass("half"),
            context.group_count("half"),
            np.linalg.norm(vector),
            *momentum,
            context.partition * 10 + context.n_partitions,
        ]


class PushOne:
    """Hook that applies a force to one atom, on the rank that owns it."""

    def __init__(self, context: Context, atom: int, force: tuple[float, float, float]) -> None:
        self.atom, self.force = atom, force

    def post_force(self, context: Context) -> None:
        context.add_force(self.atom, self.force)


class Fails:
    """Hook that raises on one rank (or all) at one step, before or after the others wait for it."""

    def __init__(self, context: Context, step: int, rank: int = -1, kind: str = "plain") -> None:
        self.step, self.rank, self.kind = step, rank, kind

    def end_of_step(self, context: Context) -> None:
        if context.step != self.step:
            return
        if self.rank in (-1, context.comm.rank):
            if self.kind == "user":
                raise HookError("the widget is too big: 7; expected at most 5")
            raise RuntimeError("a {brace} went wrong")
        if self.kind == "waits":
            context.comm.barrier()


class GrowingVector:
    def __init__(self, context: Context) -> None:
        self.vector = np.zeros(2)

    def end_of_step(self, context: Context) -> None:
        self.vector = np.zeros(3)


class Background:
    """Hook that counts in a thread while LAMMPS runs; vector = [count at the start of the run, at the latest step]."""

    def __init__(self, context: Context) -> None:
        self.vector = np.zeros(2)
        self.count = 0
        self.stop = False
        threading.Thread(target=self._work, daemon=True).start()

    def _work(self) -> None:
        while not self.stop:
            self.count += 1
            time.sleep(1e-4)

    def setup(self, context: Context) -> None:
        self.vector[0] = self.count

    def end_of_step(self, context: Context) -> None:
        self.vector[1] = self.count

    def close(self) -> None:
        self.stop = True


class NoMethods:
    pass


class HalfAState:
    def end_of_step(self, context: Context) -> None: ...
    def state_dict(self) -> dict[str, object]:
        return {}
