"""Train an ensemble in a folder."""

from __future__ import annotations

import os
import shutil
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from ase import Atoms
from torchani.arch import ANI

from nnpal.calibration import Pairs
from nnpal.data import content_hash, write_dataset
from nnpal.model.description import Description
from nnpal.model.settings import NetworkSettings
from nnpal.runtime.cores import usable_cores
from nnpal.runtime.files import remove_leftovers
from nnpal.runtime.locks import HeldError, locked
from nnpal.runtime.places import require_folder
from nnpal.training.conclusion import conclude
from nnpal.training.data import GIGABYTE, build_training_data
from nnpal.training.kinds import require_usable
from nnpal.training.plan import (
    DATASET,
    PLAN,
    Plan,
    TrainingFolderError,
    draw_splits,
    hashes_learned,
    member_folder,
    read_plan,
    renew_free,
    require_same,
    write_plan,
    write_splits,
)
from nnpal.training.processes import OnEpoch, deal, resolve_devices, train_groups
from nnpal.training.result import read_result
from nnpal.training.settings import PREVIOUS, EnsembleSettings, LossSettings, TrainingSettings
from nnpal.training.start import START, Start, save_start
from nnpal.training.start_sources import TRAINING_FOLDER, find_start
from nnpal.training.storage import DATA, DERIVATIVES, load_data, remove_damaged, save_data
from nnpal.training.tensorboard import require_tensorboard
from nnpal.training.trained import TrainedEnsemble, load_ensemble
from nnpal.training.worker import CACHE, CHECKPOINT, ERROR, LOCK, restore


