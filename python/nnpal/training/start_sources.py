"""Sources of the initial weights of a training: networks of an earlier model.

``training.start`` names a model file, a training folder, a TorchANI model (``torchani:NAME``), or ``previous``, the
folder ``ensemble.previous``. Member k starts from member k mod M of the M members of the source, or from its best
member if that one failed.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import torchani.models
from torchani.arch import ANI
from torchani.nn import ANINetworks

from nnpal.model import ModelFileError, load_model, read_metadata
from nnpal.model.description import Description, NetworkDescription
from nnpal.model.member_networks import MemberNetworks, NotMembersError, networks_of_model, read_networks
from nnpal.model.networks import Network, all_of
from nnpal.model.schnet import SchNet, SchNetDescription, SchNetMembers, schnet_networks
from nnpal.model.settings import NetworkSettings
from nnpal.model.zip_records import DamagedArchiveError, checked_records
from nnpal.runtime.json_files import digest, file_hash
from nnpal.training.plan import PLAN, TrainingFolderError, member_folder, read_plan
from nnpal.training.result import RESULT, read_result
from nnpal.training.settings import PREVIOUS, RANDOM, TORCHANI, EnsembleSettings, TrainingSettings
from nnpal.training.start import START, Start, load_start, networks_hash
from nnpal.training.start_network import StartError, require_layers_left, require_learned_weights, started_network
from nnpal.training.worker import CHECKPOINT, restore

_KEY = "training.start"
TRAINING_FOLDER = "training folder"
WITH_PAIR_TERMS = ("ANI2xr", "ANI2dr", "ANIr2s", "SnnANI2xr")
"""Prefixes of TorchANI's models whose energies have additional terms."""

Members = MemberNetworks | SchNetMembers
"""Networks of one ensemble and their description."""


@dataclass(frozen=True)
class Source:
    """Networks of a source to start from.

    Attributes:
        kind: ``model file``, ``training folder`` or ``TorchANI model``.
        name: name of the source, for messages.
        members: networks and their description.
        of_number: member of the source -> its index among the networks.
        n_members: number of members of the source, including failed ones of a training folder.
        best: index of the network used instead of members that failed.
    """

    kind: str
    name: str
    members: Members
    of_number: dict[int, int]
    n_members: int
    best: int = 0

    def place(self, number: int) -> int:
        """Return the index of the network that member ``number`` of a new training starts from."""
        return self.of_number.get(number % self.n_members, self.best)


class SourceGoneError(StartError):
    """The source of a start does not exist, or cannot be reached."""


def find_start(
    folder: Path,
    network: Description | NetworkSettings | None,
    present: Sequence[str],
    training: TrainingSettings,
    ensemble: EnsembleSettings,
    model: ANI | None = None,
) -> Start | None:
    """Return the initial weights of a training's members, or None if they are random.

    If their source no longer exists, an existing training resumes with the weights that it has stored.

    Arguments:
        folder: training folder.
        network, present: see :func:`chosen_start`.
        training, ensemble: settings of the training and the ensemble.
        model: TorchANI model, hartree, used instead of ``training.start``.

    Raises:
        StartError: there are no trainable weights, or they do not fit the network and the data.
    """
    if ensemble.split == "random" and ensemble.previous is not None and training.start != PREVIOUS:
        why = "no effect with split = 'random' and without training.start = 'previous'; set one, or remove it"
        raise StartError("ensemble.previous", ensemble.previous, why)
    previous = None if ensemble.previous is None else Path(ensemble.previous)
    try:
        source = find_source(training, previous, model)
    except SourceGoneError:
        kept = _kept(folder, training)
        if kept is None:
            raise
        started_network(network, kept.description, present, START)
        return kept
    if source is None:
        require_learned_weights(training)
        return None
    return chosen_start(source, network, present, training, ensemble.members)


def _kept(folder: Path, training: TrainingSettings) -> Start | None:
    """Return the stored weights of a training with the same ``start``, or None if there are none."""
    if not (folder / START).exists() or not (folder / PLAN).exists():
        return None
    plan = read_plan(folder)
    if plan.start is None or plan.training.start != training.start:
        return None
    return load_start(folder, plan.network, plan.start)


def find_source(training: TrainingSettings, previous: Path | None, model: ANI | None = None) -> Source | None:
    """Return the source that a training starts from, or None if it starts from random weights.

    Arguments:
        training: settings with ``start``, a path relative to the working directory.
        previous: training folder for ``start = "previous"``.
        model: TorchANI model, hartree, used instead of ``training.start``.

    Raises:
        SourceGoneError: the source does not exist.
        StartError: the source has no trainable networks.
    """
    if model is not None:
        if training.start is not None:
            raise StartError(_KEY, training.start, "a TorchANI model is given to start from, too; remove one")
        return _of_model(model, type(model).__name__)
    start = training.start
    if start in (None, RANDOM):
        return None
    if start == PREVIOUS:
        if previous is None:
            why = "there is no ensemble.previous; give the earlier training's folder there, or instead of 'previous'"
            raise StartError(_KEY, start, why)
        return _of_folder(previous)
    if start.startswith(TORCHANI):
        return _of_model(_published(start), start)
    path = Path(start)
    if path.is_dir():
        return _of_folder(path)
    if not path.exists():
        raise SourceGoneError(_KEY, start, "not there; expected a model file or the folder of a training")
    try:
        members = _read_members(path)
    except (ModelFileError, NotMembersError, OSError) as error:
        raise StartError(_KEY, start, str(error).removeprefix(f"{start}: ")) from error
    return _source("model file", start, members)


