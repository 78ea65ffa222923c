"""The table [data] of the configuration file."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

from ase import Atoms
from pydantic import Field, PositiveFloat, field_validator, model_validator

from nnpal.config import Section
from nnpal.data.ase_files import is_ase_format
from nnpal.data.check import Limits, require_sound
from nnpal.data.finding import Finding
from nnpal.data.keys import Keys, VirialOrder
from nnpal.data.read import FORMATS, read_frames
from nnpal.data.units import Units
from nnpal.runtime.spelling import did_you_mean


class KeysSettings(Section):
    """[data.*.keys]: names of the labels in the file, if they differ from the common names of the format."""

    energy: str | None = Field(None, description="key of the energy")
    forces: str | None = Field(None, description="key of the forces")
    stress: str | None = Field(None, description="key of the stress (sign convention of ASE); '': read no stress")
    virial: str | None = Field(None, description="key of the virial (sign convention of LAMMPS)")
    order: VirialOrder | None = Field(
        None, description="order of the six components: ase (xx yy zz yz xz xy) or lammps (xx yy zz xy xz yz)"
    )

    @model_validator(mode="after")
    def _fit_together(self) -> KeysSettings:
        self.keys()
        return self

    def keys(self) -> Keys:
        """Return the keys in the form that the readers expect."""
        return Keys(self.energy, self.forces, self.stress, self.virial, self.order)


class FileSettings(Section):
    """One file of [data], with settings besides its path."""

    path: str = Field(min_length=1, description="file, relative to the folder of the configuration file")
    units: str | None = Field(
        None,
        description="metal, real or electron, or ENERGY LENGTH [STRESS], such as 'hartree Å'; required unless "
        "the file states them",
    )
    symbols: tuple[str, ...] | None = Field(
        None, min_length=1, description="element of each LAMMPS atom type, or OLD=NEW to rename elements"
    )
    tag: str | None = Field(
        None, description="group name in reports; absent: the tag stored in the file, or the file name"
    )
    format: str | None = Field(
        None,
        description=f"file format: one of {', '.join(FORMATS)}, or ASE's name of a format, such as vasp-xml; absent: "
        "from the suffix or the contents",
    )
    keys: KeysSettings = Field(KeysSettings(), description="names of the labels in the file")

    @field_validator("units")
    @classmethod
    def _are_units(cls, text: str | None) -> str | None:
        if text is not None:
            Units.parse(text)
        return text

    @field_validator("format")
    @classmethod
    def _is_a_format(cls, name: str | None) -> str | None:
        if name is not None and name not in FORMATS and not is_ase_format(name):
            raise ValueError(f"unknown{did_you_mean(name, FORMATS)}")
        return name


class LimitsSettings(Section):
    """[data.limits]: limits of valid configurations."""

    energy_spread: PositiveFloat = Field(
        10.0, description="largest deviation of the energy from the median of the composition, eV/atom"
    )
    max_force: PositiveFloat = Field(100.0, description="largest force on an atom, eV/Å")
    max_stress: PositiveFloat = Field(1.0, description="largest component of the stress, eV/Å³ (1 is 160 GPa)")
    min_distance: PositiveFloat = Field(0.5, description="shortest interatomic distance, Å")
    net_force: PositiveFloat = Field(
        1e-3, description="mean force of a configuration, eV/Å, above which there is a warning"
    )
    lowest_energy: float | None = Field(None, description="lowest allowed energy, eV/atom; absent: no limit")
    highest_energy: float | None = Field(None, description="highest allowed energy, eV/atom; absent: no limit")

    def limits(self) -> Limits:
        """Return the limits in the form that the checks expect."""
        return Limits(**self.model_dump())


Files = Annotated[tuple[str | FileSettings, ...], Field(min_length=1)]


class DataSection(Section):
    """[data]: labeled configurations for training and testing."""

    train: Files = Field(description="training data: paths, or tables with path, units, symbols, tag, keys")
    test: Files | None = Field(None, description="test data, used for evaluation only")
    limits: LimitsSettings = Field(LimitsSettings(), description="limits of valid configurations")

    def load(
        self,
        base_folder: str | os.PathLike[str] = ".",
        part: str = "train",
        symbols: Sequence[str] | None = None,
        on_warnings: Callable[[list[Finding]], None] | None = None,
    ) -> list[Atoms]:
        """Read and check the labeled configurations of `train` or `test`.

        Arguments:
            base_folder: folder of the configuration file, to which paths are relative.
            symbols: allowed elements; None allows all.
            on_warnings: called with the warnings, if there are any: duplicates, net forces.

        Raises:
            FileNotFoundError: no such file.
            ValueError: a file cannot be read, or a configuration exceeds the limits.
        """
        files = self._files(part)
        frames = read_files(files, base_folder)
        if frames:
            warnings = require_sound(frames, symbols, self.limits.limits(), source=f"data.{part}")
            if warnings and on_warnings is not None:
                on_warnings(warnings)
        return frames

    def _files(self, part: str) -> Sequence[str | FileSettings]:
        parts = {"train": self.train, "test": self.test}
        if part not in parts:
            raise ValueError(f"part {part!r}: unknown{did_you_mean(part, list(parts))}")
        return parts[part] or ()


def load(
    section: DataSection,
    base_folder: str | os.PathLike[str] = ".",
    on_warnings: Callable[[list[Finding]], None] | None = None,
) -> list[Atoms]:
    """Return the configurations of `train`; see :meth:`DataSection.load`."""
    return section.load(base_folder, on_warnings=on_warnings)


def read_files(
    files: Sequence[str | FileSettings], base_folder: str | os.PathLike[str] = ".", *, labeled: bool | None = True
) -> list[Atoms]:
    """Return the configurations of files, one after the other; see :func:`nnpal.data.read_frames`."""
    return [frame for file in files for frame in _read(file, Path(base_folder), labeled)]


def _read(file: str | FileSettings, base_folder: Path, labeled: bool | None) -> list[Atoms]:
    given = FileSettings(path=file) if isinstance(file, str) else file
    return read_frames(
        base_folder / given.path,
        units=Units.parse(given.units) if given.units else None,
        symbols=given.symbols,
        labeled=labeled,
        tag=given.tag,
        keys=given.keys.keys(),
        format=given.format,
    )
