"""Input of the checks, and the faults that they find."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ase import Atoms

from nnpal.active_learning.config import RunConfig
from nnpal.config import ConfigError


@dataclass(frozen=True)
class Fault:
    """A fault of a configuration, found before anything runs.

    Attributes:
        key: configuration key, such as "explore.atoms".
        value: value of the key.
        why: what was found and what was expected.
        fix: how to fix it, unless ``why`` includes that.
    """

    key: str
    value: Any
    why: str
    fix: str = ""

    def __str__(self) -> str:
        return f"{self.key} = {self.value!r}: {self.why}{f'; {self.fix}' if self.fix else ''}"


class CheckError(ConfigError):
    """Error for a configuration that cannot work.

    Attributes:
        faults: all faults that were found.
    """

    def __init__(self, path: Path, faults: Sequence[Fault]) -> None:
        lines = "\n".join(f"  {fault}" for fault in faults)
        super().__init__(f"{path}: {len(faults)} {'fault' if len(faults) == 1 else 'faults'}; nothing was run\n{lines}")
        self.faults = tuple(faults)


@dataclass(frozen=True)
class Given:
    """A configuration and the structures that it names.

    Attributes:
        config: the configuration.
        base_folder: folder of the configuration file.
        structures: key -> structure, for structures that can be read.
        unreadable: a fault for each structure or dataset that cannot be read.
        source: elements and number of configurations of the dataset to translate.
        is_new: whether the run has no finished stage.
    """

    config: RunConfig
    base_folder: Path
    structures: Mapping[str, Atoms] = field(default_factory=dict)
    unreadable: Sequence[Fault] = ()
    source: tuple[frozenset[str], int] | None = None
    is_new: bool = True

    @property
    def tasks_run_elsewhere(self) -> bool:
        """Whether tasks go to an executor, whose machines may have different devices and programs."""
        return self.config.run.executor is not None