def source_hash(start: str | None) -> str | None:
    """Return a hash of the files of ``training.start``, relative to the working directory; None if it is not a path.

    Raises:
        SourceGoneError: the source does not exist.
    """
    if start in (None, PREVIOUS, RANDOM) or start.startswith(TORCHANI):
        return None
    path = Path(start)
    files = [path]
    if path.is_dir():
        files = [path / PLAN, path / RESULT, *sorted(path.glob(f"member-*/{CHECKPOINT}"))]
    try:
        return digest([[str(file.relative_to(path)), file_hash(file)] for file in files])
    except OSError as error:
        why = f"{error.filename} cannot be read ({error.strerror}); expected a model file or the folder of a training"
        raise SourceGoneError(_KEY, start, why) from error


def chosen_start(
    source: Source,
    network: Description | NetworkSettings | None,
    present: Sequence[str],
    training: TrainingSettings,
    n_members: int,
) -> Start:
    """Return the weights that ``n_members`` members start from.

    Arguments:
        source: networks to start from.
        network: the configuration's description of the networks; the source supplies what it does not specify.
        present: elements in the data.
        training: settings with ``dtype`` and ``frozen_layers``.
        n_members: number of members of the training.

    Raises:
        StartError: the source lacks an element, ``network`` contradicts it, or no trainable layer is left.
    """
    description = started_network(network, source.members.description, present, source.name)
    require_layers_left(description, training.frozen_layers)
    wanted = [source.place(number) for number in range(n_members)]
    kept = sorted(set(wanted))
    cut = source.members.of_elements(description.symbols).networks
    networks = tuple(copy.deepcopy(cut[place]).to(getattr(torch, training.dtype)) for place in kept)
    number_of = {place: number for number, place in source.of_number.items()}
    record = {
        "kind": source.kind,
        "content_hash": networks_hash(description, networks),
        "members": [number_of[place] for place in wanted],
    }
    return Start(description, networks, tuple(kept.index(place) for place in wanted), record)


def _of_model(model: ANI, name: str) -> Source:
    if not isinstance(model, ANI):
        raise StartError("start", type(model).__name__, "expected a torchani.arch.ANI")
    try:
        return _source("TorchANI model", name, networks_of_model(model))
    except NotMembersError as error:
        raise StartError("start", name, str(error)) from error


def _source(kind: str, name: str, members: Members) -> Source:
    n_members = len(members.networks)
    return Source(kind, name, members, {number: number for number in range(n_members)}, n_members)


def _of_folder(folder: Path) -> Source:
    """Return the finished members of a finished training."""
    if not folder.exists():
        raise SourceGoneError(_KEY, str(folder), "not there; expected the folder of a training")
    try:
        plan, result = read_plan(folder), read_result(folder)
    except TrainingFolderError as error:
        raise StartError(_KEY, str(folder), str(error)) from error
    if result is None:
        raise StartError(_KEY, str(folder), "contains an unfinished training; finish it first")
    numbers = [k for k in range(plan.ensemble.members) if k not in result.failed]
    for path in (member_folder(folder, k) / CHECKPOINT for k in numbers):
        try:
            checked_records(path)
        except (OSError, DamagedArchiveError) as error:
            why = f"{path} is missing or damaged ({error}); give the model file that was exported from it"
            raise StartError(_KEY, str(folder), why) from error
    networks = [restore(folder, plan, k, torch.device("cpu")).best_network().double() for k in numbers]
    return Source(
        kind=TRAINING_FOLDER,
        name=str(folder),
        members=_members(plan.network, networks),
        of_number={number: place for place, number in enumerate(numbers)},
        n_members=plan.ensemble.members,
        best=numbers.index(result.best_member),
    )


def _members(description: Description, networks: Sequence[Network]) -> Members:
    if isinstance(description, SchNetDescription):
        return SchNetMembers(description, tuple(all_of(SchNet, networks)))
    return MemberNetworks(description, tuple(all_of(ANINetworks, networks)))


def _read_members(path: Path) -> Members:
    """Return the members of a model file.

    Raises:
        ModelFileError, OSError: the file cannot be read.
        NotMembersError: its networks are of a kind that nnpal does not train.
    """
    kind = read_metadata(path).kind
    if kind == NetworkDescription.kind:
        return read_networks(path)
    if kind != SchNetDescription.kind:
        raise NotMembersError(f"{path}: its networks are custom modules, which nnpal evaluates but does not train")
    try:
        return schnet_networks(load_model(path))
    except (ValueError, AttributeError, RuntimeError) as error:
        raise NotMembersError(f"{path}: its networks cannot be trained: {error}") from error


def _published(start: str) -> ANI:
    """Return a TorchANI model by its name; TorchANI downloads weights that are missing."""
    name = start.removeprefix(TORCHANI)
    known = sorted(n for n in dir(torchani.models) if n.startswith(("ANI", "SnnANI")) and n != "ANI")
    if name not in known:
        raise StartError(_KEY, start, f"TorchANI has no such model; it has {', '.join(known)}")
    if name.startswith(WITH_PAIR_TERMS):  # rejected before its weights are downloaded
        why = "its energy has terms besides its networks (xTB repulsion, D3 dispersion), and nnpal trains only networks"
        raise StartError(_KEY, start, f"{why}; start from ANI1x, ANI1ccx, ANI2x or ANI1xnr, or remove the key")
    try:
        model: ANI = getattr(torchani.models, name)()
    except OSError as error:  # urllib's errors are subclasses of OSError
        why = (
            f"TorchANI cannot fetch its weights ({error}); copy its data folder here from a machine that can, or a file"
        )
        raise SourceGoneError(_KEY, start, f"{why} that nnpal.export_ensemble wrote there") from error
    return model
