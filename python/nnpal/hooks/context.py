"""The interface of hooks to LAMMPS, as a protocol; under `fix python/hook` the object is compiled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Vector = tuple[float, float, float]
Separation = tuple[Vector, float, Vector, Vector]


class Context(Protocol):
    """The state of LAMMPS at one moment of a step, in the units of the script.

    Per-atom arrays are views of LAMMPS's memory, for this rank's atoms only, in an order that changes when atoms
    migrate: use them within the call in which you get them, and do not keep them.
    """

    @property
    def x(self) -> NDArray[np.float64]:
        """Positions, wrapped into the box at the last neighbor-list rebuild, [n_local, 3]."""

    @property
    def v(self) -> NDArray[np.float64]:
        """Velocities, [n_local, 3]; at the half step in `pre_reverse` and `post_force` of a dynamics run."""

    @property
    def f(self) -> NDArray[np.float64]:
        """Forces, [n_local, 3]; in `pre_reverse` still without contributions from other ranks' ghost atoms."""

    @property
    def tag(self) -> NDArray[np.int32] | NDArray[np.int64]:
        """Atom IDs, [n_local]; 64-bit in a LAMMPS compiled with ``LAMMPS_SIZES=bigbig``."""

    @property
    def type(self) -> NDArray[np.int32]:
        """Atom types from 1, [n_local]."""

    @property
    def mask(self) -> NDArray[np.int32]:
        """Group bits, [n_local]."""

    @property
    def masses(self) -> NDArray[np.float64]:
        """Mass of each type, [n_types + 1]; the first entry is unused."""

    @property
    def group_bit(self) -> int:
        """Bit of the fix's group in `mask`."""

    @property
    def group_mask(self) -> NDArray[np.bool_]:
        """Whether each atom is in the fix's group, [n_local]."""

    @property
    def excluded(self) -> NDArray[np.bool_]:
        """Whether each atom's interactions are all excluded, [n_local]: by `neigh_modify exclude group ID all`, or
        because a Monte Carlo fix tries to delete it. Such atoms contribute nothing."""

    @property
    def n_excluded(self) -> int:
        """Number of excluded atoms on all ranks (collective)."""

    @property
    def n_local(self) -> int:
        """Number of atoms that this rank owns."""

    @property
    def n_atoms(self) -> int:
        """Number of atoms on all ranks."""

    @property
    def n_group(self) -> int:
        """Number of atoms in the fix's group on all ranks (collective)."""

    @property
    def box(self) -> NDArray[np.float64]:
        """Box vectors a, b, c as rows, lower triangular, [3, 3]."""

    @property
    def origin(self) -> NDArray[np.float64]:
        """Lower corner of the box, [3]."""

    @property
    def periodic(self) -> tuple[bool, bool, bool]:
        """Whether the box is periodic along a, b, c."""

    @property
    def volume(self) -> float:
        """Volume of the box."""

    @property
    def box_changes(self) -> bool:
        """Whether a fix changes the box (a barostat, fix deform); shrink-wrapping does not count."""

    @property
    def step(self) -> int:
        """LAMMPS's step number."""

    @property
    def time(self) -> float:
        """Simulated time at this step, like the thermo keyword `time`, also after changes of the time step."""

    @property
    def dt(self) -> float:
        """Time step."""

    @property
    def minimizing(self) -> bool:
        """True in `minimize`, false in `run`."""

    @property
    def is_trial(self) -> bool:
        """Whether a Monte Carlo fix is evaluating a trial state within a step. Then set `energy` for this state, but
        advance nothing: the evaluation of the step itself follows."""

    @property
    def fix_styles(self) -> list[str]:
        """Styles of all fixes of the script, in this order."""

    @property
    def units(self) -> str:
        """Unit style of the script: metal, real, lj..."""

    @property
    def boltz(self) -> float:
        """Boltzmann's constant: kT = boltz T."""

    @property
    def nktv2p(self) -> float:
        """Energy = pressure volume / nktv2p."""

    @property
    def ftm2v(self) -> float:
        """Velocity = force time / mass ftm2v."""

    @property
    def mvv2e(self) -> float:
        """Energy = mass velocity² mvv2e."""

    @property
    def qqr2e(self) -> float:
        """Energy = charge² / distance qqr2e."""

    @property
    def potential_energy(self) -> float:
        """Pair, bonded and kspace energy of this force evaluation on all ranks, including the `pre_reverse` of
        python/hook fixes defined earlier, but no other fixes."""

    @property
    def virial(self) -> NDArray[np.float64]:
        """Virial of `potential_energy`, Σ r f, [6]: xx yy zz xy xz yz, energy units."""

    @property
    def comm(self) -> Any:
        """mpi4py communicator of the ranks of this LAMMPS."""

    @property
    def universe_comm(self) -> Any:
        """mpi4py communicator of the ranks of all partitions."""

    @property
    def partition(self) -> int:
        """Index of this partition, from 0."""

    @property
    def n_partitions(self) -> int:
        """Number of partitions; 1 without `-partition`."""

    @property
    def fix_id(self) -> str:
        """ID of the fix."""

    @property
    def group(self) -> str:
        """Name of the fix's group."""

    @property
    def energy_yes(self) -> bool:
        """Whether `fix_modify ID energy yes` was given."""

    @property
    def virial_yes(self) -> bool:
        """Whether `fix_modify ID virial yes` was given."""

    @property
    def virial_used(self) -> bool:
        """Whether this hook's virial is used, by LAMMPS (`virial_yes`) or a python/hook fix defined later."""

    def scale_forces(self, factor: float) -> None:
        """Multiply the forces of the potential, including those on ghost atoms; only in `pre_reverse`.

        Arguments:
            factor: factor for all forces.
        """

    def group_mask_of(self, group: str) -> NDArray[np.bool_]:
        """Return whether each atom is in a group, [n_local].

        Arguments:
            group: name of a group of the script.
        """

    def positions_of(self, tags: Sequence[int]) -> NDArray[np.float64]:
        """Return the positions of these atoms on every rank, [n, 3] (collective).

        Arguments:
            tags: atom IDs, [n].

        Raises:
            HookError: no atom has such an ID, or all interactions of the atom are excluded.
        """

    def separation(self, first: int, second: int) -> Separation:
        """Return the separation of two atoms on every rank (collective).

        Arguments:
            first: ID of the first atom.
            second: ID of the second atom.

        Returns:
            The vector from the first atom to the nearest periodic image of the second; the largest ratio of a component
            to the periodic box length (at 0.5 another image becomes the nearest); both positions.

        Raises:
            HookError: see :meth:`positions_of`.
        """

    def add_force(self, tag: int, force: Sequence[float] | NDArray[np.float64]) -> None:
        """Add to the force of one atom on the rank that owns it; on other ranks do nothing.

        Arguments:
            tag: atom ID.
            force: force to add, in the units of the script, [3].
        """

    def center_of_mass(self, group: str) -> NDArray[np.float64]:
        """Return a group's center of mass, unwrapped, [3] (collective).

        Arguments:
            group: name of a group of the script.
        """

    def group_mass(self, group: str) -> float:
        """Return a group's mass (collective).

        Arguments:
            group: name of a group of the script.
        """

    def group_count(self, group: str) -> int:
        """Return the number of atoms in a group (collective).

        Arguments:
            group: name of a group of the script.
        """

    def minimum_image(self, vector: Sequence[float] | NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the shortest periodic image of a distance vector, [3].

        Arguments:
            vector: distance vector, [3].
        """

    def log(self, text: str) -> None:
        """Write a line to the screen and to LAMMPS's log file, once.

        Arguments:
            text: one line.
        """

    def write_restart(self, path: str) -> None:
        """Let LAMMPS write a restart file now (collective).

        Arguments:
            path: path of the file, the same on all ranks.
        """
