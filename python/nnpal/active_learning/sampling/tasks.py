"""Exploration runs as tasks: functions of a folder and JSON arguments."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

from nnpal.active_learning.sampling.ending import COMPLETE, Ending, RunOutcome
from nnpal.active_learning.sampling.execution import carry_out, prefix_of, prepared, write_run
from nnpal.active_learning.sampling.facts import MOMTFacts, SMDFacts
from nnpal.active_learning.sampling.force_field import Forces, forces_of
from nnpal.active_learning.sampling.lammps_input import (
    BIAS,
    DATA,
    MOMT_INPUT,
    PUSH,
    SMD_INPUT,
    START_BIAS,
    TRACE,
    Steering,
    momt_input,
    smd_input,
)
from nnpal.active_learning.sampling.noiseless import write_push
from nnpal.active_learning.sampling.results import IsobaricRun, SMDRun, read_momt, read_smd
from nnpal.active_learning.sampling.settings import IsobaricSection, MOMTSection, SMDSection
from nnpal.active_learning.sampling.structures import crystal, kinds, read_structure
from nnpal.config import validated
from nnpal.geometry.electrons import electrons_of, to_json
from nnpal.geometry.nearest_image import nearest_distances
from nnpal.lammps.data_file import write_data
from nnpal.smd import activation_energy

OUTPUTS = ("frames*.lammpstrj", "rows*.txt", "momt*.trace*", "momt*.h5*", "*.restart")


def smd(
    folder: Path,
    *,
    settings: dict[str, Any],
    force_field: dict[str, Any],
    structure: str,
    rate: float,
    seed: int,
    noiseless: bool = False,
) -> dict[str, Any]:
    """Pull two atoms apart in ``folder``, and return how the run ended.

    A failure of the physics (lost atoms, numbers that are not finite, an error of LAMMPS during dynamics) ends the run,
    but raises nothing: the frames sampled before are used.

    Arguments:
        folder: folder of the run; an interrupted run in it is restarted, a finished one is only read.
        settings: a table [explore] of kind "smd".
        force_field: see :func:`nnpal.active_learning.sampling.force_field.forces_of`.
        structure: file of the initial structure, relative to ``folder``.
        rate: pulling rate, Å/ps.
        seed: random seed of velocities and thermostat, or of the constant forces.
        noiseless: whether small constant forces decide which bond breaks, in place of thermal noise.

    Raises:
        nnpal.lammps.process.LmpError, ValueError, FileNotFoundError: the cause is not the physics.
    """
    section = validated(settings, SMDSection, source="explore")
    atoms = read_structure(folder / structure)
    i, j = section.atoms
    if max(i, j) > len(atoms):
        raise ValueError(f"explore.atoms: {list(section.atoms)}, but {structure} has {len(atoms)} atoms")
    at = float(nearest_distances(atoms, [i - 1], [j - 1])[0, 0]) if section.start is None else section.start
    direction = write_push(folder, atoms, section.atoms, seed) if noiseless else None
    pull = Steering(rate, at, section.steps(rate), direction)
    forces = forces_of(force_field, folder, kinds(atoms), stress=False, electrons=electrons_of(atoms))
    own = (PUSH,) if noiseless else ()
    run = prepared(SMD_INPUT, forces, folder, section.launch, prefix=prefix_of(section), own_files=own)
    start = write_data(folder / DATA, atoms, forces.symbols, forces.charges)
    script = smd_input(section, forces, start, pull, seed, run.command)
    facts = SMDFacts(
        symbols=forces.symbols,
        types=types_of(atoms, forces),
        units=forces.units.name,
        has_uq=forces.has_uq,
        electrons=to_json(electrons_of(atoms)),
        uq=section.uq,
        rate=rate,
    )
    write_run(folder, run, script, facts, OUTPUTS)
    ending = carry_out(folder, run, OUTPUTS)
    found = read_smd(folder)
    check_whole(folder, ending, found, pull.steps // section.every * section.every)
    return {**outcome_of(ending, found, pull.steps, seed), "rate": rate, **_of_the_pull(found)}


def momt(
    folder: Path,
    *,
    settings: dict[str, Any],
    force_field: dict[str, Any],
    structure: str | None = None,
    seed: int,
    bias: str | None = None,
) -> dict[str, Any]:
    """Sample by MOMT in ``folder``, and return how the run ended; failures are handled as in :func:`smd`.

    Arguments:
        folder, force_field, seed: as for :func:`smd`.
        settings: a table [explore] of kind "momt".
        structure: file of the initial structure, relative to ``folder``; None: the crystal that the settings describe.
        bias: bias file of an earlier run with the initial δH, relative to ``folder``; None: no initial bias.

    Raises:
        nnpal.lammps.process.LmpError, ValueError, FileNotFoundError: the cause is not the physics.
    """
    section = validated(settings, MOMTSection, source="explore")
    atoms = sampled(section, folder, structure)
    forces = forces_of(force_field, folder, kinds(atoms), stress=True, electrons=electrons_of(atoms))
    if bias is not None:
        if not (folder / bias).is_file():
            raise FileNotFoundError(f"bias {folder / bias}: no such file")
        forces = forces.with_link(START_BIAS, folder / bias)
    launch, prefix = section.launch, prefix_of(section)
    arguments: tuple[str, ...] = ()
    if section.walkers > 1:
        ranks = ranks_each(launch or prefix, section.walkers) if launch or prefix else 1
        launch = launch or ("mpirun", "-np", str(section.walkers * ranks))
        arguments = ("-partition", f"{section.walkers}x{ranks}", "-pscreen", "none")
    run = prepared(MOMT_INPUT, forces, folder, launch, arguments, prefix)
    start = write_data(folder / DATA, atoms, forces.symbols, forces.charges)
    script = momt_input(section, forces, start, seed, run.command, start_bias=bias is not None)
    facts = MOMTFacts(
        symbols=forces.symbols,
        types=types_of(atoms, forces),
        units=forces.units.name,
        has_uq=forces.has_uq,
        electrons=to_json(electrons_of(atoms)),
        walkers=section.walkers,
        timestep=section.timestep,
    )
    write_run(folder, run, script, facts, OUTPUTS)
    ending = carry_out(folder, run, OUTPUTS)
    found = read_momt(folder)
    check_whole(folder, ending, found, section.steps // section.every * section.every)
    files = [name for name in (BIAS, TRACE) if (folder / name).is_file()]
    return {**outcome_of(ending, found, section.steps, seed), "files": files}


def sampled(section: IsobaricSection, folder: Path, structure: str | None) -> Atoms:
    """Return the initial structure of a sampling at constant pressure.

    Arguments:
        section: a table [explore].
        folder: folder of the run.
        structure: file relative to ``folder``; None: the crystal of ``section``.

    Raises:
        FileNotFoundError, ValueError: there is no structure, or it is not periodic.
    """
    if structure is not None:
        atoms = read_structure(folder / structure)
    elif section.element is not None and section.lattice is not None:
        atoms = crystal(section.element, section.lattice, section.lattice_constant, section.cells)
    else:
        raise ValueError(f"explore.structure: {section.structure}; the task needs its path, relative to its folder")
    if not atoms.pbc.all():
        raise ValueError(f"explore.structure: periodic along {atoms.pbc.tolist()}, expected a crystal, with all three")
    return atoms


def ranks_each(launch: tuple[str, ...], walkers: int) -> int:
    """Return the number of ranks per walker from the launch command's option -np 4, -n 4 or --ntasks=4."""
    for name, value in zip(launch, (*launch[1:], ""), strict=True):
        name, _, given = name.partition("=")
        number = given or value
        if name in ("-np", "-n", "--ntasks") and number.isdigit():
            if int(number) % walkers:
                raise ValueError(f"explore.launch: {number} ranks for {walkers} walkers, expected a multiple")
            return int(number) // walkers
    raise ValueError(f"explore.launch: {list(launch)} with {walkers} walkers, expected -np N, -n N or --ntasks=N in it")


