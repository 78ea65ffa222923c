"""The bias file of MOMT, in HDF5 (layout in docs/momt.md)."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from nnpal.hooks import HookError
from nnpal.momt.grid import Axis, basis
from nnpal.runtime.hdf5_image import check_seal, new_hdf5

# Version 1 has no lengths of walls, which were the width of a bin
FORMAT, FORMAT_VERSION, READABLE_VERSIONS = "nnpal-momt", 2, (1, 2)
_ATTRIBUTES = (
    *("units", "temp", "press", "boltz", "nktv2p", "n_atoms", "n_group", "lattice", "ln_f", "phase", "step"),
    *("n_updates", "round_trips", "stride", "walkers"),
)
_VISITS = ("visits", "flatness_visits", "production_visits")


@dataclass(frozen=True)
class Walls:
    """Walls at the edges of an axis: e b²/2, or e (√(1 + b²) - 1) with limited slope; b: distance beyond the edge / l.

    Both start at the edge with slope 0 and curvature e/l²; a limited slope stays below e/l.

    Attributes:
        low, high: whether the lower and the upper edge have a wall.
        energy: strength e, energy units.
        length: length l, in units of the axis's variable.
        slope_is_limited: whether the slope is limited, as along H, where it multiplies all forces.
    """

    low: bool
    high: bool
    energy: float
    length: float
    slope_is_limited: bool

    @property
    def curvature(self) -> float:
        """Second derivative at the edge, the largest, in energy per squared unit of the variable; 0 without walls."""
        return self.energy / self.length**2 if self.low or self.high else 0.0


@dataclass(frozen=True)
class Bias:
    """A bias δH on its grid, and how it was learned.

    Attributes:
        units: LAMMPS unit style of the energies, volumes and pressures below.
        temp, press: T0 (K; lj: reduced) and P0.
        boltz, nktv2p: LAMMPS's constants: kT = boltz T, energy = pressure volume / nktv2p.
        axes, walls: axes of the grid and the walls at their edges, one or two of each.
        coefficients: coefficients of the cubic B-splines, [n_bins + 1] for each axis, energy units.
        visits, flatness_visits, production_visits: updates in each bin since learning began, since ln f last fell, and
            since learning ended, [n_bins] for each axis.
        reciprocal_vectors: vectors of the order parameter, multiples of the box's, [n_g, 3]; empty without O.
        ln_f: height of an update, kT.
        phase: 0 in learning, 1 in production.
        step, n_updates, round_trips: current step, and numbers of updates and round trips so far.
        stride: number of steps between updates.
        walkers: number of LAMMPS partitions that share this bias.
        n_atoms, n_group: numbers of all atoms and of atoms in the fix's group.
        lattice: name of the lattice, ``reciprocal`` for vectors from the user, or ``none``.
    """

    units: str
    temp: float
    press: float
    boltz: float
    nktv2p: float
    axes: tuple[Axis, ...]
    walls: tuple[Walls, ...]
    coefficients: NDArray[np.float64]
    visits: NDArray[np.int64]
    flatness_visits: NDArray[np.int64]
    production_visits: NDArray[np.int64]
    reciprocal_vectors: NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, 3), dtype=np.int64))
    n_atoms: int = 0
    n_group: int = 0
    lattice: str = "none"
    ln_f: float = 0.0
    phase: int = 0
    step: int = 0
    n_updates: int = 0
    round_trips: int = 0
    stride: int = 1
    walkers: int = 1

    @property
    def visited(self) -> NDArray[np.bool_]:
        """Whether each bin was visited, while learning or in production, bool [n_bins for each axis].

        A production run that starts from a bias file has only visits from production.
        """
        return (self.visits > 0) | (self.production_visits > 0)

    def evaluate(self, **variables: NDArray[np.float64] | float) -> NDArray[np.float64]:
        """Return δH including walls, e.g. `bias.evaluate(H=h, O=o)`, for values or arrays of one shape.

        Arguments:
            variables: value or array of each variable of the grid, in the units of the run.

        Raises:
            TypeError: the variables are not those of the grid.
        """
        names = [axis.name for axis in self.axes]
        if sorted(variables) != sorted(names):
            raise TypeError(f"evaluate takes {', '.join(names)}, not {', '.join(variables) or 'nothing'}")
        points = np.broadcast_arrays(*(np.asarray(variables[name], dtype=float) for name in names))
        shape = points[0].shape
        flat = [point.ravel() for point in points]
        index, value = zip(*(basis(axis, s) for axis, s in zip(self.axes, flat, strict=True)), strict=True)
        if len(self.axes) == 1:
            energy = (self.coefficients[index[0]] * value[0]).sum(axis=1)
        else:
            block = self.coefficients[index[0][:, :, None], index[1][:, None, :]]
            energy = np.einsum("nkl,nk,nl->n", block, value[0], value[1])
        for axis, wall, s in zip(self.axes, self.walls, flat, strict=True):
            beyond = np.minimum(s - axis.low, 0) * wall.low + np.maximum(s - axis.high, 0) * wall.high
            b = beyond / wall.length
            energy = energy + wall.energy * (np.hypot(1, b) - 1 if wall.slope_is_limited else 0.5 * b**2)
        return energy.reshape(shape)


def write_bias(path: Path, bias: Bias) -> None:
    """Write a bias file atomically: readers see the complete old file or the complete new one.

    Arguments:
        path: path of the file, .h5.
        bias: bias to write.
    """
    with new_hdf5(path) as file:
        file.attrs["format"], file.attrs["format_version"] = FORMAT, FORMAT_VERSION
        file.attrs["axes"] = [axis.name for axis in bias.axes]
        for name in _ATTRIBUTES:
            file.attrs[name] = getattr(bias, name)
        for axis, wall in zip(bias.axes, bias.walls, strict=True):
            dataset = file.create_dataset(f"axis/{axis.name}", data=[axis.low, axis.high, axis.n_bins])
            for name in ("low", "high", "energy", "length", "slope_is_limited"):
                dataset.attrs[f"wall_{name}"] = getattr(wall, name)
        for name in ("coefficients", "reciprocal_vectors", *_VISITS):
            file.create_dataset(name, data=getattr(bias, name))


def is_bias_file(path: Path) -> bool:
    """Return whether a file is a bias file of MOMT, of any version."""
    try:
        check_seal(path)
        with h5py.File(path, "r") as file:
            return bool(file.attrs.get("format") == FORMAT)
    except (OSError, KeyError, RuntimeError, TypeError, ValueError):  # not an HDF5 file, or a damaged one
        return False


def read_bias(path: str | Path) -> Bias:
    """Read a bias file.

    Arguments:
        path: path of the file, .h5.

    Returns:
        The bias and how it was learned, in the units of the run.

    Raises:
        HookError: the file does not exist, is not a bias file, or is incomplete.

    Example:
        >>> from nnpal import read_bias
        >>> bias = read_bias("momt.h5")
        >>> bias.temp, [str(axis) for axis in bias.axes]
        (1000.0, ['H -11 -8 4', 'O 0 35 5'])
        >>> bias.evaluate(H=[-10.0, -9.0], O=[30.0, 2.0]).shape
        (2,)
    """
    path = Path(path)
    if path.is_dir():
        raise HookError(f"bias file {path}: a folder, expected a file that MOMT wrote, such as {path / 'momt.h5'}")
    if not path.is_file():
        raise HookError(f"bias file {path}: no such file")
    try:
        check_seal(path)
        with h5py.File(path, "r") as file:
            version = file.attrs.get("format_version")
            if file.attrs.get("format") != FORMAT or version not in READABLE_VERSIONS:
                raise HookError(
                    f"bias file {path}: format {file.attrs.get('format')} {version}, expected {FORMAT} "
                    f"{' or '.join(map(str, READABLE_VERSIONS))}"
                )
            axes, walls = zip(*(_axis_and_walls(file, str(name), version) for name in file.attrs["axes"]), strict=True)
            values: dict[str, Any] = {name: _plain(file.attrs[name]) for name in _ATTRIBUTES}
            arrays = {name: file[name][:] for name in ("coefficients", "reciprocal_vectors", *_VISITS)}
    except HookError:
        raise
    except Exception as error:  # errors of h5py on damaged files
        raise HookError(f"bias file {path} cannot be read: {error}; give a file that MOMT wrote") from error
    _check_arrays(path, axes, arrays)
    return Bias(axes=axes, walls=walls, **values, **arrays)


def _axis_and_walls(file: h5py.File, name: str, version: int) -> tuple[Axis, Walls]:
    dataset = file[f"axis/{name}"]
    low, high, n_bins = dataset[:]
    axis, attrs = Axis(name, float(low), float(high), int(n_bins)), dataset.attrs
    return axis, Walls(
        low=bool(attrs["wall_low"]),
        high=bool(attrs["wall_high"]),
        energy=float(attrs["wall_energy"]),
        length=axis.width if version == 1 else float(attrs["wall_length"]),
        slope_is_limited=bool(attrs["wall_slope_is_limited"]),
    )


def _check_arrays(path: Path, axes: tuple[Axis, ...], arrays: dict[str, NDArray[Any]]) -> None:
    bins = tuple(axis.n_bins for axis in axes)
    for name in ("coefficients", *_VISITS):
        expected = tuple(n + 1 for n in bins) if name == "coefficients" else bins
        if arrays[name].shape != expected:
            raise HookError(
                f"bias file {path}: {name} of shape {arrays[name].shape}, expected {expected} of the grid "
                f"{', '.join(map(str, axes))}; give a file that MOMT wrote"
            )
    if not np.isfinite(arrays["coefficients"]).all():
        raise HookError(f"bias file {path}: coefficients that are NaN or infinite; give a file of a run that held")


def _plain(value: object) -> object:
    return value.item() if isinstance(value, np.generic) else value
