"""The complete configuration file."""

from __future__ import annotations

import os
from typing import TypeVar

from pydantic import Field

from nnpal.config.section import Section
from nnpal.config.toml import ConfigError, read_toml
from nnpal.data.settings import DataSection
from nnpal.evaluation.settings import EvaluateSection
from nnpal.label.settings import AugmentationSection, LabelSection
from nnpal.model.settings import NetworkSettings
from nnpal.oracle.settings import OracleSection
from nnpal.training.settings import EnsembleSettings, LossSettings, TrainingSettings

Table = TypeVar("Table")


class Config(Section):
    """One TOML file for labeling, training and evaluation. Each command reads the tables that it needs."""

    data: DataSection | None = Field(None, description="labeled configurations for training")
    oracle: OracleSection | None = Field(None, description="reference method that computes labels")
    label: LabelSection | None = Field(None, description="which structures to label, and where labels are stored")
    augmentation: AugmentationSection | None = Field(
        None, description="additional structures with random displacements, labeled too"
    )
    network: NetworkSettings = Field(NetworkSettings(), description="network type and size")
    loss: LossSettings = Field(LossSettings(), description="loss function")
    training: TrainingSettings = Field(TrainingSettings(), description="training of one ensemble member")
    ensemble: EnsembleSettings = Field(EnsembleSettings(), description="ensemble members, validation splits, devices")
    evaluate: EvaluateSection = Field(EvaluateSection(), description="reference data that a model is evaluated on")


def read_config(path: str | os.PathLike[str]) -> Config:
    """Return the configuration file at ``path``.

    Raises:
        ConfigError: see :func:`nnpal.config.read_toml`.
    """
    return read_toml(path, Config)


def needed(table: Table | None, name: str, path: str | os.PathLike[str]) -> Table:
    """Return a table that a command requires.

    Raises:
        ConfigError: the file has no such table.
    """
    if table is None:
        raise ConfigError(
            f"{path}: no table [{name}], which this command requires (run `nnpal schema {name}` to list its keys)"
        )
    return table
