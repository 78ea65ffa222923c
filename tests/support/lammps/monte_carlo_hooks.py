"""Hooks for tests of Monte Carlo fixes: energies that LAMMPS's fixes also provide, and access to trial states."""

from __future__ import annotations

import numpy as np

from nnpal.hooks import Context


class TypeField:
    """E = slope Σ type_i x_i, as in `fix addforce` with an energy variable."""

    reads = ()

    def __init__(self, context: Context, slope: float) -> None:
        self.slope = slope
        self.energy = 0.0

    def pre_reverse(self, context: Context) -> None:
        context.f[:, 0] -= self.slope * context.type
        self.energy = context.comm.allreduce(self.slope * float(context.type @ context.x[:, 0]))


class LateTypeField(TypeField):
    """The same energy, computed in post_force."""

    def post_force(self, context: Context) -> None:
        super().pre_reverse(context)

    def pre_reverse(self, context: Context) -> None:
        pass


class Halved:
    """Half of the potential; a trial state must provide its energy."""

    reads = ("energy",)

    def __init__(self, context: Context) -> None:
        self.energy = 0.0

    def pre_reverse(self, context: Context) -> None:
        context.scale_forces(0.5)
        self.energy = -0.5 * context.potential_energy


class PerAtom:
    """E = e for each participating atom, equivalent to a shift of the chemical potential."""

    reads = ()

    def __init__(self, context: Context, e: float) -> None:
        self.e = e
        self.energy = 0.0

    def pre_reverse(self, context: Context) -> None:
        n = int(context.comm.allreduce(int(np.count_nonzero(~context.excluded))))
        assert n == context.n_atoms - context.n_excluded
        self.energy = self.e * n


class Clock:
    """Counter of calls: vector = [steps, trial states, ends of steps]; the energy is the number of trial states."""

    reads = ()

    def __init__(self, context: Context) -> None:
        self.counts = {"step": 0, "trial": 0, "end": 0}
        self.energy = 0.0
        self.vector = np.zeros(3)

    def pre_reverse(self, context: Context) -> None:
        self.counts["trial" if context.is_trial else "step"] += 1
        self.energy = 0.0

    def post_force(self, context: Context) -> None:
        self._show()

    def end_of_step(self, context: Context) -> None:
        assert not context.is_trial
        self.counts["end"] += 1
        self._show()

    def _show(self) -> None:
        self.vector[:] = list(self.counts.values())


class VirialInTrial:
    """Hook that requests the virial, which trial states do not have."""

    def __init__(self, context: Context) -> None:
        self.energy = 0.0

    def pre_reverse(self, context: Context) -> None:
        self.energy = float(context.virial[0])
