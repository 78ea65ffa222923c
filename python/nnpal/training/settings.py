"""The tables [loss], [training] and [ensemble] of the configuration file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from nnpal.config import Section

Fraction = Annotated[float, Field(gt=0, lt=1)]
Seed = Annotated[int, Field(ge=0, lt=2**63)]
PREVIOUS, RANDOM, TORCHANI = "previous", "random", "torchani:"
"""Values (and a prefix of values) of ``training.start`` that are not paths."""


class LossSettings(Section):
    """[loss]: loss function, equation (3) of the supplementary texts and variants."""

    force_weight: NonNegativeFloat = Field(0.1, description="α, weight of the force term, Å²")
    stress_weight: NonNegativeFloat = Field(0.0, description="γ, weight of the stress term (stress times volume)")
    huber_energy: PositiveFloat | None = Field(
        None,
        description="Huber threshold of the energy error, eV/atom: larger errors count linearly; absent: "
        "squared errors",
    )
    huber_force: PositiveFloat | None = Field(
        None,
        description="Huber threshold of a force component's error, eV/Å: larger errors count linearly; absent: "
        "squared errors",
    )
    huber_stress: PositiveFloat | None = Field(
        None,
        description="Huber threshold of the error of stress times volume, eV/atom: larger errors count linearly; "
        "absent: squared errors",
    )


class TrainingSettings(Section):
    """[training]: training of one member; docs/training.md has the measurements behind the defaults."""

    batch_size: PositiveInt = Field(16, description="number of configurations per update")
    updates: PositiveInt | None = Field(
        None,
        description="length of the training in updates; absent: max_epochs, or else the larger of 3000 updates and "
        "20 epochs",
    )
    max_epochs: PositiveInt | None = Field(
        None, description="length of the training in passes over the training data, instead of updates"
    )
    optimizer: Literal["soap", "adamw"] = Field("soap", description="optimizer of weights and biases")
    learning_rate: PositiveFloat | None = Field(
        None, description="maximum learning rate of the schedule; absent: 8e-3 for SOAP, 1e-3 for AdamW"
    )
    schedule: Literal["linear", "plateau"] = Field(
        "linear",
        description="learning-rate schedule; linear: warm-up, then linear decay to zero at the last update; plateau: "
        "reduced when the validation value stops improving",
    )
    warmup: Annotated[int, Field(ge=0)] = Field(
        50, description="warm-up of the linear schedule in updates, at most a tenth of the training"
    )
    initialization: Literal["kaiming", "uniform"] = Field(
        "kaiming",
        description="random initial weights; kaiming: normal with variance 2/inputs, biases 0; uniform: torch's "
        "default for weights and biases",
    )
    aev_scaling: Literal["none", "standardize", "whiten"] = Field(
        "none",
        description="update the first layer as if AEVs were scaled; standardize: each component to mean 0 and standard "
        "deviation 1; whiten: also uncorrelated; model files contain plain weights",
    )
    weight_decay: NonNegativeFloat | None = Field(
        None, description="decoupled weight decay; absent: 0 for SOAP, 1e-2 for AdamW"
    )
    bias_optimizer: Literal["adamw", "sgd"] | None = Field(
        None, description="optimizer of the biases; absent: the same as for the weights"
    )
    bias_learning_rate: PositiveFloat = Field(1e-4, description="maximum learning rate, with bias_optimizer = 'sgd'")
    plateau_factor: Fraction = Field(0.5, description="with schedule = 'plateau': factor of each reduction")
    plateau_patience: Annotated[int, Field(ge=0)] = Field(
        100,
        description="with schedule = 'plateau': reduce the rate after this many epochs without a better "
        "validation value (best_by)",
    )
    early_stop_patience: PositiveInt | None = Field(
        None, description="stop early after this many epochs without a better validation value; absent: never"
    )
    min_learning_rate: NonNegativeFloat = Field(
        0.0, description="with schedule = 'plateau': stop when the learning rate falls below this value"
    )
    ema: Fraction | None = Field(
        None,
        description="decay per update of an exponential moving average of the weights, which is then validated "
        "and saved; absent: no average",
    )
    best_by: Literal["loss", "energy", "force"] = Field(
        "force",
        description="validation value that decides on plateaus, early stopping and the epoch that is saved: the loss "
        "(which a single outlier can dominate), or the MAE of energies or forces",
    )
    dtype: Literal["float32", "float64"] = Field("float32", description="floating-point type of weights and features")
    features: Literal["auto", "stored", "recomputed"] = Field(
        "auto",
        description="stored: compute AEVs and their derivatives once for all epochs; recomputed: compute AEVs at each "
        "update from stored neighbor lists; auto: stored if they fit in memory",
    )
    features_gigabytes: PositiveFloat | None = Field(
        None,
        description="largest size in GB of stored features with features = 'auto', and of neighbor lists kept on a "
        "GPU; "
        "absent: half of the memory of this machine, or half of the free memory on the GPU that has the least, if that "
        "is less",
    )
    checkpoint_every: PositiveInt | None = Field(
        None, description="number of epochs between checkpoints; absent: about 100 updates, at least one epoch"
    )
    tensorboard: bool = Field(
        False,
        description="also write learning curves for TensorBoard, to tensorboard/ in the training folder; requires "
        "pip install tensorboard",
    )
    start: str | None = Field(
        None,
        min_length=1,
        description="initial networks: path of a model file or training folder, relative to the configuration file; "
        "a TorchANI model such as torchani:ANI2x; previous: the previous iteration, or ensemble.previous; random: "
        "random weights; absent: random, in loops previous from the second iteration on",
    )
    frozen_layers: NonNegativeInt = Field(
        0, description="number of first layers of each network that keep the weights of `start`"
    )

    @model_validator(mode="after")
    def _fit_together(self) -> TrainingSettings:
        if self.updates is not None and self.max_epochs is not None:
            raise ValueError(
                f"updates = {self.updates} and max_epochs = {self.max_epochs} both set the training's length; set one"
            )
        if self.bias_optimizer == "adamw" and self.optimizer != "adamw":
            raise ValueError(
                f"bias_optimizer = 'adamw' with optimizer = {self.optimizer!r}: use 'sgd' or remove the key "
                "(biases then use the optimizer of the weights), or set optimizer = 'adamw'"
            )
        if self.schedule == "plateau" and self.warmup != type(self).model_fields["warmup"].default:
            raise ValueError(f"warmup = {self.warmup} has no effect with schedule = 'plateau'; remove it")
        if self.schedule == "linear":
            fields = type(self).model_fields
            for key in ("plateau_factor", "plateau_patience", "min_learning_rate"):
                if getattr(self, key) != fields[key].default:
                    raise ValueError(
                        f"{key} = {getattr(self, key)} has no effect with schedule = 'linear', the default; remove it, "
                        "or set schedule = 'plateau'"
                    )
        return self

    def located(self, base: Path) -> TrainingSettings:
        """Return the same settings with ``start`` as a path that does not depend on the working directory.

        Arguments:
            base: folder that relative paths refer to.
        """
        if self.start in (None, PREVIOUS, RANDOM) or self.start.startswith(TORCHANI):
            return self
        return self.model_copy(update={"start": str(base / self.start)})

    def from_random(self) -> TrainingSettings:
        """Return the same settings without ``start``."""
        return self.model_copy(update={"start": None, "frozen_layers": 0})


class EnsembleSettings(Section):
    """[ensemble]: ensemble members, their validation splits and devices."""

    folder: str = Field("train", description="training folder, relative to the configuration file")
    members: PositiveInt = Field(5, description="number of ensemble members")
    seed: Seed = Field(
        1, description="random seed from which the seeds of the members are derived, unless `seeds` gives them"
    )
    seeds: tuple[Seed, ...] | None = Field(
        None, min_length=1, description="random seeds, one per member, all different; absent: derived from `seed`"
    )
    split: Literal["random", "inherited"] = Field(
        "random",
        description="training/validation split; random: each member splits all data at random; inherited: data keep "
        "the role that they had in the best member of `previous`, and only new data are split at random",
    )
    previous: str | None = Field(
        None, description="training folder of the previous iteration, for inherited splits and training.start"
    )
    validation_fraction: Fraction = Field(0.2, description="fraction of the data in the validation set of each member")
    best_member: str = Field(
        "validation",
        description="how members are ranked: validation, or MODULE:FUNCTION, called with the path of a model file; "
        "the lowest value is best",
    )
    workers: PositiveInt | None = Field(
        None, description="number of members trained at the same time on CPUs; absent: number of available cores"
    )
    threads: PositiveInt = Field(
        1, description="CPU threads per member; results are reproducible only with the same number"
    )
    devices: tuple[str, ...] = Field(
        ("auto",),
        min_length=1,
        description="devices, to which members are assigned in turn: cpu, cuda, cuda:N; auto: all GPUs, or the CPU if "
        "there is none. Members on one GPU are trained in one batched process, members on CPUs in one process each",
    )

    @model_validator(mode="after")
    def _fit_together(self) -> EnsembleSettings:
        if self.seeds is not None and len(self.seeds) != self.members:
            raise ValueError(f"seeds are {len(self.seeds)}, but members = {self.members}")
        if self.seeds is not None and len(set(self.seeds)) != len(self.seeds):
            raise ValueError(f"seeds are {list(self.seeds)}, expected all different")
        if self.split == "inherited" and self.previous is None:
            raise ValueError("split = 'inherited' without previous: give the folder of the earlier training")
        return self

    def located(self, base: Path) -> EnsembleSettings:
        """Return the same settings with paths of folders that do not depend on the working directory.

        Arguments:
            base: folder that relative paths refer to.
        """
        previous = None if self.previous is None else str(base / self.previous)
        return self.model_copy(update={"folder": str(base / self.folder), "previous": previous})

    def member_seeds(self) -> list[int]:
        """Return one seed for each member."""
        if self.seeds is not None:
            return list(self.seeds)
        return [int(s.generate_state(1, np.uint32)[0]) for s in np.random.SeedSequence(self.seed).spawn(self.members)]
