"""Initial training data: molecular dynamics under the oracle near equilibrium."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

from nnpal.active_learning.sampling.ending import COMPLETE, RunOutcome
from nnpal.active_learning.sampling.execution import carry_out, prefix_of, prepared, write_run
from nnpal.active_learning.sampling.facts import MDFacts
from nnpal.active_learning.sampling.force_field import forces_of
from nnpal.active_learning.sampling.lammps_input import DATA, FRAMES, MD_INPUT, md_input
from nnpal.active_learning.sampling.results import frames_of
from nnpal.active_learning.sampling.settings import InitialSection
from nnpal.active_learning.sampling.structures import kinds, read_structure
from nnpal.active_learning.sampling.tasks import OUTPUTS
from nnpal.config import validated
from nnpal.geometry.electrons import electrons_of, to_json
from nnpal.lammps.data_file import write_data
from nnpal.lammps.dump import read_dump


def oracle_md(
    folder: Path,
    *,
    settings: dict[str, Any],
    force_field: dict[str, Any],
    structure: str,
    temperature: float,
    seed: int,
) -> dict[str, Any]:
    """Sample configurations at one temperature in ``folder``, and return how the run ended.

    Failures of the physics are handled as in :func:`nnpal.active_learning.sampling.smd`.

    Arguments:
        folder, force_field, structure, seed: as for :func:`nnpal.active_learning.sampling.smd`.
        settings: a table [initial].
        temperature: temperature, K.

    Raises:
        nnpal.lammps.process.LmpError, ValueError, FileNotFoundError: the cause is not the physics.
    """
    section = validated(settings, InitialSection, source="initial")
    atoms = read_structure(folder / structure)
    stated = electrons_of(atoms)
    forces = forces_of(force_field, folder, kinds(atoms), stress=section.pressure is not None, electrons=stated)
    if section.pressure is not None and not atoms.pbc.all():
        raise ValueError(f"initial.pressure: {section.pressure:g}, but {structure} is not periodic; remove it")
    run = prepared(MD_INPUT, forces, folder, section.launch, prefix=prefix_of(section))
    start = write_data(folder / DATA, atoms, forces.symbols, forces.charges)
    script = md_input(section, forces, start, temperature, seed, run.command)
    facts = MDFacts(symbols=tuple(forces.symbols), units=forces.units.name, electrons=to_json(stated))
    write_run(folder, run, script, facts, OUTPUTS)
    ending = carry_out(folder, run, OUTPUTS)
    frames = read_md(folder)
    last = frames[-1].info["step"] if frames else None
    if ending.how == COMPLETE and last != section.steps // section.every * section.every:
        raise OSError(
            f"{folder}: LAMMPS ended without an error, but the last complete frame is {last}; is the disk full?"
        )
    outcome = RunOutcome(ending.how, ending.last, len(frames), last, section.steps, seed)
    return {**outcome.to_json(), "temperature": temperature}


def read_md(folder: Path) -> list[Atoms]:
    """Return the complete frames of a run of :func:`oracle_md`.

    Raises:
        FileNotFoundError: the folder has no run.
        ValueError: the file of frames has the wrong format.
    """
    facts = MDFacts.read(folder)
    dump = read_dump(folder / FRAMES)
    return frames_of(dump, np.arange(len(dump)), facts.symbols, "initial", folder.name, facts.stated)
