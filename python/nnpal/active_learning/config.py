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
    """[crystals]: relaxed under each model and under the oracle (LAMMPS's alone)."""

    structures: tuple[StructureSettings, ...] = Field(min_length=1, description="crystals to relax")


class RunConfig(Section):
    """One TOML file for a loop; one of [rare_events], [distillation] and [translation] says which."""

    run: RunSection = Field(RunSection(), description="the run's folder, budgets and where tasks run")
    rare_events: RareEventsSection | None = Field(None, description="the loop of rare events, by steered MD")
    distillation: DistillationSection | None = Field(
        None, description="the loop of data distillation, by MOMT or NPT dynamics"
    )
    translation: TranslationSection | None = Field(None, description="a distilled set becomes another metal's")
    oracle: OracleSection = Field(description="what computes labels")
    initial: InitialSection | None = Field(None, description="the oracle's MD for the first data (rare events)")
    explore: ExploreSection | None = Field(None, description="how configurations are sampled")
    label: LoopLabelSection = Field(LoopLabelSection(), description="how labels are computed")
    augmentation: AugmentationSection | None = Field(None, description="noise on coordinates; absent: none")
    network: NetworkSettings = Field(NetworkSettings(), description="kind of network, and its size")
    also_train: NetworkSettings | None = Field(
        None,
        description="networks of a second kind or size, trained on the same data in each iteration and compared in the "
        "report; they sample nothing",
    )
    loss: LossSettings = Field(LossSettings(), description="loss")
    training: TrainingSettings = Field(TrainingSettings(), description="how a member learns")
    ensemble: LoopEnsembleSection = Field(LoopEnsembleSection(), description="members and splits")
    crystals: CrystalsSection | None = Field(None, description="crystals that models are held against")

    @model_validator(mode="after")
    def _fit(self) -> RunConfig:
        given = [kind for kind in KINDS if getattr(self, kind) is not None]
        if len(given) != 1:
            raise ValueError(f"tables {given or 'none'} of {list(KINDS)}: expected exactly one, which says the loop")
        needs = {"rare_events": ("initial", "smd"), "distillation": (None, "momt", "npt"), "translation": (None, None)}
        initial, *explore = needs[given[0]]
        found = None if self.explore is None else self.explore.kind
        if found not in explore:
            raise ValueError(f"explore.kind = {found!r}: [{given[0]}] expects {' or '.join(map(repr, explore))}")
        if (self.initial is None) != (initial is None):
            raise ValueError(f"[{given[0]}] {'needs' if initial else 'has no use for'} a table [initial]")
        if self.also_train is not None:
            self._fit_second_kind(self.also_train)
        if self.augmentation is not None and self.rare_events is None:
            raise ValueError(f"[{given[0]}] has no use for a table [augmentation]; leave it out")
        if self.crystals is not None and (self.rare_events is not None or self.oracle.kind != "lammps"):
            raise ValueError(
                f"[crystals] with [{given[0]}] and oracle.kind = {self.oracle.kind!r}: crystals belong to distillation "
                "and translation, and are relaxed under an oracle of kind 'lammps' besides; leave the table out"
            )
        if self.crystals is not None and isinstance(self.oracle, LammpsSection):
            self._fit_crystals(self.oracle)
        if self.ensemble.members < 2:
            raise ValueError(f"ensemble.members = {self.ensemble.members}: uncertainties need at least 2")
        budget, copies = self.run.labels_per_iteration, 0 if self.augmentation is None else self.augmentation.copies
        if self.rare_events is not None and budget is not None and budget < 1 + copies:
            raise ValueError(
                f"run.labels_per_iteration = {budget}: a configuration and its noisy copies "
                f"(augmentation.copies = {copies}) need as many labels; expected {1 + copies} at least"
            )
        if self.translation is not None and budget is not None:
            raise ValueError(
                f"run.labels_per_iteration = {budget}: [translation] labels all of its source; leave the key out"
            )
        if self.translation is not None and self.training.start == PREVIOUS:
            raise ValueError("training.start = 'previous': [translation] trains once, so there is none; leave it out")
        if self.rare_events is not None and isinstance(self.explore, SMDSection):
            self._fit_threshold(self.rare_events, self.explore)
            if self.explore.adds_runs and not self.rare_events.reference:
                raise ValueError(
                    f"explore.most_runs = {self.explore.most_runs}: pulls are added in pairs with the oracle's, which "
                    "rare_events.reference = false leaves out; remove most_runs, or raise explore.runs"
                )
        return self

    def _fit_second_kind(self, also_train: NetworkSettings) -> None:
        """Refuse elements other than those of [network], and the same networks once more."""
        if also_train.elements is not None:
            raise ValueError("also_train.elements: the elements are those of [network]; remove the key")
        if also_train.with_elements(self.network.elements).model_dump() == self.network.model_dump():
            raise ValueError(
                f"[also_train] describes the networks of [network] (kind = {self.network.kind!r}), expected another "
                "kind or size; change a key, or remove the table"
            )

    def _fit_crystals(self, oracle: LammpsSection) -> None:
        """Refuse what relaxations cannot do: their inputs have metal units and atoms without charges."""
        if oracle.units != "metal" or oracle.charges is not None:
            found = f"oracle.units = {oracle.units!r}" if oracle.units != "metal" else "oracle.charges"
            raise ValueError(
                f"[crystals] with {found}: crystals are relaxed in metal units, without charges; leave the table out"
            )

    def _fit_threshold(self, rare_events: RareEventsSection, explore: SMDSection) -> None:
        """Refuse bounds out of order, and pulls whose first steps have too few rows for μ + kσ."""
        if rare_events.error_above is not None:
            if explore.max_error is not None and explore.max_error <= rare_events.error_above:
                raise ValueError(
                    f"rare_events.error_above = {rare_events.error_above:g}, explore.max_error = "
                    f"{explore.max_error:g}: candidates lie between the two; expected the first to be smaller"
                )
            return
        least = least_values(rare_events.k)
        for rate in explore.rates:
            steps = min(rare_events.first_steps, explore.steps(rate) + 1)
            if (n_values := math.ceil(steps / explore.uq_every)) < least:
                raise ValueError(
                    f"rare_events.first_steps = {rare_events.first_steps}, explore.uq_every = {explore.uq_every}: the "
                    f"{steps} first steps of the pull at {rate:g} Å/ps give {n_values} values of the uncertainty; "
                    f"expected {least} at least for rare_events.k = {rare_events.k:g}; lower uq_every"
                )

    @property
    def kind(self) -> Kind:
        return next(kind for kind in KINDS if getattr(self, kind) is not None)


def read_run_config(path: str | os.PathLike[str]) -> RunConfig:
    """Return the configuration file of a loop.

    Raises:
        ConfigError: see :func:`nnpal.config.read_toml`.
    """
    return read_toml(path, RunConfig)


def resolved_tables(config: RunConfig, base_folder: Path) -> dict[str, Any]:
    """Return all settings as JSON, and with them the contents of the files that they name.

    Raises:
        nnpal.oracle.protocol.OracleError: the oracle cannot work as described.
        nnpal.training.start_network.StartError: there is nothing to start from.
    """
    tables = config.model_dump(mode="json")
    tables["training"]["start content"] = source_hash(config.training.located(base_folder).start)
    files = {file: file_hash(base_folder / file) for file in _structures(config).values()}
    oracle = oracle_from(config.oracle, base_folder)
    return tables | {"files": files, "oracle identity": [dict(oracle.identity(k)) for k in range(oracle.n_rungs)]}


def _structures(config: RunConfig) -> dict[str, str]:
    """Return the structure files by the table that names them."""
    tables = {"initial": config.initial, "explore": config.explore}
    found = {name: getattr(table, "structure", None) for name, table in tables.items()}
    return {name: file for name, file in found.items() if file is not None}
