"""What a hook sees of LAMMPS. Under `fix python/hook` the object is compiled; this protocol says what it has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Vector = tuple[float, float, float]
Separation = tuple[Vector, float, Vector, Vector]


class Context(Protocol):
    """LAMMPS at one moment of a step. Quantities are in the units of the script.

    Arrays of atoms are views of LAMMPS's own memory, this rank's atoms only, in an order that changes when atoms
    migrate: use them in the call that hands them over, and keep none.
    """

    @property
    def x(self) -> NDArray[np.float64]:
        """Positions, wrapped into the box but for what they moved since the last rebuild, [n_local, 3]."""

    @property
    def v(self) -> NDArray[np.float64]:
        """Velocities, [n_local, 3]; at the half step in `pre_reverse` and `post_force` of a dynamics run."""

    @property
    def f(self) -> NDArray[np.float64]:
        """Forces, [n_local, 3]; in `pre_reverse` still without what other ranks' ghosts will add."""

    @property
    def tag(self) -> NDArray[np.int32] | NDArray[np.int64]:
        """Atom IDs, [n_local]; of 64 bits in a LAMMPS compiled with ``LAMMPS_SIZES=bigbig``."""

    @property
    def type(self) -> NDArray[np.int32]:
        """Atom types from 1, [n_local]."""

    @property
    def mask(self) -> NDArray[np.int32]:
        """Group bits, [n_local]."""

    @property
    def masses(self) -> NDArray[np.float64]:
        """Mass of each type, [n_types + 1], the first unused."""

    @property
    def group_bit(self) -> int:
        """Bit of the fix's group in `mask`."""

    @property
    def group_mask(self) -> NDArray[np.bool_]:
        """Whether each atom is in the fix's group, [n_local]."""

    @property
    def excluded(self) -> NDArray[np.bool_]:
        """Whether each atom is excluded from all others, [n_local]: by `neigh_modify exclude group ID all`, or because
        a Monte Carlo fix tries to delete it. Such atoms contribute nothing."""

    @property
    def n_excluded(self) -> int:
        """Excluded atoms of all ranks (collective)."""

    @property
    def n_local(self) -> int:
        """Atoms that this rank owns."""

    @property
    def n_atoms(self) -> int:
        """Atoms of all ranks."""

    @property
    def n_group(self) -> int:
        """Atoms of all ranks in the fix's group (collective)."""

    @property
    def box(self) -> NDArray[np.float64]:
        """Box vectors a, b, c as rows, lower triangular, [3, 3]."""

    @property
    def origin(self) -> NDArray[np.float64]:
        """Lower corner of the box, [3]."""

    @property
    def periodic(self) -> tuple[bool, bool, bool]:
        """Whether the box repeats along a, b, c."""

    @property
    def volume(self) -> float:
        """Volume of the box."""

    @property
    def box_changes(self) -> bool:
        """Whether some fix changes the box (a barostat, fix deform); shrink-wrapping does not count."""

    @property
    def step(self) -> int:
        """LAMMPS's step number."""

    @property
    def time(self) -> float:
        """Simulated time at this step, as the thermo keyword `time` gives it, also where the time step has changed."""

    @property
    def dt(self) -> float:
        """Time step."""

    @property
    def minimizing(self) -> bool:
        """True in `minimize`, false in `run`."""

    @property
    def is_trial(self) -> bool:
        """True where a Monte Carlo fix evaluates a trial state within a step. Set `energy` for the state at hand, and
        advance nothing: the step's own evaluation follows."""

    @property
    def fix_styles(self) -> list[str]:
        """Styles of all fixes of the script, in its order."""

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
        """Pair, bonded and kspace energy of this force evaluation, all ranks, with that of the `pre_reverse` of
        python/hook fixes defined earlier. Other fixes' energies are not in it."""

    @property
    def virial(self) -> NDArray[np.float64]:
        """Virial that belongs to `potential_energy`, Σ r f, [6]: xx yy zz xy xz yz, energy units."""

    @property
    def comm(self) -> Any:
        """mpi4py communicator of the ranks of this LAMMPS."""

    @property
    def universe_comm(self) -> Any:
        """mpi4py communicator of the ranks of all partitions."""

    @property
    def partition(self) -> int:
        """Which partition this is, from 0."""

    @property
    def n_partitions(self) -> int:
        """How many partitions there are; 1 without `-partition`."""

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
        """Whether anybody reads this hook's virial: LAMMPS (`virial_yes`), or a python/hook fix defined later."""

    def scale_forces(self, factor: float) -> None:
        """Multiply the forces of the potential, ghosts' included; in `pre_reverse` alone.

        Arguments:
            factor: of all forces.
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
            HookError: no atom has such an ID, or it is excluded from all others.
        """

    def separation(self, first: int, second: int) -> Separation:
        """Return how two atoms lie to each other, on every rank (collective).

        Arguments:
            first: atom ID.
            second: atom ID.

        Returns:
            The vector from the first to the nearest periodic image of the second; the largest share that one of its
            components has of a periodic box length (at 0.5 another image becomes the nearest); both positions.

        Raises:
            HookError: as of :meth:`positions_of`.
        """

    def add_force(self, tag: int, force: Sequence[float] | NDArray[np.float64]) -> None:
        """Add to the force of one atom, on the rank that owns it; elsewhere nothing happens.

        Arguments:
            tag: atom ID.
            force: in the units of the script, [3].
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
        """Return how many atoms a group has (collective).

        Arguments:
            group: name of a group of the script.
        """

    def minimum_image(self, vector: Sequence[float] | NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the shortest periodic image of a distance vector, [3].

        Arguments:
            vector: [3].
        """

    def log(self, text: str) -> None:
        """Write a line to the screen and to LAMMPS's log file, once.

        Arguments:
            text: one line.
        """

    def write_restart(self, path: str) -> None:
        """Have LAMMPS write a restart file now (collective).

        Arguments:
            path: of the file; the same on all ranks.
        """
