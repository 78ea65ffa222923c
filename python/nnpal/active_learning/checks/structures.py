"""Checks of a configuration's structures, and of the keys that refer to their atoms."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ase import Atoms

from nnpal.active_learning.checks.given import Fault, Given
from nnpal.active_learning.config import RunConfig
from nnpal.active_learning.distillation.translated import source_files
from nnpal.active_learning.engine.error import StageError
from nnpal.active_learning.sampling import IsobaricSection, MOMTSection, NPTSection, SMDSection
from nnpal.active_learning.sampling.npt import order_vectors
from nnpal.active_learning.sampling.structures import crystal, read_structure
from nnpal.data import check_frames, read_frames
from nnpal.geometry.lammps_box import BoxError, box_of
from nnpal.hooks import HookError
from nnpal.momt.grid import choose_axes

CRYSTAL = "explore.element"


def read_given(config: RunConfig, base_folder: Path, *, is_new: bool = True) -> Given:
    """Return a configuration with its structures; those that cannot be read are faults.

    Arguments:
        is_new: whether no stage is finished; a source that is already translated need not exist.
    """
    structures: dict[str, Atoms] = {}
    faults: list[Fault] = []
    for table, section in (("initial", config.initial), ("explore", config.explore)):
        name = getattr(section, "structure", None)
        if name is not None:
            try:
                structures[f"{table}.structure"] = read_structure(base_folder / name)
            except FileNotFoundError:
                why = f"no such file in {base_folder}, the folder of the configuration file"
                faults.append(Fault(f"{table}.structure", name, why, "give a file that ASE reads"))
            except ValueError as error:
                why = str(error).removeprefix(f"structure {base_folder / name}: ")
                faults.append(Fault(f"{table}.structure", name, why, "correct the file, or give another"))
    explore = config.explore
    if isinstance(explore, IsobaricSection) and explore.element is not None and explore.lattice is not None:
        try:
            structures[CRYSTAL] = crystal(explore.element, explore.lattice, explore.lattice_constant, explore.cells)
        except MemoryError as error:
            why = f"so many atoms do not fit into memory: {error}"
            faults.append(Fault("explore.cells", list(explore.cells), why, "give fewer cells"))
        except Exception as error:  # ASE's builder raises various exceptions
            why = f"ASE cannot build {explore.lattice} of it: {type(error).__name__}: {error}"
            faults.append(Fault(CRYSTAL, explore.element, why, "give element, lattice and lattice_constant that fit"))
    source = None
    if config.translation is not None and is_new:
        name = config.translation.source
        try:
            frames = [frame for path in source_files(base_folder / name) for frame in read_frames(path)]
            source = frozenset(symbol for frame in frames for symbol in frame.symbols), len(frames)
        except (StageError, ValueError, OSError) as error:
            why = str(error).removeprefix(f"translation.source = {base_folder / name}: ")
            faults.append(Fault("translation.source", name, why, "give a dataset, or the folder of a run"))
    return Given(config, base_folder, structures, tuple(faults), source, is_new)


def unreadable(given: Given) -> Iterator[Fault]:
    """Yield structures and datasets that cannot be read."""
    yield from given.unreadable


def boxes(given: Given) -> Iterator[Fault]:
    """Yield structures that LAMMPS cannot represent, and those that are not periodic although there is a pressure."""
    initial, explore = given.config.initial, given.config.explore
    for key, atoms in given.structures.items():
        name = getattr(getattr(given.config, key.partition(".")[0]), key.partition(".")[2])
        try:
            box_of(atoms)
        except BoxError as error:
            yield Fault(key, name, str(error), "correct the file's cell and positions")
        periodic = atoms.pbc.tolist()
        if key == "initial.structure" and initial is not None and initial.pressure is not None and not all(periodic):
            why = f"{name} is periodic along {periodic}, expected all three directions"
            yield Fault("initial.pressure", initial.pressure, why, "remove it, or give a periodic structure")
        if key == "explore.structure" and isinstance(explore, IsobaricSection) and not all(periodic):
            why = f"periodic along {periodic}, expected all three directions for {explore.kind.upper()}"
            yield Fault(key, name, why, "give a crystal with its cell")


def limits(given: Given) -> Iterator[Fault]:
    """Yield structures that are outside the limits of labels, because their labels would be excluded."""
    allowed = given.config.label.limits
    for key, atoms in given.structures.items():
        bare = Atoms(atoms.numbers, positions=atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
        for finding in check_frames([bare], limits=allowed.limits()):
            if finding.kind == "distance":
                why = f"{key} has {finding.value}: labels of such configurations would be excluded"
                yield Fault(
                    "label.limits.min_distance", allowed.min_distance, why, "lower it, or correct the structure"
                )
            elif finding.severity == "error" and finding.kind in ("position", "not finite"):
                name = getattr(getattr(given.config, key.partition(".")[0]), key.partition(".")[2])
                yield Fault(key, name, finding.text, "correct the structure")


def atom_numbers(given: Given) -> Iterator[Fault]:
    """Yield indices of pulled atoms that the structure does not have."""
    explore, atoms = given.config.explore, given.structures.get("explore.structure")
    if isinstance(explore, SMDSection) and atoms is not None and max(explore.atoms) > len(atoms):
        why = f"{explore.structure} has {len(atoms)} atoms, expected numbers from 1 to {len(atoms)}"
        yield Fault("explore.atoms", list(explore.atoms), why, "the file's first atom is 1")


def grids(given: Given) -> Iterator[Fault]:
    """Yield grids that MOMT cannot use."""
    explore = given.config.explore
    if isinstance(explore, MOMTSection):
        try:
            choose_axes({"H": explore.H, "O": explore.O})
        except HookError as error:
            key = "explore.H" if explore.H is not None else "explore.O"
            yield Fault(key, list(explore.H or explore.O or ()), str(error), "correct explore.H and explore.O")


def order(given: Given) -> Iterator[Fault]:
    """Yield grids of an undefined order parameter, and lattices that do not match the structure of NPT dynamics.

    For MOMT the hook reports the latter.
    """
    explore, section = given.config.explore, given.config.distillation
    if section is not None and isinstance(explore, IsobaricSection) and explore.lattice is None:
        is_given = isinstance(explore, MOMTSection) and "reciprocal" in explore.options
        for key in () if is_given else ("pools", "initial"):
            if getattr(section, key) == "grid":
                why = "grids in O need explore.lattice, which defines the order parameter; it is missing"
                yield Fault(f"distillation.{key}", "grid", why, "give explore.lattice, or remove the key")
    atoms = given.structures.get(CRYSTAL, given.structures.get("explore.structure"))
    if isinstance(explore, NPTSection) and atoms is not None and atoms.pbc.all():
        try:
            order_vectors(explore, atoms)
        except ValueError as error:
            why = str(error).removeprefix("explore.lattice: ")
            yield Fault("explore.lattice", explore.lattice, why, "give the structure's lattice, or remove it")
