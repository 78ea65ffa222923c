"""Execution of a prepared run in its folder: an interrupted run is restarted, a finished one is not repeated."""

from __future__ import annotations

import hashlib
import json
import os
import sysconfig
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from nnpal.active_learning.sampling.ending import Ending, ending_of
from nnpal.active_learning.sampling.facts import RunFacts, holds_run
from nnpal.active_learning.sampling.force_field import Forces
from nnpal.active_learning.sampling.lammps_input import DATA, LOG
from nnpal.active_learning.sampling.settings import Run
from nnpal.lammps.mpi_prefix import mpi_prefix
from nnpal.lammps.process import LmpError, run_lmp
from nnpal.runtime.files import aside
from nnpal.runtime.json_files import read_json, write_json
from nnpal.runtime.locks import locked

ENDED, LOCK = "ended.json", "lock"


@dataclass(frozen=True)
class Prepared:
    """A LAMMPS run that is ready to start.

    Attributes:
        input: name of the input script.
        forces: force field.
        launch: launch command before lmp.
        arguments: arguments of lmp in addition to -in.
        module_folder: additional folder in which Python finds the calculator, relative to the run's folder.
        prefix: replaces ``launch`` in this attempt; not part of the run's key, since it names the nodes of a job, and
            another attempt has other nodes.
        own_files: additional files of the folder that the run reads.
    """

    input: str
    forces: Forces
    launch: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    module_folder: str | None = None
    prefix: tuple[str, ...] = ()
    own_files: tuple[str, ...] = ()

    @property
    def command(self) -> str:
        """The command that repeats the run by hand in its folder."""
        variables = [] if self.module_folder is None else [f"PYTHONPATH={self.module_folder}"]
        return " ".join([*variables, *self.launch, "lmp", "-in", self.input, *self.arguments])


def prepared(
    name: str,
    forces: Forces,
    folder: Path,
    launch: tuple[str, ...] = (),
    arguments: tuple[str, ...] = (),
    prefix: tuple[str, ...] = (),
    own_files: tuple[str, ...] = (),
) -> Prepared:
    """Return a run of the script ``name``, with the path of the calculator's module if needed."""
    place = None if forces.module_folder is None else os.path.relpath(forces.module_folder, folder.resolve())
    return Prepared(name, forces, launch, arguments, place, prefix, own_files)


def prefix_of(section: Run) -> tuple[str, ...]:
    """Return the executor's launch command for MPI programs; empty if ``section.launch`` is set."""
    return () if section.launch else tuple(mpi_prefix())


def write_run(folder: Path, run: Prepared, script: str, facts: RunFacts, outputs: Sequence[str] = ()) -> None:
    """Write the script, the facts, and links to the files of the force field; the data file exists already.

    Arguments:
        outputs: patterns of the files that the run writes, as for :func:`carry_out`.

    Raises:
        ValueError: the folder has such files, but no run of nnpal.
    """
    if not holds_run(folder):
        _refuse_files_of_others(folder, outputs)
    for name, target in run.forces.links.items():
        link = folder / name
        with aside(link) as temporary:
            temporary.symlink_to(os.path.relpath(target.resolve(), folder.resolve()))
    with aside(folder / run.input) as temporary:
        temporary.write_text(script)
    facts.write(folder)


def _refuse_files_of_others(folder: Path, outputs: Sequence[str]) -> None:
    found = sorted(path.name for pattern in (*outputs, f"{LOG}*", ENDED) for path in folder.glob(pattern))
    if found:
        raise ValueError(
            f"{folder}: holds {', '.join(found[:3])}{' and more' if len(found) > 3 else ''}, which a run here would "
            "remove, and which are not from an nnpal run; give another folder, or move them away"
        )


def carry_out(folder: Path, run: Prepared, outputs: Sequence[str]) -> Ending:
    """Run LAMMPS, unless a run with the same inputs has ended in the folder.

    Arguments:
        outputs: patterns of the files that the run writes; files of earlier attempts are removed first.

    Raises:
        nnpal.lammps.process.LmpError: the cause is not the physics: a wrong input, no lmp, a signal, a full disk.
    """
    # LAMMPS holds the lock too: wait for one that outlived a killed task, since it writes to the same files
    with locked(folder / LOCK, wait=True) as lock:
        return _carry_out(folder, run, outputs, lock)


def _carry_out(folder: Path, run: Prepared, outputs: Sequence[str], lock: int) -> Ending:
    key = _key(folder, run)
    if (found := read_ending(folder, key)) is not None:
        return found
    for pattern in (*outputs, f"{LOG}*", ENDED):
        for path in folder.glob(pattern):
            path.unlink()
    arguments = ["-in", run.input, "-log", LOG, "-nocite", *run.arguments]
    ending: Ending | None
    try:
        run_lmp(
            arguments, folder, launch=run.prefix or _found(run.launch), environment=_environment(run), keep_open=(lock,)
        )
        ending = ending_of(_logs(folder), failed=False)
    except LmpError as error:
        ending = ending_of(_logs(folder), failed=True) if (error.status or -1) > 0 else None
        if ending is None:
            raise
    if ending is None:
        raise LmpError(f"`{run.command}` in {folder} stopped before its end without an error; see {LOG}")
    write_json(folder / ENDED, {"inputs": key, **asdict(ending)}, sort_keys=False)
    return ending


def read_ending(folder: Path, key: str | None = None) -> Ending | None:
    """Return how the run in a folder ended; None if it has not (or, with ``key``, not with these inputs)."""
    found = read_json(folder / ENDED)
    if found is None or (key is not None and found["inputs"] != key):
        return None
    return Ending(found["how"], tuple(found["last"]))


def _environment(run: Prepared) -> dict[str, str]:
    if run.module_folder is None:
        return {}
    return {"PYTHONPATH": os.pathsep.join([run.module_folder, *filter(None, [os.environ.get("PYTHONPATH")])])}


def _found(launch: Sequence[str]) -> list[str]:
    """Return the launch command, with the mpirun next to this Python if there is one."""
    beside = Path(sysconfig.get_path("scripts")) / "mpirun"
    return [str(beside), *launch[1:]] if launch[:1] == ("mpirun",) and beside.exists() else list(launch)


def _key(folder: Path, run: Prepared) -> str:
    """Return the hash of everything that determines the run."""
    total = hashlib.sha256()
    for name in (run.input, DATA, *run.own_files, *sorted(run.forces.links)):
        total.update(hashlib.sha256((folder / name).read_bytes()).digest())
    total.update(json.dumps([*run.launch, *run.arguments]).encode())
    return total.hexdigest()


def _logs(folder: Path) -> list[str]:
    """Return the texts of the partitions' logs, if any, and of the main log."""
    paths = [*sorted(folder.glob(f"{LOG}.*")), folder / LOG]
    return [path.read_text(errors="replace") for path in paths if path.is_file()]
