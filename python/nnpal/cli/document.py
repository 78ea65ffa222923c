"""The whole configuration file."""

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
    """One TOML file for labeling, training and evaluation; each command reads the tables that it needs."""

    data: DataSection | None = Field(None, description="labeled configurations to train on")
    oracle: OracleSection | None = Field(None, description="what computes labels")
    label: LabelSection | None = Field(None, description="what is labeled, and where labels are kept")
    augmentation: AugmentationSection | None = Field(None, description="noise on coordinates, labeled too")
    network: NetworkSettings = Field(NetworkSettings(), description="kind of network, and its size")
    loss: LossSettings = Field(LossSettings(), description="loss")
    training: TrainingSettings = Field(TrainingSettings(), description="how a member learns")
    ensemble: EnsembleSettings = Field(EnsembleSettings(), description="members, splits, devices")
    evaluate: EvaluateSection = Field(EvaluateSection(), description="what a model is held against")


def read_config(path: str | os.PathLike[str]) -> Config:
    """Return the configuration file at ``path``.

    Raises:
        ConfigError: see :func:`nnpal.config.read_toml`.
    """
    return read_toml(path, Config)


def needed(table: Table | None, name: str, path: str | os.PathLike[str]) -> Table:
    """Return a table that a command cannot do without.

    Raises:
        ConfigError: the file has none.
    """
    if table is None:
        raise ConfigError(
            f"{path}: no table [{name}], which this command needs (nnpal schema {name} says what it holds)"
        )
    return table
