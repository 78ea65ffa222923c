"""A finished training, read from its folder."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torchani.arch import ANI
from torchani.nn import ANINetworks

from nnpal.calibration import Calibration
from nnpal.model.build import build_model
from nnpal.model.description import NetworkDescription
from nnpal.model.networks import Network, all_of
from nnpal.training.calibration_file import read_calibration
from nnpal.training.member import EpochRecord
from nnpal.training.plan import Plan, TrainingFolderError, member_folder, read_plan
from nnpal.training.result import Result, read_result
from nnpal.training.split import Split
from nnpal.training.worker import CHECKPOINT, restore


@dataclass(frozen=True)
class TrainedMember:
    """A member with its best weights according to validation.

    Attributes:
        number: number of the member in the plan.
        network: network with the best weights, eV.
        split: training and validation configurations.
        history: one record for each epoch.
        best_epoch: the epoch whose weights are kept.
        seed: seed of weights and batches.
    """

    number: int
    network: Network
    split: Split
    history: list[EpochRecord]
    best_epoch: int
    seed: int


@dataclass(frozen=True)
class TrainedEnsemble:
    """An ensemble ready for export.

    Attributes:
        folder: training folder.
        plan: plan of the training.
        members: members that finished.
        result: best member, self-energies, and the reasons why others failed.
        calibration: calibration of the spread of all members; None: see ``uncalibrated``.
        uncalibrated: reason why there is no calibration.
    """

    folder: Path
    plan: Plan
    members: list[TrainedMember]
    result: Result
    calibration: Calibration | None = None
    uncalibrated: str | None = None

    @property
    def best(self) -> TrainedMember:
        """The member with the smallest validation error."""
        return next(member for member in self.members if member.number == self.result.best_member)

    def model(self, members: Sequence[TrainedMember] | None = None, dtype: torch.dtype | None = None) -> ANI:
        """Return a TorchANI model, hartree, of some members, by default all.

        Arguments:
            members: members of this ensemble.
            dtype: floating-point type of the weights, by default that of training; conversion to hartree rounds in it.

        Raises:
            ValueError: the networks are of another kind; :func:`nnpal.training.release.release` writes a model file.
        """
        description = self.plan.network
        if not isinstance(description, NetworkDescription):
            raise ValueError(f"{self.folder}: networks of kind {description.kind!r} are not TorchANI's; use release()")
        chosen = self.members if members is None else members
        networks = all_of(ANINetworks, (member.network for member in chosen))
        copies = [network if dtype is None else copy.deepcopy(network).to(dtype) for network in networks]
        return build_model(description, copies, self.result.self_energies)


def load_ensemble(folder: Path) -> TrainedEnsemble:
    """Return the ensemble that was trained in ``folder``.

    Arguments:
        folder: folder of a finished training.

    Raises:
        TrainingFolderError: this is not a training folder, the training is unfinished, or its calibration is damaged.
    """
    plan, result = read_plan(folder), read_result(folder)
    if result is None:
        raise TrainingFolderError(f"{folder} holds a training that is not finished; resume it first")
    members = [k for k in range(plan.ensemble.members) if k not in result.failed]
    calibration, why_none = read_calibration(folder, len(plan.network.symbols))
    if calibration is not None and calibration.evidence.get("members", members) != members:  # killed between two files
        calibration, why_none = None, "it is of other members; run the training again to its end"
    trained = [load_member(folder, plan, k) for k in members]
    return TrainedEnsemble(folder, plan, trained, result, calibration, why_none)


def load_member(folder: Path, plan: Plan, number: int) -> TrainedMember:
    """Return a member of a training folder.

    Raises:
        TrainingFolderError: the member's checkpoint is missing.
    """
    path = member_folder(folder, number) / CHECKPOINT
    if not path.exists():  # otherwise the member would have random weights
        raise TrainingFolderError(f"{path} no longer exists, and with it the training; restore it, or train again")
    member = restore(folder, plan, number, torch.device("cpu"))
    return TrainedMember(
        number=number,
        network=member.best_network(),
        split=member.split,
        history=member.progress.history,
        best_epoch=member.progress.best_epoch,
        seed=member.seed,
    )
