"""Hooks with invalid outputs at one step, on one rank or on all."""

from __future__ import annotations

import numpy as np

from nnpal.hooks import Context

NAN = float("nan")


class Bad:
    """Hook with an invalid output of the given `kind`."""

    reads = ()

    def __init__(self, context: Context, kind: str, step: int = 2, rank: int = -1) -> None:
        self.kind, self.step, self.rank = kind, step, rank
        self.energy = 0.0
        self.virial = np.zeros(6)
        self.vector = np.zeros(2)
        if kind == "measured seldom":
            self.vector[1] = NAN

    def pre_reverse(self, context: Context) -> None:
        if context.step != self.step or self.rank not in (-1, context.comm.rank):
            return
        match self.kind:
            case "nan energy":
                self.energy = NAN
            case "infinite energy":
                self.energy = np.float64("inf")
            case "energies of atoms":
                self.energy = np.zeros(3)
            case "no energy":
                self.energy = None
            case "long energy":
                self.energy = "three eV " * 20
            case "another energy":
                self.energy = 1.5
            case "another vector":
                self.vector[1] = -2.5
            case "another virial":
                self.virial[4] = 1e-3
            case "nan virial":
                self.virial[3] = NAN
            case "virial as a matrix":
                self.virial = np.zeros((3, 3))
            case "virial in words":
                self.virial = ["xx", "yy"]
            case "vector as a matrix":
                self.vector = np.zeros((2, 1))
            case "longer vector":
                self.vector = np.zeros(3)
            case "longer tuple":
                self.vector = (0.0, 0.0, 0.0)
            case "tuple with words":
                self.vector = (0.0, "x")
            case "nan in a tuple":
                self.virial = (0.0, NAN, 0.0, 0.0, 0.0, 0.0)
            case "nan vector":
                self.vector[1] = NAN
            case "nan force":
                context.add_force(5, (0.0, NAN, 1.0))
            case "rounding":
                self.energy = 1e-13
            case "measured seldom":
                self.vector[1] = NAN if self.vector[1] == self.vector[1] else 3.0


class InfiniteTrial:
    """Hook with an infinite energy in a trial state on one rank: LAMMPS would accept the move only there."""

    reads = ()

    def __init__(self, context: Context) -> None:
        self.energy = 0.0
        self.vector = np.zeros(1)

    def pre_reverse(self, context: Context) -> None:
        self.energy = np.inf if context.is_trial and context.comm.rank == 1 else 0.0


class OtherLength:
    """Hook with vectors of different lengths on the ranks."""

    def __init__(self, context: Context) -> None:
        self.vector = np.zeros(1 + context.comm.rank)

    def end_of_step(self, context: Context) -> None: ...


class BadFromTheStart:
    """Hook with outputs of another shape when it is created, or when a restart file is read."""

    def __init__(self, context: Context, kind: str) -> None:
        self.energy, self.vector, self.kind = 0.0, np.zeros(1), kind
        match kind:
            case "no vector":
                self.vector = None
            case "energies":
                self.energy = np.zeros(2)
            case "reads":
                self.reads = 3

    def end_of_step(self, context: Context) -> None: ...

    def state_dict(self) -> dict[str, int]:
        return {"step": 1}

    def load_state_dict(self, state: dict[str, int]) -> None:
        if self.kind == "restart":
            self.vector = np.zeros(4)
