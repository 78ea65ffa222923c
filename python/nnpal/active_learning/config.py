"""The configuration file of `nnpal run`."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from nnpal.active_learning.engine.settings import RunSection
from nnpal.active_learning.sampling import ExploreSection, InitialSection, SMDSection
from nnpal.active_learning.selection.threshold import least_values
from nnpal.active_learning.settings import (
    DistillationSection,
    LoopEnsembleSection,
    LoopLabelSection,
    RareEventsSection,
    TranslationSection,
)
from nnpal.config import Section, read_toml
from nnpal.evaluation.settings import StructureSettings
from nnpal.label.settings import AugmentationSection
from nnpal.model.settings import NetworkSettings
from nnpal.oracle.settings import LammpsSection, OracleSection, oracle_from
from nnpal.runtime.json_files import file_hash
from nnpal.training.settings import PREVIOUS, LossSettings, TrainingSettings
from nnpal.training.start_sources import source_hash

Kind = Literal["rare_events", "distillation", "translation"]
KINDS: tuple[Kind, ...] = ("rare_events", "distillation", "translation")


class CrystalsSection(Section):
    """[crystals]: crystals to relax under each model and under the oracle (LAMMPS oracles only)."""

    structures: tuple[StructureSettings, ...] = Field(min_length=1, description="crystals to relax")


class RunConfig(Section):
    """One TOML file for an active-learning workflow: [rare_events], [distillation] or [translation]."""

    run: RunSection = Field(RunSection(), description="run folder, limits, and where tasks run")
    rare_events: RareEventsSection | None = Field(None, description="workflow for rare events, sampled by steered MD")
    distillation: DistillationSection | None = Field(
        None, description="workflow for data distillation, sampled by MOMT or NPT dynamics"
    )
    translation: TranslationSection | None = Field(
        None, description="workflow that converts a distilled dataset to another metal"
    )
    oracle: OracleSection = Field(description="reference method that computes labels")
    initial: InitialSection | None = Field(
        None, description="MD under the oracle for the first training data (rare events)"
    )
    explore: ExploreSection | None = Field(
        None, description="how configurations are sampled: steered MD, MOMT or NPT dynamics"
    )
    label: LoopLabelSection = Field(LoopLabelSection(), description="how labels are computed")
    augmentation: AugmentationSection | None = Field(
        None, description="additional structures with random displacements; absent: none"
    )
    network: NetworkSettings = Field(NetworkSettings(), description="network type and size")
    also_train: NetworkSettings | None = Field(
        None,
        description="second network type or size, trained on the same data in each iteration and compared in the "
        "report; it is not used for sampling",
    )
    loss: LossSettings = Field(LossSettings(), description="loss function")
    training: TrainingSettings = Field(TrainingSettings(), description="training of one ensemble member")
    ensemble: LoopEnsembleSection = Field(
        LoopEnsembleSection(), description="ensemble members, validation splits, devices"
    )
    crystals: CrystalsSection | None = Field(None, description="crystals to relax under model and oracle")

    @model_validator(mode="after")
    def _fit(self) -> RunConfig:
        given = [kind for kind in KINDS if getattr(self, kind) is not None]
        if len(given) != 1:
            raise ValueError(
                f"tables {given or 'none'} of {list(KINDS)}: expected exactly one, which selects the workflow"
            )
        needs = {"rare_events": ("initial", "smd"), "distillation": (None, "momt", "npt"), "translation": (None, None)}
        initial, *explore = needs[given[0]]
        found = None if self.explore is None else self.explore.kind
        if found not in explore:
            raise ValueError(f"explore.kind = {found!r}: [{given[0]}] expects {' or '.join(map(repr, explore))}")
        if (self.initial is None) != (initial is None):
            raise ValueError(f"[{given[0]}] {'requires' if initial else 'does not use'} a table [initial]")
        if self.also_train is not None:
            self._fit_second_kind(self.also_train)
        if self.augmentation is not None and self.rare_events is None:
            raise ValueError(f"[{given[0]}] does not use a table [augmentation]; remove it")
        if self.crystals is not None and (self.rare_events is not None or self.oracle.kind != "lammps"):
            raise ValueError(
                f"[crystals] with [{given[0]}] and oracle.kind = {self.oracle.kind!r}: crystals require [distillation] "
                "or [translation], and an oracle of kind 'lammps'; remove the table"
            )
        if self.crystals is not None and isinstance(self.oracle, LammpsSection):
            self._fit_crystals(self.oracle)
        if self.ensemble.members < 2:
            raise ValueError(f"ensemble.members = {self.ensemble.members}: uncertainties require at least 2 members")
        budget, copies = self.run.labels_per_iteration, 0 if self.augmentation is None else self.augmentation.copies
        if self.rare_events is not None and budget is not None and budget < 1 + copies:
            raise ValueError(
                f"run.labels_per_iteration = {budget}: a configuration and its noisy copies "
                f"(augmentation.copies = {copies}) need more labels; expected at least {1 + copies}"
            )
        if self.translation is not None and budget is not None:
            raise ValueError(
                f"run.labels_per_iteration = {budget}: [translation] labels its whole source; remove the key"
            )
        if self.translation is not None and self.training.start == PREVIOUS:
            raise ValueError("training.start = 'previous': [translation] trains only once; remove the key")
        if self.rare_events is not None and isinstance(self.explore, SMDSection):
            self._fit_threshold(self.rare_events, self.explore)
            if self.explore.adds_runs and not self.rare_events.reference:
                raise ValueError(
                    f"explore.most_runs = {self.explore.most_runs}: pulls are added in pairs with pulls under the "
                    f"oracle, "
                    "which rare_events.reference = false disables; remove most_runs, or raise explore.runs"
                )
        return self

    def _fit_second_kind(self, also_train: NetworkSettings) -> None:
        """Reject elements other than those of [network], and networks equal to those of [network]."""
        if also_train.elements is not None:
            raise ValueError("also_train.elements: the elements are those of [network]; remove the key")
        if also_train.with_elements(self.network.elements).model_dump() == self.network.model_dump():
            raise ValueError(
                f"[also_train] describes the same networks as [network] (kind = {self.network.kind!r}), expected "
                f"another "
                "kind or size; change a key, or remove the table"
            )

    def _fit_crystals(self, oracle: LammpsSection) -> None:
        """Reject oracles that relaxations do not support: these use metal units and atoms without charges."""
        if oracle.units != "metal" or oracle.charges is not None:
            found = f"oracle.units = {oracle.units!r}" if oracle.units != "metal" else "oracle.charges"
            raise ValueError(
                f"[crystals] with {found}: crystals are relaxed in metal units, without charges; remove the table"
            )

    def _fit_threshold(self, rare_events: RareEventsSection, explore: SMDSection) -> None:
        """Reject bounds in the wrong order, and pulls whose first steps give too few rows for μ + kσ."""
        if rare_events.error_above is not None:
            if explore.max_error is not None and explore.max_error <= rare_events.error_above:
                raise ValueError(
                    f"rare_events.error_above = {rare_events.error_above:g}, explore.max_error = "
                    f"{explore.max_error:g}: candidates lie between the two values; expected the first to be smaller"
                )
            return
        least = least_values(rare_events.k)
        for rate in explore.rates:
            steps = min(rare_events.first_steps, explore.steps(rate) + 1)
            if (n_values := math.ceil(steps / explore.uq_every)) < least:
                raise ValueError(
                    f"rare_events.first_steps = {rare_events.first_steps}, explore.uq_every = {explore.uq_every}: the "
                    f"{steps} first steps of the pull at {rate:g} Å/ps give {n_values} values of the uncertainty; "
                    f"expected at least {least} for rare_events.k = {rare_events.k:g}; reduce uq_every"
                )

    @property
    def kind(self) -> Kind:
        return next(kind for kind in KINDS if getattr(self, kind) is not None)


def read_run_config(path: str | os.PathLike[str]) -> RunConfig:
    """Read the configuration file of `nnpal run`.

    Raises:
        ConfigError: see :func:`nnpal.config.read_toml`.
    """
    return read_toml(path, RunConfig)


def resolved_tables(config: RunConfig, base_folder: Path) -> dict[str, Any]:
    """Return all settings as JSON, with the hashes of the files that they name.

    Raises:
        nnpal.oracle.protocol.OracleError: the oracle cannot work as described.
        nnpal.training.start_network.StartError: the initial networks (training.start) do not exist.
    """
    tables = config.model_dump(mode="json")
    tables["training"]["start content"] = source_hash(config.training.located(base_folder).start)
    files = {file: file_hash(base_folder / file) for file in _structures(config).values()}
    oracle = oracle_from(config.oracle, base_folder)
    return tables | {"files": files, "oracle identity": [dict(oracle.identity(k)) for k in range(oracle.n_rungs)]}


def _structures(config: RunConfig) -> dict[str, str]:
    """Return the structure file of each table that names one."""
    tables = {"initial": config.initial, "explore": config.explore}
    found = {name: getattr(table, "structure", None) for name, table in tables.items()}
    return {name: file for name, file in found.items() if file is not None}
