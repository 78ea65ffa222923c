"""Force fields as lines of an input script: an exported network, LAMMPS commands, or an ASE calculator."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, PositiveInt

from nnpal.active_learning.sampling.settings import options_words
from nnpal.config import Section, validated
from nnpal.geometry.electrons import Electrons
from nnpal.lammps.units import METAL, UNITS, Units
from nnpal.oracle.calculator_oracle import DEFAULTS
from nnpal.oracle.calculators import options_with
from nnpal.oracle.hook_table import as_word
from nnpal.oracle.lammps_commands import files_in, filled, with_paths
from nnpal.oracle.settings import AseSection, LammpsSection, OracleSection
from nnpal.oracle.source_identity import resolved
from nnpal.runtime.import_path import spec_in, split_path

MODEL = "model.nnp.pt"
NOTHING = Electrons()


class NNPForces(Section):
    """A force field {"kind": "nnp", ...}."""

    kind: Literal["nnp"] = Field(description="an exported ensemble")
    model: str = Field(min_length=1, description="file, relative to the run's folder")
    device: str = Field("auto", description="auto, cpu, cuda or cuda:N")
    threads: PositiveInt = Field(1, description="CPU threads of each rank")
    precision: Literal["single", "double"] | None = Field(None, description="absent: that of the file")
    members: PositiveInt | None = Field(None, description="evaluate the first so many; absent: all")
    uq: bool = Field(True, description="whether uncertainties are computed; a single member has none")


@dataclass(frozen=True)
class OracleForces:
    """Force field of a table [oracle] with paths relative to ``folder``."""

    section: OracleSection
    folder: Path


@dataclass(frozen=True)
class Forces:
    """Script lines of a force field, and the files that they name.

    Attributes:
        symbols: element of each atom type.
        commands: script lines after read_data.
        links: name in the run's folder -> file.
        units: units of the script.
        charges: charge of each element, e; None: no charges.
        has_uq: whether the force field computes uncertainties.
        module_folder: additional folder in which Python finds the calculator; None: not needed.
    """

    symbols: tuple[str, ...]
    commands: tuple[str, ...]
    links: Mapping[str, Path] = field(default_factory=dict)
    units: Units = METAL
    charges: Mapping[str, float] | None = None
    has_uq: bool = False
    module_folder: Path | None = None

    def with_link(self, name: str, target: Path) -> Forces:
        """Return the force field with one more file."""
        return replace(self, links={**self.links, name: target})


def forces_of(
    force_field: Mapping[str, Any],
    folder: Path,
    symbols: Sequence[str],
    *,
    stress: bool,
    electrons: Electrons = NOTHING,
) -> Forces:
    """Return the script lines of a force field.

    Arguments:
        force_field: {"kind": "nnp", "model": FILE, ...}, see :class:`NNPForces`; or a table [oracle] of kind "lammps"
            or "ase", with the additional key "folder", the folder of its files. Paths are relative to ``folder``.
        folder: folder of the run.
        symbols: elements of the structure.
        stress: whether the virial is needed, by a barostat or MOMT.
        electrons: charge and spin of the structure; a network ignores them, and its frames keep them for labels.

    Raises:
        nnpal.config.ConfigError: the table is invalid.
        ValueError: the kind is unknown, an option cannot be written to an input script, or the calculator's options
            contradict the charge and spin or cannot express them.
        FileNotFoundError: the model file does not exist.
    """
    given = dict(force_field)
    base = (folder / given.pop("folder", ".")).resolve()
    kind = given.get("kind", "lammps")
    if kind == "nnp":
        return _nnp(validated(given, NNPForces, source="force field"), folder, symbols)
    if kind == "lammps":
        return _lammps(validated(given, LammpsSection, source="oracle"), base)
    if kind == "ase":
        return _ase(validated(given, AseSection, source="oracle"), folder, base, symbols, stress, electrons)
    raise ValueError(_cannot_move(kind))


def forces_of_oracle(
    oracle: OracleForces, folder: Path, symbols: Sequence[str], *, stress: bool, electrons: Electrons = NOTHING
) -> Forces:
    """Return the script lines of an oracle; see :func:`forces_of`."""
    section, base = oracle.section, oracle.folder.resolve()
    if isinstance(section, LammpsSection):
        return _lammps(section, base)
    if isinstance(section, AseSection):
        return _ase(section, folder, base, symbols, stress, electrons)
    raise ValueError(_cannot_move(section.kind))


def _cannot_move(kind: object) -> str:
    return f"oracle.kind = {kind!r}: cannot move atoms in LAMMPS, expected lammps or ase; a custom ASE calculator works"


def _nnp(given: NNPForces, folder: Path, symbols: Sequence[str]) -> Forces:
    model = folder / given.model
    if not model.is_file():
        raise FileNotFoundError(f"model {model}: no such file")
    words = ["pair_style nnp", MODEL, "device", given.device, "threads", str(given.threads)]
    words += ["precision", given.precision] if given.precision else []
    words += ["members", str(given.members)] if given.members else []
    return Forces(
        tuple(symbols), (" ".join(words), f"pair_coeff * * {' '.join(symbols)}"), {MODEL: model}, has_uq=given.uq
    )


def _lammps(section: LammpsSection, base: Path) -> Forces:
    commands = [filled(command, section.elements) for command in section.commands]
    links: dict[str, Path] = {}
    names: dict[str, Path] = {}
    for word, path in files_in(commands, base).items():
        name = path.name if path.name not in links else f"{len(links)}-{path.name}"
        links[name], names[word] = path, Path(name)
    return Forces(
        section.elements,
        tuple(with_paths(command, names) for command in commands),
        links,
        units=UNITS[section.units],
        charges=section.charges,
    )


def _ase(
    section: AseSection, folder: Path, base: Path, symbols: Sequence[str], stress: bool, electrons: Electrons
) -> Forces:
    own = {**DEFAULTS.get(section.calculator, {}), **section.options}
    own = options_with(section.calculator, own, electrons)
    place = Path(os.path.relpath(base, folder))
    options = resolved(own, place)
    if section.profile is None and all(_is_word(value) for value in options.values()):
        words = options_words({k: f'"{v}"' if isinstance(v, str) and " " in v else v for k, v in options.items()})
    else:
        words = ["table", as_word(options, section.profile and resolved(section.profile, place))]
    fix = f"fix orac all python/hook nnpal.oracle:CalculatorForces calculator {section.calculator}"
    return Forces(
        tuple(symbols),
        (
            "pair_style zero 5.0",
            "pair_coeff * *",
            " ".join([fix, *words, "elements", *symbols]),
            f"fix_modify orac energy yes{' virial yes' if stress else ''}",
        ),
        module_folder=_module_folder(section.calculator, base),
    )


def _is_word(value: Any) -> bool:
    return isinstance(value, str | int | float | None) and (not isinstance(value, str) or bool(value.strip()))


def _module_folder(calculator: str, base: Path) -> Path | None:
    """Return ``base`` if the calculator's module is there, independent of the working directory."""
    place = spec_in(split_path(calculator)[0].partition(".")[0], base)
    if place is None:
        return None
    found = [*(place.submodule_search_locations or (place.origin or "",))]
    return base if any(Path(name).resolve().parent == base for name in found) else None
