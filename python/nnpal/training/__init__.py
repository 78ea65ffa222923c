"""Train ensembles of TorchANI networks on energies and forces."""

from nnpal.training.dataset import Dataset, build_dataset, content_hash
from nnpal.training.ensemble import TrainedEnsemble, train_ensemble, usable_cores
from nnpal.training.loss import energy_force_loss
from nnpal.training.member import EpochRecord, TrainedMember, TrainingSettings, train_member
from nnpal.training.self_energies import fit_self_energies
from nnpal.training.split import Split, random_split

__all__ = [
    "Dataset",
    "EpochRecord",
    "Split",
    "TrainedEnsemble",
    "TrainedMember",
    "TrainingSettings",
    "build_dataset",
    "content_hash",
    "energy_force_loss",
    "fit_self_energies",
    "random_split",
    "train_ensemble",
    "train_member",
    "usable_cores",
]
