"""`neighbors cells`: no neighbor list. The core finds the neighbors, or where libtorch evaluates the model, its device.

Files that libtorch evaluates run the very code of the GPU's path here on the CPU, but for the kernels' loops.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from libtorch_files import by_libtorch
from lmp_runner import THERMO_FORMAT, Lmp
from lmp_single_point import SinglePoint, header, single_point
from lmp_systems import System, fcc, random_hcno, tilted
from torchani_reference import ExportedModel

# float64: the same terms in another order. float32 besides: edges are rounded alike, sums are in double.
TOLERANCE = {"double": 1e-11, "single": 1e-5}
QUANTITIES = ("energy", "atomic_energies", "forces", "virial", "uq_energy", "uq_force", "summary")
CASES = {
    "al_bulk": lambda: fcc("Al", 4.05, 2),
    "hcno_triclinic": lambda: tilted(random_hcno(24, 0.1, periodic=True), 1.5, -0.8, 2.0),
    "hcno_cluster": lambda: random_hcno(20, 0.08, periodic=False),
}


def assert_same(cells: SinglePoint, listed: SinglePoint, relative: float) -> None:
    for name in QUANTITIES:
        expected = np.asarray(getattr(listed, name))
        scale = max(1.0, np.abs(expected).max())
        np.testing.assert_allclose(
            np.asarray(getattr(cells, name)), expected, atol=relative * scale, rtol=0, err_msg=name
        )
    for column in [f"c_{kind}[{k}]" for kind, n in (("s", 6), ("cs", 9)) for k in range(1, n + 1)]:
        expected = listed.frame[column]
        scale = max(1.0, np.abs(expected).max())
        np.testing.assert_allclose(cells.frame[column], expected, atol=relative * scale, rtol=0, err_msg=column)


@pytest.mark.parametrize("n_ranks", [1, pytest.param(2, marks=pytest.mark.mpi)])
@pytest.mark.parametrize("precision", TOLERANCE)
@pytest.mark.parametrize("case", CASES)
def test_same_as_with_a_list(
    lmp: Lmp, al_model: ExportedModel, hcno_model: ExportedModel, case: str, precision: str, n_ranks: int
) -> None:
    model, system = al_model if case == "al_bulk" else hcno_model, CASES[case]()
    listed, cells, on_device = (
        single_point(lmp, one, system, n_ranks=n_ranks, options=f"precision {precision} neighbors {neighbors}")
        for one, neighbors in ((model, "list"), (model, "cells"), (by_libtorch(model, lmp.folder), "cells"))
    )
    assert np.abs(listed.forces).max() > 0.05
    assert_same(cells, listed, TOLERANCE[precision])
    assert_same(on_device, listed, TOLERANCE[precision])


def test_real_units(lmp: Lmp, hcno_model: ExportedModel) -> None:
    system = CASES["hcno_triclinic"]()
    listed, cells = (
        single_point(lmp, hcno_model, system, units="real", options=f"precision double neighbors {neighbors}")
        for neighbors in ("list", "cells")
    )
    assert_same(cells, listed, 1e-11)


@pytest.mark.parametrize("case", ["al", "hcno"])
def test_more_atoms_than_are_evaluated_at_once(
    lmp: Lmp, al_model: ExportedModel, hcno_model: ExportedModel, case: str
) -> None:
    """54,000 edges on a CPU, with three gradients in float64; the second part's centers are not the first atoms."""
    model, cell = (
        (al_model, fcc("Al", 4.05, 7)) if case == "al" else (hcno_model, random_hcno(1500, 0.08, periodic=True))
    )
    rng = np.random.default_rng(5)
    system = System(
        cell.elements, cell.types, cell.positions + rng.normal(0, 0.02, cell.positions.shape), cell.cell, periodic=True
    )
    listed, cells = (
        single_point(lmp, one, system, options=f"precision double members 2 neighbors {neighbors}")
        for one, neighbors in ((model, "list"), (by_libtorch(model, lmp.folder), "cells"))
    )
    assert_same(cells, listed, 1e-10)


def test_many_more_neighbors_than_in_the_last_evaluation(lmp: Lmp, al_model: ExportedModel) -> None:
    """Room is made by the last evaluation: a crystal pressed together needs more, one pulled apart less."""
    system = fcc("Al", 4.05, 4)
    system.write(lmp.folder / "data")
    found = {}
    for neighbors in ("list", "cells"):
        model = by_libtorch(al_model, lmp.folder) if neighbors == "cells" else al_model
        run = lmp(
            header(model, system, options=f"precision double neighbors {neighbors}")
            + f"""
thermo_style custom step pe press pxy
{THERMO_FORMAT}
run 0
change_box all x scale 0.8 y scale 0.85 z scale 0.9 remap
displace_atoms all random 0.1 0.1 0.1 4711
run 0
change_box all x scale 1.5 y scale 1.4 z scale 1.3 remap
run 0
"""
        )
        found[neighbors] = np.array([[t[name][0] for name in ("PotEng", "Press", "Pxy")] for t in run.thermo])
    assert np.ptp(found["list"][:, 0]) > 1.0
    np.testing.assert_allclose(found["cells"], found["list"], rtol=1e-9, atol=1e-7)