def train_ensemble(
    frames: Sequence[Atoms],
    folder: Path,
    *,
    network: Description | NetworkSettings | None = None,
    loss: LossSettings | None = None,
    training: TrainingSettings | None = None,
    ensemble: EnsembleSettings | None = None,
    start: ANI | None = None,
    on_features: Callable[[int, int], None] | None = None,
    on_epoch: OnEpoch | None = None,
) -> TrainedEnsemble:
    """Train members in parallel in ``folder``, or resume the training there.

    Members that failed in an earlier call are tried again.

    A member depends only on its seed, data and settings: not on the number of workers, nor on how often the training
    was interrupted, even by SIGKILL, and resumed.

    Arguments:
        frames: labeled configurations.
        folder: training folder, created if it does not exist; its contents are listed in :mod:`nnpal.training.plan`.
        network: kind, elements and layers; elements that settings do not name are taken from the data.
        loss, training, ensemble: settings, all with defaults.
        start: TorchANI model, hartree, whose members the new ones start from, instead of ``training.start``.
        on_features: called with the numbers of finished and of all configurations while features are computed.
        on_epoch: called with a member's number and its record, from threads of this process.

    Returns:
        The finished ensemble.

    Raises:
        TrainingFolderError: the folder holds another training, or no member finished.
        ValueError: the data, the settings or the start cannot be used.

    Example:
        >>> from pathlib import Path
        >>> from nnpal import read_frames, train_ensemble
        >>> from nnpal.model.settings import NetworkSettings
        >>> from nnpal.training import EnsembleSettings, TrainingSettings
        >>> trained = train_ensemble(
        ...     read_frames("labeled.h5"),
        ...     Path("train"),
        ...     network=NetworkSettings(hidden=(16,)),
        ...     training=TrainingSettings(updates=200, batch_size=8),
        ...     ensemble=EnsembleSettings(members=2),
        ... )
        >>> len(trained.members), trained.calibration is not None
        (2, True)
    """
    plan, begun = _plan(frames, folder, network, loss, training, ensemble, start)
    devices = resolve_devices(plan.ensemble.devices)
    with _alone(folder):
        members = _begin(frames, folder, plan, begun, on_features)
        if members is not None:
            n_workers = plan.ensemble.workers or max(1, usable_cores() // plan.ensemble.threads)
            groups = deal(members, devices)
            train_groups(folder, groups, n_workers=n_workers, threads=plan.ensemble.threads, on_epoch=on_epoch)
            conclude(folder, plan, None)
        return load_ensemble(folder)


def begin_training(
    frames: Sequence[Atoms],
    folder: Path,
    *,
    network: Description | NetworkSettings | None = None,
    loss: LossSettings | None = None,
    training: TrainingSettings | None = None,
    ensemble: EnsembleSettings | None = None,
    on_features: Callable[[int, int], None] | None = None,
    start: ANI | None = None,
    log: Callable[[str], None] = warnings.warn,
) -> list[int]:
    """Create a training folder, so that other processes, on any machine, can train the members.

    Arguments: as for :func:`train_ensemble`; ``log`` takes lines of text.

    Returns:
        Members that are not finished. Train them by :mod:`nnpal.training.worker`, then call :func:`end_training`.
    """
    plan, begun = _plan(frames, folder, network, loss, training, ensemble, start)
    with _alone(folder):
        return _begin(frames, folder, plan, begun, on_features, log) or []


def end_training(folder: Path, failed: Mapping[int, str], candidates: Pairs | None = None) -> TrainedEnsemble:
    """Rank the members that other processes have trained, and return the ensemble.

    Arguments:
        folder: training folder made by :func:`begin_training`.
        failed: members that could not be trained, and the reasons.
        candidates: spreads and errors outside the data, see :func:`nnpal.calibration.calibrate`.

    Raises:
        TrainingFolderError: no member finished, or one is neither finished nor failed.
    """
    plan = read_plan(folder)
    with _alone(folder):
        if read_result(folder) is None:
            for number, reason in failed.items():
                (member_folder(folder, number) / ERROR).write_text(reason + "\n")
            for number in range(plan.ensemble.members):
                if not _is_finished(folder, plan, number) and not (member_folder(folder, number) / ERROR).exists():
                    raise TrainingFolderError(f"{folder}: member {number} is not trained to its end")
            conclude(folder, plan, candidates)
        return load_ensemble(folder)


def _plan(
    frames: Sequence[Atoms],
    folder: Path,
    network: Description | NetworkSettings | None,
    loss: LossSettings | None,
    training: TrainingSettings | None,
    ensemble: EnsembleSettings | None,
    model: ANI | None,
) -> tuple[Plan, Start | None]:
    """Return the plan, and the weights to start from; None: random weights."""
    loss, training, ensemble = loss or LossSettings(), training or TrainingSettings(), ensemble or EnsembleSettings()
    if training.tensorboard:
        require_tensorboard()
    present = sorted({symbol for frame in frames for symbol in frame.get_chemical_symbols()})
    start = find_start(folder, network, present, training, ensemble, model)
    if start is not None:
        network = start.description
    elif network is None or isinstance(network, NetworkSettings):
        network = (network or NetworkSettings()).description(present)
    require_usable(training, network)
    require_folder("the training folder", folder)
    folder.mkdir(parents=True, exist_ok=True)
    record = None if start is None else start.record
    return Plan(network, loss, training, ensemble, content_hash(frames), _previous(ensemble), record), start


def _begin(
    frames: Sequence[Atoms],
    folder: Path,
    plan: Plan,
    start: Start | None,
    on_features: Callable[[int, int], None] | None,
    log: Callable[[str], None] = warnings.warn,
) -> list[int] | None:
    """Prepare what the members need, and return those that are not finished; None: the training is complete."""
    if (folder / PLAN).exists():
        require_same(folder, plan)
    result = read_result(folder)
    if result is not None and not result.failed:
        shutil.rmtree(folder / CACHE, ignore_errors=True)  # an earlier call may have been killed just before this
        return None
    if (folder / PLAN).exists():
        renew_free(folder, plan)
    checkpoints = [member_folder(folder, member) / CHECKPOINT for member in range(plan.ensemble.members)]
    remove_damaged([*checkpoints, folder / CACHE / DATA, folder / START], log)
    _prepare(frames, folder, plan, start, on_features)  # members that failed are tried again, from their checkpoints
    members = [k for k in range(plan.ensemble.members) if not _is_finished(folder, plan, k)]
    for member in members:
        (member_folder(folder, member) / ERROR).unlink(missing_ok=True)
    return members


def _previous(ensemble: EnsembleSettings) -> dict[str, object] | None:
    if ensemble.previous is None or ensemble.split == "random":
        return None
    path = Path(ensemble.previous)
    before = read_result(path)
    if before is None:
        raise TrainingFolderError(f"ensemble.previous = {ensemble.previous}: no finished training there")
    return {
        "folder": str(path),
        "member": before.best_member,
        "content_hash": read_plan(path).content_hash,
    }


def _prepare(
    frames: Sequence[Atoms],
    folder: Path,
    plan: Plan,
    start: Start | None,
    on_features: Callable[[int, int], None] | None,
) -> None:
    """Write everything that workers read, replacing what an interrupted call left."""
    cache = folder / CACHE
    if not (folder / PLAN).exists():  # files of a killed call may belong to other data or another start
        shutil.rmtree(cache, ignore_errors=True)
        (folder / START).unlink(missing_ok=True)
    if start is not None and not (folder / START).exists():
        save_start(folder, start)
    for member in range(plan.ensemble.members):
        member_folder(folder, member).mkdir(parents=True, exist_ok=True)
    if not (cache / DATA).exists():
        shutil.rmtree(cache, ignore_errors=True)
        cache.mkdir()
        with _threads(plan.ensemble.threads):
            data = build_training_data(
                frames,
                plan.network,
                dtype=getattr(torch, plan.training.dtype),
                stress=plan.loss.stress_weight > 0,
                features=plan.training.features,
                limit_bytes=_limit_bytes(plan.training, plan.ensemble.devices),
                store=cache / DERIVATIVES,
                on_progress=on_features,
                starts=() if start is None else start.networks,
            )
        save_data(cache, data)
    if not (folder / PLAN).exists():
        write_dataset(folder / DATASET, frames, provenance={"for": "nnpal train"})
        hashes = load_data(cache, plan.network).hashes
        write_splits(folder, hashes, draw_splits(plan, hashes), _learned_before(plan, start))
        write_plan(folder, plan)


def _learned_before(plan: Plan, start: Start | None) -> list[set[str]] | None:
    """Return what each member was trained on before, in the trainings that it starts from; None: unknown."""
    if start is None or start.record["kind"] != TRAINING_FOLDER:
        return None
    source = plan.ensemble.previous if plan.training.start == PREVIOUS else plan.training.start
    known = hashes_learned(Path(str(source)))
    return [known[number] for number in start.record["members"]]


def _limit_bytes(training: TrainingSettings, devices: Sequence[str]) -> float:
    if training.features_gigabytes is not None:
        return training.features_gigabytes * GIGABYTE
    return features_limit(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"), free_on_gpus(devices))


def features_limit(host_bytes: float, free_gpu_bytes: Sequence[float]) -> float:
    """Return the largest size of stored features, bytes: half of the smallest memory that will hold them.

    Arguments:
        host_bytes: memory of this machine, bytes.
        free_gpu_bytes: free memory of each GPU used for training, bytes; each gets a copy.
    """
    return 0.5 * min([host_bytes, *free_gpu_bytes])


def free_on_gpus(devices: Sequence[str]) -> list[int]:
    """Return the free bytes of each GPU among ``devices``; an empty list if they belong to another machine."""
    try:
        names = resolve_devices(devices)
    except ValueError:
        return []
    return [torch.cuda.mem_get_info(name)[0] for name in dict.fromkeys(names) if name != "cpu"]


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    try:
        with locked(folder / LOCK, wait=False):
            yield
            remove_leftovers(folder)  # of killed trainings and workers
    except HeldError as error:
        raise TrainingFolderError(
            f"{folder}: {error.holder} is training here; wait until it ends, or end it"
        ) from error


@contextmanager
def _threads(n_threads: int) -> Iterator[None]:
    """Let torch use ``n_threads`` threads: more threads than idle cores make small tensors many times slower."""
    before = torch.get_num_threads()
    torch.set_num_threads(n_threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _is_finished(folder: Path, plan: Plan, number: int) -> bool:
    path = member_folder(folder, number) / CHECKPOINT
    return path.exists() and restore(folder, plan, number, torch.device("cpu")).finished
