"""What the checks look at, and what they find."""

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
    """Something that cannot work, known before anything runs.

    Attributes:
        key: of the configuration, such as "explore.atoms".
        value: that it has.
        why: what was found and what was expected.
        fix: what to do about it, unless ``why`` says that too.
    """

    key: str
    value: Any
    why: str
    fix: str = ""

    def __str__(self) -> str:
        return f"{self.key} = {self.value!r}: {self.why}{f'; {self.fix}' if self.fix else ''}"


class CheckError(ConfigError):
    """A configuration that cannot work.

    Attributes:
        faults: all that was found.
    """

    def __init__(self, path: Path, faults: Sequence[Fault]) -> None:
        lines = "\n".join(f"  {fault}" for fault in faults)
        super().__init__(f"{path}: {len(faults)} {'fault' if len(faults) == 1 else 'faults'}; nothing was run\n{lines}")
        self.faults = tuple(faults)


@dataclass(frozen=True)
class Given:
    """A configuration and the structures that it names.

    Attributes:
        config: as read.
        base_folder: the configuration file's.
        structures: key -> structure, of those that can be read.
        unreadable: one fault for each of the others.
        source: elements of the dataset that is translated, and how many configurations it has.
        is_new: the run has no finished stage.
    """

    config: RunConfig
    base_folder: Path
    structures: Mapping[str, Atoms] = field(default_factory=dict)
    unreadable: Sequence[Fault] = ()
    source: tuple[frozenset[str], int] | None = None
    is_new: bool = True

    @property
    def tasks_run_elsewhere(self) -> bool:
        """Whether tasks go to an executor, whose machines may have other devices and programs than this one."""
        return self.config.run.executor is not None
