"""Train ensembles of neural network potentials on energies, forces and stresses."""

from nnpal.runtime.cores import usable_cores
from nnpal.training.data import TrainingData, build_training_data
from nnpal.training.ensemble import train_ensemble
from nnpal.training.loss import Errors, energy_force_loss
from nnpal.training.member import DivergedError, EpochRecord
from nnpal.training.plan import TrainingFolderError
from nnpal.training.self_energies import fit_self_energies
from nnpal.training.settings import EnsembleSettings, LossSettings, TrainingSettings
from nnpal.training.split import Split, inherited_split, random_split
from nnpal.training.trained import TrainedEnsemble, TrainedMember, load_ensemble

__all__ = [
    "DivergedError",
    "EnsembleSettings",
    "EpochRecord",
    "Errors",
    "LossSettings",
    "Split",
    "TrainedEnsemble",
    "TrainedMember",
    "TrainingData",
    "TrainingFolderError",
    "TrainingSettings",
    "build_training_data",
    "energy_force_loss",
    "fit_self_energies",
    "inherited_split",
    "load_ensemble",
    "random_split",
    "train_ensemble",
    "usable_cores",
]
