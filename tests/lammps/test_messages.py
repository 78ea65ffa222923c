"""Models whose messages pass over several hops: the same numbers as the whole periodic graph, however ghosts are had.

On one rank, edges of periodic images are mapped onto the local atoms; there a Monte Carlo fix, which this test lets do
nothing, forces the halo of ghosts that several ranks need.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms

from lmp_runner import Lmp
from lmp_single_point import NKTV2P, SinglePoint, header, points_in_one_process, rerun_points, single_point
from lmp_systems import System, fcc, random_hcno, tilted
from message_modules import message_model
from message_reference import evaluate
from nnpal.model.calculator import NNPCalculator
from torchani_reference import ExportedModel, Reference

# Sums of some 1e3 terms of 1 eV in float64, in another order; an edge or an atom too few shows at 1e-4 or more.
DOUBLE = 1e-11

HALO = "fix w all widom 1000000 1 1 4711 300 full_energy\n"


@pytest.fixture(scope="module")
def al(tmp_path_factory: pytest.TempPathFactory) -> ExportedModel:
    return message_model(tmp_path_factory.mktemp("models") / "al.nnp.pt")


@pytest.fixture(scope="module")
def hcno(tmp_path_factory: pytest.TempPathFactory) -> ExportedModel:
    path = tmp_path_factory.mktemp("models") / "hcno.nnp.pt"
    return message_model(path, ("H", "C", "N", "O"), cutoff=3.0, hops=2)


@dataclasses.dataclass(frozen=True)
class Case:
    """A system, how a script says it, and which of its atoms the model sees."""

    system: System
    repeats: tuple[bool, bool, bool] = (True, True, True)
    boundary: str = "p p p"
    before_run: str = ""
    options: str = "precision double"
    members: int | None = None
    seen: np.ndarray | slice = dataclasses.field(default_factory=lambda: slice(None))
    style: str = ""

    def script(self, model: ExportedModel, folder: Path, name: str) -> str:
        self.system.write(folder / name)
        options = self.options + (f" members {self.members}" if self.members else "")
        text = header(model, self.system, data=name, boundary=self.boundary, options=options)
        return (text if not self.style else text[: text.index("pair_style")] + self.style) + self.before_run

    def expected(self, model: ExportedModel) -> Reference:
        system = dataclasses.replace(
            self.system, types=self.system.types[self.seen], positions=self.system.positions[self.seen]
        )
        return evaluate(model, system, periodic=self.repeats, members=self.members)


def slab() -> System:
    """Three layers of aluminum with open faces."""
    bulk = fcc("Al", 4.05, 2)
    return dataclasses.replace(bulk, cell=np.diag([8.1, 8.1, 20.0]), origin=np.array([0.0, 0.0, -6.0]))


def corner() -> System:
    """A cluster that leaves most subdomains of any 4-rank grid empty."""
    return dataclasses.replace(random_hcno(16, 0.08, periodic=False), cell=80.0 * np.eye(3))


def two_types(model: ExportedModel) -> Case:
    """Two types under hybrid, of which the model has one."""
    system = fcc("Al", 4.05, 2)
    types = np.where(np.arange(32) % 4 == 1, 2, 1)
    style = f"""pair_style hybrid/overlay nnp {model.path} precision double lj/cut 3.0
