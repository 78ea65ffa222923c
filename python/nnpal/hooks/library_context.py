"""The context of hooks on top of LAMMPS's own Python module, for `fix python/invoke`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnpal.hooks.context import Separation, Vector
from nnpal.hooks.error import HookError

ENERGY_COMPUTE, VIRIAL_COMPUTE = "hook_energy", "hook_virial"
_TALLY = f"""
    compute {ENERGY_COMPUTE} all pe pair bond angle dihedral improper kspace
    compute {VIRIAL_COMPUTE} all pressure NULL pair bond angle dihedral improper kspace
    fix     hook_tally all ave/time 1 1 1 c_{ENERGY_COMPUTE} c_{VIRIAL_COMPUTE}[1]"""
# from lammps.constants, the same in older and newer modules
_GLOBAL, _SCALAR, _VECTOR = 0, 0, 1


class LibraryContext:
    """`nnpal.hooks.Context`, as far as LAMMPS's library interface allows.

    Arguments:
        lmp: `lammps.lammps` object made from the pointer that the callback got.
        group: name of the group that the hook acts on.
        fix_id: ID of the fix python/invoke, for hooks that scale the forces.

    Raises:
        HookError: a quantity is not available from the interface.
    """

    def __init__(self, lmp: Any, group: str, fix_id: str | None) -> None:
        self._lmp = lmp
        self.group = group
        self.fix_id = fix_id or group
        self._has_fix_id = fix_id is not None
        self.comm = lmp.get_mpi_comm()
        if self.comm is None:
            raise HookError("fix python/invoke: mpi4py is missing, or runs on another MPI than LAMMPS; install it")
        self.units: str = lmp.extract_global("units")
        self.boltz: float = lmp.extract_global("boltz")
        self.nktv2p: float = lmp.extract_global("nktv2p")
        self.ftm2v: float = lmp.extract_global("ftm2v")
        self.mvv2e: float = lmp.extract_global("mvv2e")
        self.qqr2e: float = lmp.extract_global("qqr2e")
        self.minimizing = False  # fix python/invoke is not called in minimize
        self.is_trial = False  # nor for trial states, which nnpal.hooks.invoke rejects
        self.energy_yes = self.virial_yes = self.virial_used = False
        self.group_mask_of(group)

    def _atoms(self, name: str) -> NDArray[Any]:
        """Return LAMMPS's array `name` for this rank's atoms."""
        n = self.n_local
        if n == 0:
            shape = (0, 3) if name in ("x", "v", "f") else (0,)
            bits = {"id": "tagint", "image": "imageint"}
            size = self._lmp.extract_setting(bits[name]) if name in bits else 4
            return np.zeros(shape, dtype=float if name in ("x", "v", "f") else f"i{size}")
        values: NDArray[Any] = self._lmp.numpy.extract_atom(name)
        return values[:n]

    @property
    def x(self) -> NDArray[np.float64]:
        return self._atoms("x")

    @property
    def v(self) -> NDArray[np.float64]:
        return self._atoms("v")

    @property
    def f(self) -> NDArray[np.float64]:
        return self._atoms("f")

    @property
    def tag(self) -> NDArray[np.int32] | NDArray[np.int64]:
        return self._atoms("id")

    @property
    def type(self) -> NDArray[np.int32]:
        return self._atoms("type")

    @property
    def mask(self) -> NDArray[np.int32]:
        return self._atoms("mask")

    @property
    def masses(self) -> NDArray[np.float64]:
        masses: NDArray[np.float64] = self._lmp.numpy.extract_atom("mass")
        if masses is None:
            raise HookError("this atom_style has a mass for each atom and none for each type")
        return masses

    @property
    def group_bit(self) -> int:
        return self._bit(self.group)

    @property
    def group_mask(self) -> NDArray[np.bool_]:
        return self.group_mask_of(self.group)

    @property
    def excluded(self) -> NDArray[np.bool_]:
        return np.zeros(self.n_local, dtype=bool)  # not available from LAMMPS's library interface

    @property
    def n_excluded(self) -> int:
        return 0

    @property
    def fix_styles(self) -> list[str]:
        return []  # not available either, only IDs

    @property
    def n_local(self) -> int:
        return int(self._lmp.extract_global("nlocal"))

    @property
    def n_atoms(self) -> int:
        return int(self._lmp.extract_global("natoms"))

    @property
    def n_group(self) -> int:
        return self.group_count(self.group)

    @property
    def box(self) -> NDArray[np.float64]:
        low, high, xy, yz, xz, _, _ = self._lmp.extract_box()
        lx, ly, lz = np.subtract(high, low)
        return np.array([[lx, 0.0, 0.0], [xy, ly, 0.0], [xz, yz, lz]])

    @property
    def origin(self) -> NDArray[np.float64]:
        return np.array(self._lmp.extract_box()[0])

    @property
    def periodic(self) -> tuple[bool, bool, bool]:
        a, b, c = self._lmp.extract_box()[5]
        return bool(a), bool(b), bool(c)

    @property
    def volume(self) -> float:
        return float(self.box.diagonal().prod())

    @property
    def box_changes(self) -> bool:
        return bool(self._lmp.extract_box()[6])

    @property
    def step(self) -> int:
        return int(self._lmp.extract_global("ntimestep"))

    @property
    def elapsed(self) -> int:
        """Number of steps since this run began; not part of `Context`."""
        return int(self._lmp.get_thermo("elapsed"))

    @property
    def time(self) -> float:
        return float(self._lmp.get_thermo("time"))

    @property
    def dt(self) -> float:
        return float(self._lmp.extract_global("dt"))

    @property
    def potential_energy(self) -> float:
        self._require_tally(ENERGY_COMPUTE)
        return float(self._lmp.extract_compute(ENERGY_COMPUTE, _GLOBAL, _SCALAR))

    @property
    def virial(self) -> NDArray[np.float64]:
        self._require_tally(VIRIAL_COMPUTE)
        pressure = self._lmp.extract_compute(VIRIAL_COMPUTE, _GLOBAL, _VECTOR)
        return np.array([pressure[i] for i in range(6)]) * (self.volume / self.nktv2p)

    def _require_tally(self, compute: str) -> None:
        if not self._lmp.has_id("compute", compute):
            raise HookError(
                f"the hook reads LAMMPS's energy or virial, and there is no compute {compute}; add before run:{_TALLY}"
            )

    @property
    def universe_comm(self) -> Any:
        self._require_one_partition()
        return self.comm

    @property
    def partition(self) -> int:
        self._require_one_partition()
        return 0

    @property
    def n_partitions(self) -> int:
        self._require_one_partition()
        return 1

    def _require_one_partition(self) -> None:
        if self._lmp.extract_setting("universe_size") != self._lmp.extract_setting("world_size"):
            raise HookError("fix python/invoke cannot distinguish partitions; run without -partition")

    def scale_forces(self, factor: float) -> None:
        """Multiply the forces of this rank's atoms; the same as in `fix python/hook` if no other fix acted before."""
        first = self._lmp.available_ids("fix")[0]
        if not self._has_fix_id or first != self.fix_id:
            own = f"fix {self.fix_id}" if self._has_fix_id else "the fix python/invoke (attach it with fix_id='...')"
            raise HookError(
                f"the hook scales the potential's forces, and earlier fixes may have added theirs: define "
                f"{own} before all other fixes; found fix {first} first"
            )
        if self.n_local:
            f = self.f
            f *= factor

    def group_mask_of(self, group: str) -> NDArray[np.bool_]:
        is_in: NDArray[np.bool_] = (self.mask & self._bit(group)) != 0
        return is_in

    def _bit(self, group: str) -> int:
        names = self._lmp.available_ids("group")
        if group not in names:
            raise HookError(f"there is no group {group}; define it first: group {group} ...")
        return 1 << names.index(group)

    def positions_of(self, tags: Sequence[int]) -> NDArray[np.float64]:
        x, own = self.x, self.tag
        found = np.zeros((len(tags), 4))  # x y z, and number of ranks that own the atom
        for row, tag in zip(found, tags, strict=True):
            for i in np.flatnonzero(own == tag):
                row[:3], row[3] = x[i], 1.0
        found = self.comm.allreduce(found)
        for tag, count in zip(tags, found[:, 3], strict=True):
            if count != 1.0:
                raise HookError(f"there is no atom with ID {tag}")
        return found[:, :3]

    def separation(self, first: int, second: int) -> Separation:
        a, b = self.positions_of([first, second])
        vector, lengths = self.minimum_image(b - a), np.diag(self.box)
        share = float((np.abs(vector) / lengths * self.periodic).max())
        return _three(vector), share, _three(a), _three(b)

    def add_force(self, tag: int, force: Sequence[float] | NDArray[np.float64]) -> None:
        f = self.f
        for i in np.flatnonzero(self.tag == tag):
            f[i] += force

    def _group_sums(self, group: str) -> tuple[int, float, NDArray[np.float64]]:
        """Return the number of atoms, mass and Σ m r (unwrapped) of a group."""
        is_in = self.group_mask_of(group)
        masses = self.masses[self.type[is_in]]
        images = image_flags(self._atoms("image")[is_in], self._lmp.extract_setting("imageint"))
        moments = masses @ (self.x[is_in] + images @ self.box)
        sums = self.comm.allreduce(np.array([is_in.sum(), masses.sum(), *moments]))
        return int(sums[0]), float(sums[1]), sums[2:]

    def center_of_mass(self, group: str) -> NDArray[np.float64]:
        _, mass, moments = self._group_sums(group)
        return moments / mass if mass > 0.0 else np.zeros(3)

    def group_mass(self, group: str) -> float:
        return self._group_sums(group)[1]

    def group_count(self, group: str) -> int:
        return int(self.comm.allreduce(int(self.group_mask_of(group).sum())))

    def minimum_image(self, vector: Sequence[float] | NDArray[np.float64]) -> NDArray[np.float64]:
        nearest, box = np.array(vector, dtype=float), self.box
        for axis in (2, 1, 0):  # c first, because its tilts change the other two components
            if self.periodic[axis]:
                nearest -= box[axis] * np.round(nearest[axis] / box[axis, axis])
        return nearest

    def log(self, text: str) -> None:
        if self.comm.rank == 0:
            print(text, flush=True)

    def write_restart(self, path: str) -> None:
        raise HookError("fix python/invoke cannot write restart files within a step; use the restart command")


def _three(values: NDArray[np.float64]) -> Vector:
    x, y, z = values.tolist()
    return x, y, z


def image_flags(image: NDArray[Any], n_bytes: int) -> NDArray[np.int64]:
    """Return the image flags of atoms along a, b, c, [n, 3], from LAMMPS's packed integers.

    Arguments:
        image: packed image flags, [n].
        n_bytes: size of LAMMPS's imageint, 4 (10 bits per direction) or 8 (21 bits).
    """
    bits = 10 if n_bytes == 4 else 21
    mask, zero = (1 << bits) - 1, 1 << (bits - 1)
    packed = image.astype(np.int64)
    if n_bytes == 4:
        packed &= 0xFFFFFFFF
    x, y = packed & mask, (packed >> bits) & mask
    z = (packed >> 2 * bits) & (mask if n_bytes == 4 else (1 << 22) - 1)
    return np.stack([x, y, z], axis=1) - zero
