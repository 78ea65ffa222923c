"""The tables [label] and [augmentation] of the configuration file."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from ase import Atoms
from pydantic import Field, PositiveFloat, PositiveInt

from nnpal.config import Section
from nnpal.data.settings import Files, LimitsSettings, read_files
from nnpal.label.augment import augment


class LabelSection(Section):
    """[label]: what is labeled, and where labels are kept."""

    input: Files = Field(description="files of structures: paths, or tables of path, units, symbols, tag, keys")
    output: Path = Field(Path("labeled.h5"), description="data set to write")
    store: Path = Field(Path("labels.sqlite"), description="label store; nothing in it is computed again")
    failures: Path | None = Field(
        None, description="CSV file of configurations without a label; by default OUTPUT.failures.csv"
    )
    workers: PositiveInt = Field(1, description="processes that compute")
    threads: PositiveInt = Field(1, description="of each worker (OMP_NUM_THREADS)")
    timeout: PositiveFloat | None = Field(None, description="seconds for one calculation; absent: no limit")
    retry_failed: bool = Field(False, description="compute again what has failed before")
    limits: LimitsSettings = Field(
        LimitsSettings(), description="labels outside are put aside, as training would refuse them"
    )

    def read(self, base_folder: str | os.PathLike[str] = ".") -> list[Atoms]:
        """Return the structures of all input files, bare.

        Raises:
            FileNotFoundError: no such file.
            ValueError: a file that cannot be read.
        """
        return read_files(self.input, base_folder, labeled=False)

    def failures_file(self) -> Path:
        """Return where failures are listed."""
        return self.failures or self.output.with_suffix(".failures.csv")


class AugmentationSection(Section):
    """[augmentation]: noisy copies of the structures, labeled like them."""

    sigma: PositiveFloat = Field(0.05, description="standard deviation of the noise on each coordinate, Å")
    copies: PositiveInt = Field(1, description="of each structure, besides the structure itself")
    seed: int = Field(0, ge=0, description="the noise follows from it")
    min_distance: PositiveFloat | None = Field(
        None, description="copies with two atoms closer than this, Å, are drawn again"
    )

    def apply(self, frames: list[Atoms]) -> list[Atoms]:
        """Return the structures, and after them their copies."""
        rng = np.random.default_rng(self.seed)
        return frames + augment(frames, self.sigma, self.copies, rng, min_distance=self.min_distance)