def test_types_that_change(lmp: Lmp, hcno_model: ExportedModel) -> None:
    """Elements go to the device only where they are others: by a command, and by swaps within a run."""
    system = random_hcno(24, 0.1, periodic=True)
    system.write(lmp.folder / "data")
    energies = {}
    for name, neighbors in (("list", "list"), ("cells", "cells"), ("on the device", "cells")):
        model = by_libtorch(hcno_model, lmp.folder) if name == "on the device" else hcno_model
        run = lmp(
            header(model, system, options=f"precision double neighbors {neighbors}")
            + f"""
thermo 1
thermo_style custom step pe
{THERMO_FORMAT}
run 0
set atom 5*8 type 2
run 0
fix swap all atom/swap 1 4 4711 30000 types 1 2
run 4
"""
        )
        energies[name] = np.concatenate([table["PotEng"] for table in run.thermo])
    assert len(set(energies["list"].round(6))) >= 4
    for name in ("cells", "on the device"):
        np.testing.assert_allclose(energies[name], energies["list"], rtol=1e-11)


def test_an_atom_far_away(lmp: Lmp, al_model: ExportedModel) -> None:
    crystal = fcc("Al", 4.05, 2)
    system = System(
        crystal.elements,
        np.append(crystal.types, 1),
        np.vstack([crystal.positions + 5.0, [900.0, 900.0, 900.0]]),
        1000.0 * np.eye(3),
        periodic=False,
    )
    listed, cells = (
        single_point(lmp, al_model, system, options=f"precision double neighbors {neighbors}")
        for neighbors in ("list", "cells")
    )
    assert_same(cells, listed, TOLERANCE["double"])


def test_dynamics_without_a_list(lmp: Lmp, al_model: ExportedModel) -> None:
    """Atoms cross the box and ghosts are made anew; LAMMPS builds no list at all."""
    system = fcc("Al", 4.05, 2)
    system.write(lmp.folder / "data")
    energies = {}
    for neighbors in ("list", "cells"):
        run = lmp(
            header(al_model, system, options=f"precision double neighbors {neighbors}")
            + f"""
velocity all create 1500 4711 loop all
neigh_modify every 1 delay 0 check yes
fix n all nve
thermo 5
thermo_style custom step pe etotal press
{THERMO_FORMAT}
run 40
"""
        )
        energies[neighbors] = np.array([run.thermo[-1][name] for name in ("PotEng", "TotEng", "Press")])
        assert ("1 neighbor lists, perpetual" in run.text) == (neighbors == "list"), run.text
    assert np.ptp(energies["list"][0]) > 0.01
    np.testing.assert_allclose(energies["cells"], energies["list"], rtol=1e-9)


@pytest.mark.parametrize(
    ("change", "culprit"),
    [
        (lambda script: script + "neigh_modify exclude type 1 1\n", "neigh_modify exclude"),
        (
            lambda script: script + "group some id 1:32\natom_modify first some\nneigh_modify include some\n",
            "neigh_modify include",
        ),
        (lambda script: script + "fix mc all gcmc 1 20 0 1 29494 3000.0 -3.0 0.0 full_energy\n", "fix gcmc"),
        (lambda script: script + "fix mc all widom 1 20 1 29494 3000.0 full_energy\n", "fix widom"),
        (
            lambda script: script.replace("pair_style nnp", "pair_style hybrid/overlay nnp").replace(
                "pair_coeff * * ", "pair_coeff * * nnp "
            ),
            "hybrid/overlay",
        ),
    ],
)
def test_where_pairs_are_taken_out_of_the_list(
    lmp: Lmp, al_model: ExportedModel, change: Callable[[str], str], culprit: str
) -> None:
    system = fcc("Al", 4.05, 2)
    system.write(lmp.folder / "data")
    script = change(header(al_model, system, options="neighbors cells self_energies no"))
    lmp.expect_error(script + "run 0\n", rf"neighbors is cells, but {culprit}\S* needs LAMMPS's neighbor list")


def test_where_pairs_are_taken_out_of_the_list_within_a_run(lmp: Lmp, al_model: ExportedModel) -> None:
    system = fcc("Al", 4.05, 2)
    system.write(lmp.folder / "data")
    script = header(al_model, system, options="neighbors cells") + "run 0\nneigh_modify exclude type 1 1\n"
    lmp.expect_error(
        script + "run 1 pre no\n", "neigh_modify exclude was used after nnpal had chosen .* use neighbors list"
    )


@pytest.mark.parametrize("by", [lambda model, folder: model, by_libtorch], ids=["core", "device"])
def test_atoms_on_top_of_each_other(
    lmp: Lmp, al_model: ExportedModel, by: Callable[[ExportedModel, Path], ExportedModel]
) -> None:
    system = fcc("Al", 4.05, 2)
    positions = system.positions.copy()
    positions[7] = positions[3] + [0.01, 0.0, 0.0]
    clashing = System(system.elements, system.types, positions, system.cell, periodic=True)
    clashing.write(lmp.folder / "data")
    script = header(by(al_model, lmp.folder), clashing, options="neighbors cells")
    lmp.expect_error(script + "run 0\n", r"atom (4 and atom 8|8 and atom 4) are 0.01 Å apart, closer than 0.1 Å")


def test_unknown_value(lmp: Lmp, al_model: ExportedModel) -> None:
    system = fcc("Al", 4.05, 2)
    system.write(lmp.folder / "data")
    lmp.expect_error(header(al_model, system, options="neighbors all"), "neighbors is 'all', expected auto, list or")
