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
    """[label]: structures to label, and where labels are stored."""

    input: Files = Field(description="structure files: paths, or tables with path, units, symbols, tag, keys")
    output: Path = Field(Path("labeled.h5"), description="dataset to write")
    store: Path = Field(Path("labels.sqlite"), description="label store; labels in it are not computed again")
    failures: Path | None = Field(
        None, description="CSV file that lists configurations without a label; absent: OUTPUT.failures.csv"
    )
    workers: PositiveInt = Field(1, description="number of worker processes")
    threads: PositiveInt = Field(1, description="threads of each worker (OMP_NUM_THREADS)")
    timeout: PositiveFloat | None = Field(None, description="time limit of one calculation, s; absent: no limit")
    retry_failed: bool = Field(False, description="repeat calculations that failed earlier")
    limits: LimitsSettings = Field(
        LimitsSettings(), description="labels outside these limits are excluded, because training would reject them"
    )

    def read(self, base_folder: str | os.PathLike[str] = ".") -> list[Atoms]:
        """Return the structures of all input files, without labels.

        Raises:
            FileNotFoundError: no such file.
            ValueError: a file that cannot be read.
        """
        return read_files(self.input, base_folder, labeled=False)

    def failures_file(self) -> Path:
        """Return the file that lists failures."""
        return self.failures or self.output.with_suffix(".failures.csv")


class AugmentationSection(Section):
    """[augmentation]: copies of the structures with random displacements, labeled in the same way."""

    sigma: PositiveFloat = Field(0.05, description="standard deviation of the noise on each coordinate, Å")
    copies: PositiveInt = Field(
        1, description="number of copies of each structure, in addition to the structure itself"
    )
    seed: int = Field(0, ge=0, description="random seed of the noise")
    min_distance: PositiveFloat | None = Field(
        None,
        description="shortest allowed interatomic distance in a copy, Å; other copies are drawn again; absent: "
        "no limit",
    )

    def apply(self, frames: list[Atoms]) -> list[Atoms]:
        """Return the structures, followed by their copies."""
        rng = np.random.default_rng(self.seed)
        return frames + augment(frames, self.sigma, self.copies, rng, min_distance=self.min_distance)
