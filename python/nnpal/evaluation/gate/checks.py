"""Check a model file; report which comparisons fail and by how much."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import torch
from ase import Atoms
from ase.stress import voigt_6_to_full_3x3_stress
from numpy.typing import NDArray

from nnpal.evaluation.gate.differences import (
    STEP,
    STRAIN_STEP,
    displaced,
    random_directions,
    random_strains,
    slopes,
    strained,
)
from nnpal.evaluation.gate.findings import Check, GateError, GateReport, failure
from nnpal.evaluation.prediction import Predictions, predict
from nnpal.lammps.process import LmpError
from nnpal.lammps.single_point import Values, boxed, lammps_values
from nnpal.model import ModelFileError, read_metadata
from nnpal.runtime.scratch import scratch_folder

DOUBLE = 1e-8
"""Tolerance, relative to the larger of the largest force and 1 eV/Å; energies and virials per atom. float64 sums of 1e4
terms of up to 1e3 eV in another order differ by 1e4 * 2e-16 * 1e3 = 2e-9. A wrong neighbor, sign or unit changes
results by 1e-3 or more."""
SINGLE = 2e-5
"""Tolerance in float32, whose rounding is 6e-8 of each term; a Gaussian exp(-eta (r - r_s)^2) with eta = 20 amplifies
the rounding of r by up to eta r ~ 1e2."""
TIMES_OWN_ROUNDING = 10.0
"""If the float32 rounding of Python exceeds SINGLE, LAMMPS may deviate by this factor times that rounding."""
SLOPE = 1e-5
"""Tolerance of slopes along unit vectors, relative to the larger of the largest force and 1 eV/Å; per atom for slopes
in strain. In a metal 1e-5 eV/atom are 0.15 MPa. Errors of finite differences: rounding of 1e5 eV, 2e-11 / STEP = 2e-7
eV/Å, and pairs that cross the cutoff, 1e-6 eV/Å."""
N_DIRECTIONS = 3
LEAST_FORCE = 1e-3
"""eV/Å; if all forces are smaller, wrong forces would not be detected."""


def check_export(
    model_path: str | os.PathLike[str],
    frames: Sequence[Atoms],
    *,
    folder: Path | None = None,
    device: str = "cpu",
    seed: int = 0,
    member_energies: NDArray[np.float64] | None = None,
    launch: Sequence[str] = (),
) -> GateReport:
    """Compare a model file's results for a few configurations, in seconds.

    - Energy, forces and virial of ``lmp`` under ``pair_style nnp`` against Python, in the file's precision and in
      double precision.
    - Forces and virial in double precision against central differences of the energy along random directions and
      strains.
    - If given, the members' energies against those of the trained networks.
    - If requested, ``lmp`` on several ranks, over which the atoms are distributed, against Python.

    Arguments:
        model_path: a model file.
        frames: a few configurations with forces.
        folder: existing folder for LAMMPS's inputs and outputs; by default they are removed.
        device: device of LAMMPS and Python, ``cpu``, ``cuda`` or ``cuda:N``.
        seed: random seed of directions and strains.
        member_energies: energies of the trained networks, self-energies included, eV, [n_members, n_frames].
        launch: launch prefix of an additional ``lmp``, such as ``("mpirun", "-np", "2")``; by default there is none.

    Returns:
        All comparisons, which have passed.

    Raises:
        GateError: a comparison fails, or the file or LAMMPS cannot evaluate a configuration.
        FileNotFoundError: no such file.
        ValueError: no configurations, none with forces, or ``member_energies`` of another shape.
    """
    if not frames:
        raise ValueError("check_export: no configurations, expected a few")
    name = os.fspath(model_path)
    placed = [boxed(frame) for frame in frames]
    checks: list[Check] = []
    try:
        metadata = read_metadata(name)
        own = getattr(torch, metadata.dtype)
        shape = (metadata.n_members, len(frames))
        if member_energies is not None and member_energies.shape != shape:
            raise ValueError(f"check_export: member_energies has shape {member_energies.shape}, expected {shape}")
        found = {dtype: predict(name, placed, device=device, dtype=dtype) for dtype in {own, torch.float64}}
        exact = found[torch.float64]
        checks += list(_differences(name, placed, exact, device, np.random.default_rng(seed)))
        if member_energies is not None:
            checks += _against_training(member_energies, found[own], exact, own)
        with ExitStack() as stack:
            kept = folder or stack.enter_context(scratch_folder("gate"))
            checks += _in_lammps("LAMMPS", Path(name), placed, found, own, kept, device, ())
            if launch:
                (of_ranks := kept / "launched").mkdir(exist_ok=True)
                place = f"LAMMPS under {' '.join(launch)}"
                checks += _in_lammps(place, Path(name), placed, found, own, of_ranks, device, launch)
    except (ModelFileError, LmpError) as error:
        raise GateError(failure(name, checks, error)) from error
    report = GateReport(name, tuple(checks))
    if not report.passed:
        raise GateError(failure(name, checks), report)
    if (largest := float(np.abs(exact.forces).max(initial=0.0))) < LEAST_FORCE:
        raise ValueError(
            f"check_export: no force in these configurations is larger than {largest:.2g} eV/Å, so they contain no "
            f"information; expected {LEAST_FORCE} at least; displace atoms, e.g. with Atoms.rattle"
        )
    return report


def _in_lammps(
    place: str,
    model: Path,
    frames: Sequence[Atoms],
    found: Mapping[torch.dtype, Predictions],
    own: torch.dtype,
    folder: Path,
    device: str,
    launch: Sequence[str],
) -> Iterator[Check]:
    """Compare one run of ``lmp`` with Python in double precision and, if it is the file's ``own``, in single."""
    precisions = {"double": torch.float64} | ({"single": own} if own == torch.float32 else {})
    values = lammps_values(model, frames, folder, precisions=list(precisions), device=device, launch=launch)
    for precision, dtype in precisions.items():
        yield from _against_lammps(place, precision, values[precision], found[dtype], found[torch.float64], frames)


