"""Sampling by isobaric-isothermal dynamics, with which MOMT is compared."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
from ase import Atoms
from ase.units import bar

from nnpal.active_learning.sampling.execution import carry_out, prefix_of, prepared, write_run
from nnpal.active_learning.sampling.facts import NPTFacts
from nnpal.active_learning.sampling.force_field import forces_of
from nnpal.active_learning.sampling.lammps_input import DATA, FRAMES, NPT_INPUT, ROWS, npt_input
from nnpal.active_learning.sampling.results import (
    IsobaricRun,
    atomic_of,
    column_of,
    ended_of,
    frames_of,
    in_common,
)
from nnpal.active_learning.sampling.settings import NPTSection
from nnpal.active_learning.sampling.structures import kinds
from nnpal.active_learning.sampling.tasks import OUTPUTS, check_whole, outcome_of, sampled, types_of
from nnpal.config import validated
from nnpal.geometry.electrons import electrons_of, to_json
from nnpal.hooks import HookError
from nnpal.lammps.data_file import write_data
from nnpal.lammps.dump import read_dump, read_rows
from nnpal.momt.lattices import deduce_cells, reciprocal_vectors
from nnpal.momt.order import order_parameter


def npt(
    folder: Path,
    *,
    settings: dict[str, Any],
    force_field: dict[str, Any],
    structure: str | None = None,
    start: Literal["crystal", "liquid"],
    seed: int,
) -> dict[str, Any]:
    """Sample by NPT dynamics in ``folder``, and return how the run ended.

    Failures of the physics are handled as in :func:`nnpal.active_learning.sampling.smd`.

    Arguments:
        folder, force_field, seed: as for :func:`nnpal.active_learning.sampling.smd`.
        settings: a table [explore] of kind "npt".
        structure: file of the initial structure, relative to ``folder``; None: the crystal that the settings describe.
        start: "crystal": use the structure unchanged; "liquid": melt it first.

    Raises:
        nnpal.lammps.process.LmpError, ValueError, FileNotFoundError: the cause is not the physics.
    """
    section = validated(settings, NPTSection, source="explore")
    atoms = sampled(section, folder, structure)
    vectors = order_vectors(section, atoms)
    forces = forces_of(force_field, folder, kinds(atoms), stress=True, electrons=electrons_of(atoms))
    run = prepared(NPT_INPUT, forces, folder, section.launch, prefix=prefix_of(section))
    data = write_data(folder / DATA, atoms, forces.symbols, forces.charges)
    script = npt_input(section, forces, data, seed, run.command, melted=start == "liquid")
    facts = NPTFacts(
        symbols=forces.symbols,
        types=types_of(atoms, forces),
        units=forces.units.name,
        has_uq=forces.has_uq,
        electrons=to_json(electrons_of(atoms)),
        start=start,
        pressure=section.pressure,
        timestep=section.timestep,
        reciprocal_vectors=tuple(vectors),
    )
    write_run(folder, run, script, facts, OUTPUTS)
    ending = carry_out(folder, run, OUTPUTS)
    found = read_npt(folder)
    check_whole(folder, ending, found, section.steps // section.every * section.every)
    return {**outcome_of(ending, found, section.steps, seed), "start": start}


def order_vectors(section: NPTSection, atoms: Atoms) -> list[tuple[int, int, int]]:
    """Return the order parameter's vectors, in multiples of the box's reciprocal ones; none without ``lattice``.

    Raises:
        ValueError: the structure's box does not consist of whole cells of the lattice.
    """
    if section.lattice is None:
        return []
    try:
        cells = deduce_cells(section.lattice, len(atoms), atoms.cell.array)
    except HookError as error:
        raise ValueError(f"explore.lattice: {error}") from error
    return reciprocal_vectors(section.lattice, cells)


def read_npt(folder: Path) -> IsobaricRun:
    """Read an NPT run; of an interrupted or failed one, the complete frames.

    Raises:
        FileNotFoundError, ValueError: as for :func:`nnpal.active_learning.sampling.read_smd`.
    """
    facts = NPTFacts.read(folder)
    rows, dump = read_rows(folder / ROWS), read_dump(folder / FRAMES)
    in_rows, in_frames = in_common(column_of(rows, "step").astype(np.int64), dump.step)
    frames = frames_of(dump, in_frames, facts.symbols, f"npt-{facts.start}", folder.name, facts.stated)
    energy = column_of(rows, "energy")[in_rows] / facts.unit_factors.energy
    volume = column_of(rows, "volume")[in_rows]
    uq = None
    if facts.has_uq:
        uq = atomic_of(dump, in_frames, "f_atoms") if len(in_frames) else np.zeros((0, len(facts.types)))
    return IsobaricRun(
        frames=frames,
        frame_step=dump.step[in_frames],
        H=energy + facts.pressure * bar * volume,
        O=np.array([order_parameter(f.positions, f.cell.array, facts.reciprocal_vectors) for f in frames]),
        V=volume,
        temperature=column_of(rows, "temperature")[in_rows],
        energy=energy,
        uq_energy=uq,
        ended=ended_of(folder),
        name=folder.name,
    )