pair_coeff * * nnp Al NULL
pair_coeff 2 2 lj/cut 0.0 1.0
pair_coeff 1 2 lj/cut 0.0 1.0
"""
    return Case(dataclasses.replace(system, elements=("Al", "Ni"), types=types), seen=types == 1, style=style)


def al_cases(model: ExportedModel) -> dict[str, Case]:
    gone = np.isin(np.arange(1, 33), [3, 7, 11])
    exclude = "group gone id 3 7 11\nneigh_modify exclude group gone all\n"
    return {
        # 8.1 Å: shorter than the three cutoffs of 3.6 Å and the skin
        "bulk": Case(fcc("Al", 4.05, 2)),
        "two_members": Case(fcc("Al", 4.05, 2), members=2),
        "slab": Case(slab(), (True, True, False), "p p f"),
        "excluded": Case(fcc("Al", 4.05, 2), before_run=exclude, seen=~gone),
        "hybrid": two_types(model),
    }


def hcno_cases() -> dict[str, Case]:
    return {
        "triclinic": Case(tilted(random_hcno(24, 0.1, periodic=True), 1.5, -0.8, 2.0)),
        "corner": Case(corner(), (False, False, False), "f f f"),
    }


def assert_agree(point: SinglePoint, case: Case, expected: Reference, name: str, tolerance: float = DOUBLE) -> None:
    seen, n_atoms = case.seen, len(expected.forces)
    w = (expected.virial + expected.virial.T) / 2
    voigt = w[[0, 1, 2, 0, 0, 1], [0, 1, 2, 1, 2, 2]]
    per_atom = point.frame.vectors(*(f"c_s[{k}]" for k in range(1, 7))) / -NKTV2P["metal"]
    centroid = point.frame.vectors(*(f"c_cs[{k}]" for k in range(1, 10))) / -NKTV2P["metal"]
    for what, found, wanted, terms in (
        ("energy", point.energy, expected.energy, n_atoms),
        ("atomic energies", point.atomic_energies[seen], expected.atomic_energies, 1),
        ("forces", point.forces[seen], expected.forces, 1),
        ("uq_energy", point.uq_energy[seen], expected.uq_energy, 1),
        ("uq_force", point.uq_force[seen], expected.uq_force, 1),
        ("summary", point.summary, expected.summary, 1),
        ("virial", point.virial, voigt, n_atoms),
        ("sum of atoms' virials", -per_atom.sum(0), -voigt, n_atoms),
        ("sum of centroid virials", centroid.sum(0), expected.virial.ravel()[[0, 4, 8, 1, 2, 5, 3, 6, 7]], n_atoms),
    ):
        np.testing.assert_allclose(found, wanted, atol=terms * tolerance, rtol=0, err_msg=f"{name}: {what}")
    for values in (point.forces, point.atomic_energies, point.uq_force):
        others = np.delete(values, np.arange(len(values))[seen], axis=0)
        np.testing.assert_array_equal(others, 0.0, err_msg=f"{name}: atoms that the model does not see")


def far_atoms_matter(model: ExportedModel, case: Case) -> None:
    """The comparison is worth nothing where messages of the last round do not show."""
    moved = case.system.positions.copy()
    moved[0] += [0.05, -0.1, 0.1]
    changed = np.abs(
        case.expected(model).atomic_energies
        - evaluate(model, dataclasses.replace(case.system, positions=moved)).atomic_energies
    )
    assert changed.min() > 1e5 * DOUBLE


@pytest.mark.mpi
@pytest.mark.parametrize(
    ("n_ranks", "before_run"),
    [(1, ""), (1, HALO), (2, ""), (4, "")],
    ids=["images", "halo_on_one_rank", "two_ranks", "four_ranks"],
)
def test_agrees_with_the_periodic_graph(
    lmp: Lmp, al: ExportedModel, hcno: ExportedModel, n_ranks: int, before_run: str
) -> None:
    jobs = [(al, name, case) for name, case in al_cases(al).items()]
    jobs += [(hcno, name, case) for name, case in hcno_cases().items()]
    if n_ranks == 4:
        jobs = [job for job in jobs if job[1] in ("bulk", "triclinic", "corner")]
    far_atoms_matter(al, jobs[0][2])
    scripts = [case.script(model, lmp.folder, name) + before_run for model, name, case in jobs]
    points = points_in_one_process(lmp, scripts, n_ranks=n_ranks)
    for (model, name, case), point in zip(jobs, points, strict=True):
        assert_agree(point, case, case.expected(model), name)


def test_separate_members_without_messages(lmp: Lmp, tmp_path: Path) -> None:
    """One hop, by LAMMPS's list and by cells, and in single precision."""
    model = message_model(tmp_path / "one_hop.nnp.pt", cutoff=5.0, hops=1)
    bulk = fcc("Al", 4.05, 2)
    jobs = {
        "list": (Case(bulk), DOUBLE),
        "two members by list": (Case(bulk, members=2), DOUBLE),
        "cells": (Case(bulk, options="precision double neighbors cells", members=2), DOUBLE),
        "list, single": (Case(bulk, options="precision single"), 1e-5),  # float32 keeps 6e-8 of terms of 1 eV
        "cells, single": (Case(bulk, options="precision single neighbors cells"), 1e-5),
    }
    scripts = [case.script(model, lmp.folder, f"data.{k}") for k, (case, _) in enumerate(jobs.values())]
    points = points_in_one_process(lmp, scripts)
    for (name, (case, tolerance)), point in zip(jobs.items(), points, strict=True):
        assert_agree(point, case, case.expected(model), name, tolerance)


