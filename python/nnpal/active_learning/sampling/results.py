"""Results of a run: frames with their uncertainties, and the rows between them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers

from nnpal.active_learning.sampling.ending import COMPLETE
from nnpal.active_learning.sampling.execution import read_ending
from nnpal.active_learning.sampling.facts import MOMTFacts, SMDFacts
from nnpal.active_learning.sampling.lammps_input import ERROR, FRAMES, ROWS, own_name
from nnpal.geometry.electrons import Electrons, put
from nnpal.lammps.dump import Dump, read_dump, read_rows
from nnpal.smd import Pull

INTERRUPTED = "interrupted"
MOMT_COLUMNS = ("H", "O", "volume", "dH", "phase", "temperature", "energy")
NOTHING = Electrons()


@dataclass(frozen=True)
class SMDRun:
    """One pull, in eV, Å, ps and K; rows are more frequent than frames, and each frame has a row.

    Attributes:
        step, distance, target, force, work: d, λ, k (λ − d) and ∫ F dλ of each row from step 0 on, [n_rows].
        temperature, energy: temperature and potential energy without the spring of each row, [n_rows].
        uq_trace: uncertainty of each row, of the kind ``explore.uq``, [n_rows]; None under an oracle.
        frames: configurations, with ``info["step"]``, ``info["source"]`` and ``info["tag"]``.
        frame_step: step of each frame, [n_frames].
        uq: uncertainty of each frame, [n_frames]; None under an oracle.
        uq_energy, uq_force: uncertainties of each atom, eV and eV/Å, [n_frames, n_atoms]; None under an oracle.
        rate: pulling rate, Å/ps.
        ended: see :class:`nnpal.active_learning.sampling.ending.Ending`; "interrupted" if the run was killed.
        name: name of the folder.
        error_trace, error: largest calibrated force error, eV/Å, of each row, [n_rows], and of each frame, [n_frames],
            infinite without calibration; None under an oracle and in runs of earlier versions.
    """

    step: np.ndarray
    distance: np.ndarray
    target: np.ndarray
    force: np.ndarray
    work: np.ndarray
    temperature: np.ndarray
    energy: np.ndarray
    uq_trace: np.ndarray | None
    frames: list[Atoms]
    frame_step: np.ndarray
    uq: np.ndarray | None
    uq_energy: np.ndarray | None
    uq_force: np.ndarray | None
    rate: float
    ended: str
    name: str
    error_trace: np.ndarray | None = None
    error: np.ndarray | None = None

    @property
    def complete(self) -> bool:
        return self.ended == COMPLETE

    @property
    def pull(self) -> Pull:
        """The pull as :func:`nnpal.smd.activation_energy` and :func:`nnpal.smd.find_break` take it."""
        return Pull(self.step, self.distance, self.target, self.force, self.work, name=self.name)


@dataclass(frozen=True)
class IsobaricRun:
    """A sampling at constant pressure, in eV, Å and K.

    Attributes:
        frames: configurations, with ``info["step"]``, ``info["source"]`` and ``info["tag"]``.
        frame_step: step of each frame, [n_frames].
        H, O, V: enthalpy, order parameter, volume (Å³) of each frame, [n_frames]; O is NaN if it is not computed.
        temperature, energy: temperature and potential energy (with the bias in MOMT) of each frame, [n_frames].
        uq_energy: uncertainty of each atom, eV, [n_frames, n_atoms]; None under an oracle.
        ended, name: as in :class:`SMDRun`.
    """

    frames: list[Atoms]
    frame_step: np.ndarray
    H: np.ndarray
    O: np.ndarray  # noqa: E741
    V: np.ndarray
    temperature: np.ndarray
    energy: np.ndarray
    uq_energy: np.ndarray | None
    ended: str
    name: str

    @property
    def complete(self) -> bool:
        return self.ended == COMPLETE


@dataclass(frozen=True)
class MOMTRun(IsobaricRun):
    """A MOMT run; frames of all walkers are ordered by step.

    Attributes:
        walker: number of the walker of each frame, [n_frames].
        dH: bias δH of each frame, eV, [n_frames].
        learning: whether each frame is from the learning phase, bool [n_frames].
    """

    walker: np.ndarray
    dH: np.ndarray
    learning: np.ndarray


def read_smd(folder: Path) -> SMDRun:
    """Read a pull; of an interrupted or failed one, the complete rows and frames.

    Raises:
        FileNotFoundError: the folder has no run.
        ValueError: a file has the wrong format.
    """
    facts = SMDFacts.read(folder)
    rows = read_rows(folder / ROWS)
    dump = read_dump(folder / FRAMES)
    energy = 1.0 / facts.unit_factors.energy
    step = column_of(rows, "step").astype(np.int64)
    in_rows, in_frames = in_common(step, dump.step)
    trace = column_of(rows, facts.uq) if facts.has_uq else None
    errors = column_of(rows, ERROR) if facts.has_uq and (ERROR in rows or not rows) else None
    return SMDRun(
        step=step,
        distance=column_of(rows, "d"),
        target=column_of(rows, "lambda"),
        force=energy * column_of(rows, "force"),
        work=energy * column_of(rows, "work"),
        temperature=column_of(rows, "temperature"),
        energy=energy * column_of(rows, "energy"),
        uq_trace=trace,
        frames=frames_of(dump, in_frames, facts.symbols, "smd", folder.name, facts.stated),
        frame_step=dump.step[in_frames],
        uq=None if trace is None else trace[in_rows],
        uq_energy=atomic_of(dump, in_frames, "f_atoms[1]") if facts.has_uq else None,
        uq_force=atomic_of(dump, in_frames, "f_atoms[2]") if facts.has_uq else None,
        rate=facts.rate,
        ended=ended_of(folder),
        name=folder.name,
        error_trace=errors,
        error=None if errors is None else errors[in_rows],
    )


def read_rows_of_pull(folder: Path) -> tuple[Pull, str]:
    """Return the rows of a pull, in eV, without its frames, and how it ended.

    Raises:
        FileNotFoundError, ValueError: as for :func:`read_smd`.
    """
    facts, rows = SMDFacts.read(folder), read_rows(folder / ROWS)
    energy = 1.0 / facts.unit_factors.energy
    step, distance, target, force, work = (column_of(rows, name) for name in ("step", "d", "lambda", "force", "work"))
    return Pull(step.astype(np.int64), distance, target, energy * force, energy * work, name=folder.name), ended_of(
        folder
    )


def read_momt(folder: Path) -> MOMTRun:
    """Read a MOMT run with all walkers; of an interrupted or failed one, the complete frames.

    Raises:
        FileNotFoundError, ValueError: as for :func:`read_smd`.
    """
    facts = MOMTFacts.read(folder)
    n_walkers = facts.walkers
    energy = 1.0 / facts.unit_factors.energy
    frames: list[Atoms] = []
    steps, walkers, atomic = [], [], []
    columns: dict[str, list[np.ndarray]] = {name: [] for name in MOMT_COLUMNS}
    for walker in range(n_walkers):
        rows = read_rows(folder / own_name(ROWS, walker, n_walkers))
        dump = read_dump(folder / own_name(FRAMES, walker, n_walkers))
        in_rows, in_frames = in_common(column_of(rows, "step").astype(np.int64), dump.step)
        source = folder.name if n_walkers == 1 else f"{folder.name} walker {walker}"
        frames += frames_of(dump, in_frames, facts.symbols, "momt", source, facts.stated)
        steps.append(dump.step[in_frames])
        walkers.append(np.full(len(in_frames), walker))
        for name, values in columns.items():
            values.append(column_of(rows, name)[in_rows])
        if facts.has_uq and len(in_frames):
            atomic.append(atomic_of(dump, in_frames, "f_atoms"))
    step = np.concatenate(steps)
    order = np.argsort(step, kind="stable")
    column = {name: np.concatenate(values)[order] for name, values in columns.items()}
    none = np.zeros((0, len(facts.types)))
    return MOMTRun(
        frames=[frames[i] for i in order],
        frame_step=step[order],
        walker=np.concatenate(walkers)[order],
        H=energy * column["H"],
        O=column["O"],
        V=column["volume"],
        dH=energy * column["dH"],
        temperature=column["temperature"],
        energy=energy * column["energy"],
        learning=column["phase"] == 0,
        uq_energy=np.concatenate([none, *atomic])[order] if facts.has_uq else None,
        ended=ended_of(folder),
        name=folder.name,
    )


AnyRun = TypeVar("AnyRun", SMDRun, IsobaricRun)


def read_given_up(read: Callable[[Path], AnyRun], folder: Path) -> AnyRun | None:
    """Read the last attempt at a run that was given up; return None if it has no frames.

    The run is marked as interrupted, whatever its folder says.

    Arguments:
        read: reader, such as :func:`read_smd` or :func:`read_momt`.
        folder: folder of the run.
    """
    try:
        run = read(folder)
    except (FileNotFoundError, ValueError):
        return None
    return replace(run, ended=INTERRUPTED) if run.frames else None


def frames_of(
    dump: Dump, chosen: np.ndarray, symbols: Sequence[str], tag: str, source: str, electrons: Electrons = NOTHING
) -> list[Atoms]:
    """Return chosen frames of a dump; cell vectors along nonperiodic directions are zero.

    Arguments:
        electrons: charge and spin of the initial structure.
    """
    if not len(chosen):
        return []
    numbers = np.array([atomic_numbers[symbol] for symbol in symbols])
    types = dump.column("type")[0, :, 0].astype(int)
    positions = dump.column("xu", "yu", "zu")
    cells = dump.cell * np.array(dump.periodic)[:, None]
    frames = []
    for i in chosen.tolist():
        step = int(dump.step[i])
        info = {"step": step, "source": f"{source} step {step}", "tag": tag}
        frame = Atoms(numbers[types - 1], positions=positions[i], cell=cells[i], pbc=dump.periodic, info=info)
        put(frame, electrons)
        frames.append(frame)
    return frames


def in_common(step: np.ndarray, frame_step: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the indices of rows and frames with common steps, in the order of the steps."""
    _, in_rows, in_frames = np.intersect1d(step, frame_step, return_indices=True)
    return in_rows, in_frames


def column_of(rows: dict[str, np.ndarray], name: str) -> np.ndarray:
    """Return a column of the rows; empty if there are no rows."""
    return rows[name] if rows else np.zeros(0)


def atomic_of(dump: Dump, chosen: np.ndarray, name: str) -> np.ndarray:
    """Return a column of the dump for each atom of chosen frames, [n_chosen, n_atoms]."""
    return dump.column(name)[chosen, :, 0] if len(dump) else np.zeros((0, 0))


def ended_of(folder: Path) -> str:
    """Return how a run ended; "interrupted" if its folder has no ending."""
    ending = read_ending(folder)
    return INTERRUPTED if ending is None else ending.how