def _against_lammps(
    place: str,
    precision: str,
    values: Sequence[Values],
    python: Predictions,
    exact: Predictions,
    frames: Sequence[Atoms],
) -> Iterator[Check]:
    """Compare with Python in the same precision; ``exact`` is Python in double precision."""
    floor = DOUBLE if precision == "double" else SINGLE
    for i, (value, frame) in enumerate(zip(values, frames, strict=True)):
        atoms = python.frame_of_atom == i
        forces, scale = python.forces[atoms], _scale(exact.forces[atoms])
        compared = [
            ("energy", value.energy - python.energies[i], python.energies[i] - exact.energies[i], len(frame), "eV"),
            ("forces", value.forces - forces, forces - exact.forces[atoms], 1, "eV/Å"),
        ]
        if np.isfinite(python.stresses[i]).all():
            volume = frame.get_volume()
            virial, rounding = (-volume * s for s in (python.stresses[i], python.stresses[i] - exact.stresses[i]))
            compared.append(("virial", value.virial - virial, rounding, len(frame), "eV"))
        for what, difference, rounding, size, unit in compared:
            tolerance = max(floor * scale * size, TIMES_OWN_ROUNDING * float(np.abs(rounding).max()))
            largest = float(np.abs(difference).max())
            yield Check(f"{what} in {place} and Python, {precision} precision", i, largest, tolerance, unit)


def _differences(
    model: str, frames: Sequence[Atoms], exact: Predictions, device: str, rng: np.random.Generator
) -> Iterator[Check]:
    """Compare forces and virial with slopes of the energy from finite differences, in double precision."""

    def energies(atoms: Sequence[Atoms]) -> NDArray[np.float64]:
        found = predict(model, atoms, members=False, uq_force=False, device=device, dtype=torch.float64)
        return found.energies

    for i, frame in enumerate(frames):
        forces = exact.forces[exact.frame_of_atom == i]
        tolerance = SLOPE * _scale(forces)
        directions = random_directions(len(frame), N_DIRECTIONS, rng)
        found = slopes([displaced(frame, direction) for direction in directions], STEP, energies)
        expected = -np.einsum("ai,dai->d", forces, directions)
        largest = float(np.abs(found - expected).max())
        yield Check("forces and slopes of the energy", i, largest, tolerance, "eV/Å")
        if np.isfinite(exact.stresses[i]).all():
            strains = random_strains(N_DIRECTIONS, rng)
            found = slopes([strained(frame, strain) for strain in strains], STRAIN_STEP, energies)
            gradient = frame.get_volume() * voigt_6_to_full_3x3_stress(exact.stresses[i])
            largest = float(np.abs(found - np.einsum("ij,dij->d", gradient, strains)).max())
            yield Check("virial and slopes of the energy", i, largest, tolerance * len(frame), "eV")


def _against_training(
    trained: NDArray[np.float64], python: Predictions, exact: Predictions, dtype: torch.dtype
) -> Iterator[Check]:
    floor = DOUBLE if dtype == torch.float64 else SINGLE
    for i, n_atoms in enumerate(python.n_atoms):
        rounding = TIMES_OWN_ROUNDING * np.abs(python.member_energies - exact.member_energies)[:, i].max()
        tolerance = max(floor * float(n_atoms), float(rounding))
        largest = float(np.abs(python.member_energies - trained)[:, i].max())
        yield Check("members' energies in the file and as trained", i, largest, tolerance, "eV")


def _scale(forces: NDArray[np.float64]) -> float:
    return max(1.0, float(np.abs(forces).max(initial=0.0)))