def types_of(atoms: Atoms, forces: Forces) -> tuple[int, ...]:
    """Return the LAMMPS type of each atom."""
    return tuple(forces.symbols.index(symbol) + 1 for symbol in atoms.get_chemical_symbols())


def outcome_of(ending: Ending, found: SMDRun | IsobaricRun, steps: int, seed: int) -> dict[str, Any]:
    """Return the part of the result that all exploration tasks share."""
    last = int(found.frame_step[-1]) if len(found.frames) else None
    return RunOutcome(ending.how, ending.last, len(found.frames), last, steps, seed).to_json()


def _of_the_pull(found: SMDRun) -> Mapping[str, Any]:
    if not len(found.step):
        return {"n_rows": 0, "activation_energy": None, "distance": None}
    return {
        "n_rows": len(found.step),
        "activation_energy": activation_energy(found.pull),
        "distance": float(found.distance[-1]),
    }


def check_whole(folder: Path, ending: Ending, found: SMDRun | IsobaricRun, last: int) -> None:
    """Check that a complete run has all its frames, and their rows.

    Raises:
        OSError: frames are missing.
    """
    there = int(found.frame_step[-1]) if len(found.frames) else None
    gaps = np.diff(np.unique(found.frame_step))
    if ending.how == COMPLETE and len(gaps) and gaps.max() > gaps.min():
        raise OSError(
            f"{folder}: LAMMPS ended without an error, but frames or rows are missing in between; was the disk full?"
        )
    if ending.how == COMPLETE and there != last:
        raise OSError(
            f"{folder}: LAMMPS ended without an error, but the last complete frame is {there}, not {last}; is the "
            "disk full?"
        )