@pytest.mark.mpi
def test_tiled_communication_agrees(lmp: Lmp, al: ExportedModel) -> None:
    """16.2 Å are more than the halo of 12.8 Å."""
    crystal = fcc("Al", 4.05, 4)
    case = Case(crystal, before_run="comm_style tiled\nbalance 1.0 rcb\n")
    (point,) = points_in_one_process(lmp, [case.script(al, lmp.folder, "data")], n_ranks=2)
    assert_agree(point, case, case.expected(al), "tiled")


def test_forces_and_virial_are_derivatives(lmp: Lmp, al: ExportedModel) -> None:
    """By `rerun` of displaced and strained frames, where triclinic boxes change from frame to frame."""
    step = 1e-4
    base = tilted(fcc("Al", 4.05, 2), 1.0, -0.5, 0.7)

    def moved(atom: int, axis: int, by: float) -> System:
        positions = base.positions.copy()
        positions[atom, axis] += by
        return dataclasses.replace(base, positions=positions)

    def strained(a: int, b: int, by: float) -> System:
        deform = np.eye(3)
        deform[a, b] += by
        return dataclasses.replace(base, positions=base.positions @ deform, cell=base.cell @ deform)

    def slope(make: Callable[[float], System]) -> list[System]:
        return [make(k * step) for k in (-2, -1, 1, 2)]

    moves = [slope(lambda by, at=at: moved(*at, by)) for at in ((0, 0), (13, 2))]
    strains = [slope(lambda by, at=at: strained(*at, by)) for at in ((0, 0), (1, 0), (2, 0), (2, 1))]
    points = rerun_points(lmp, al, [base, *(frame for frames in (*moves, *strains) for frame in frames)])
    energies = np.array([point.energy for point in points[1:]]).reshape(-1, 4)
    slopes = energies @ np.array([1, -8, 8, -1]) / (12 * step)
    # Rounding: 57 eV keep 1e-14, over 1e-4: 1e-9 with the weights; truncation is below that
    np.testing.assert_allclose(slopes[:2], [-points[0].forces[0, 0], -points[0].forces[13, 2]], atol=1e-8)
    # The model knows the z axis, so the virial is not symmetric: xx, yx, zx, zy of W_ab = sum of r_a f_b
    full = points[0].frame.vectors(*(f"c_cs[{k}]" for k in (1, 7, 8, 9))).sum(0) / -NKTV2P["metal"]
    np.testing.assert_allclose(slopes[2:], -full, atol=1e-8)
    assert np.abs(slopes).min() > 1e-3


def test_large_systems_are_divided_into_tiles(lmp: Lmp, tmp_path: Path) -> None:
    """A bar with more edges than one tile takes: its halves share the edges around their faces."""
    model = message_model(tmp_path / "bar.nnp.pt", cutoff=6.0, hops=2, n_members=2)
    n_cells = 320
    corners = np.stack(np.meshgrid(range(2), range(2), range(n_cells), indexing="ij"), -1).reshape(-1, 1, 3)
    sites = 4.05 * (corners + np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])).reshape(-1, 3)
    positions = sites + np.random.default_rng(0).normal(0, 0.1, sites.shape)
    system = System(("Al",), np.ones(len(sites), dtype=int), positions, 4.05 * np.diag([2.0, 2.0, n_cells]))
    atoms = Atoms(
        f"Al{len(sites)}", positions=positions, cell=system.cell, pbc=True, calculator=NNPCalculator(model.path)
    )
    point = single_point(lmp, model, system)
    assert point.frame["id"].size * 53 > 1 << 18  # what a tile takes on a CPU, see Model::edges_per_tile()
    np.testing.assert_allclose(point.forces, atoms.get_forces(), atol=DOUBLE)
    np.testing.assert_allclose(point.uq_force, atoms.calc.get_property("uq_force", atoms), atol=DOUBLE)
    np.testing.assert_allclose(point.atomic_energies, atoms.get_potential_energies(), atol=DOUBLE)
    stress = -atoms.get_stress() * atoms.get_volume()
    np.testing.assert_allclose(point.virial, stress[[0, 1, 2, 5, 4, 3]], atol=len(sites) * DOUBLE)
