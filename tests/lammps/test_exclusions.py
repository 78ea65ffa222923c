"""Exclusions from the neighbor list: an atom without any pair is absent, and environments are whole or refused."""

from __future__ import annotations

import numpy as np
import pytest

from lmp_runner import FULL_DIGITS, THERMO_FORMAT, Lmp
from lmp_single_point import header
from lmp_systems import fcc, random_hcno
from torchani_reference import ExportedModel

OBSERVE = f"""
compute uq all pair nnp
fix uq all pair 1 nnp uq_energy 1 uq_force 1
compute e all pe/atom
compute p all pressure NULL virial
thermo_style custom step pe c_p[*] c_uq[*]
{THERMO_FORMAT}
"""
RUN = f"""
dump d all custom 1 {{}}.dump id fx fy fz c_e f_uq[*]
dump_modify d sort id format float {FULL_DIGITS}
run 0 post no
undump d
"""


@pytest.mark.mpi
@pytest.mark.parametrize(("how", "n_ranks"), [("group", 1), ("type", 2)])
def test_an_atom_that_is_excluded_from_all_others_is_as_if_deleted(
    lmp: Lmp, hcno_model: ExportedModel, how: str, n_ranks: int
) -> None:
    """As eam/fs has it. The energy of an isolated atom, its self-energy included, stayed behind before."""
    system = random_hcno(24, 0.06, periodic=True)
    system.write(lmp.folder / "data")
    if how == "group":
        gone, excluded = "group gone id 3 7 11\n", "neigh_modify exclude group gone all\n"
    else:
        gone, excluded = "group gone type 2\n", "".join(f"neigh_modify exclude type 2 {t}\n" for t in range(1, 5))
    run = lmp(
        header(hcno_model, system)
        + OBSERVE
        + gone
        + excluded
        + RUN.format("excluded")
        + "neigh_modify exclude none\ndelete_atoms group gone compress no\n"
        + RUN.format("deleted"),
        n_ranks=n_ranks,
    )
    assert "as if they were deleted" in run.text
    for name, values in run.thermo[1].items():
        np.testing.assert_allclose(run.thermo[0][name], values, rtol=1e-10, atol=1e-8, err_msg=name)
    all_atoms, left = run.dump("excluded.dump")[0], run.dump("deleted.dump")[0]
    is_left = np.isin(all_atoms["id"], left["id"])
    assert 0 < is_left.sum() < 24
    for name, values in left.columns.items():
        np.testing.assert_allclose(all_atoms[name][is_left], values, rtol=1e-10, atol=1e-8, err_msg=name)
        if name != "id":
            np.testing.assert_array_equal(all_atoms[name][~is_left], 0.0, err_msg=name)


@pytest.mark.parametrize(
    ("command", "named"),
    [
        ("neigh_modify exclude group low high", "neigh_modify exclude group low high"),
        ("neigh_modify exclude molecule/intra low", "neigh_modify exclude molecule/intra low"),
        ("atom_modify first low\nneigh_modify include low", "neigh_modify include low"),
    ],
)
def test_exclusions_of_some_neighbors_are_refused(
    lmp: Lmp, hcno_model: ExportedModel, command: str, named: str
) -> None:
    system = random_hcno(24, 0.06, periodic=True)
    system.write(lmp.folder / "data", molecule_style=True)
    script = header(hcno_model, system).replace("atom_style atomic", "atom_style molecular")
    script += f"special_bonds lj/coul 1 1 1\ngroup low id 1:12\ngroup high id 13:24\n{command}\nrun 0\n"
    lmp.expect_error(script, rf"{named} removes some neighbors .* use `neigh_modify exclude none`", ranks=(1,))


@pytest.mark.mpi
def test_exclusions_between_runs_are_refused(lmp: Lmp, al_model: ExportedModel) -> None:
    system = fcc("Al", 4.05, 2)
    system.write(lmp.folder / "data")
    script = header(al_model, system) + "group low id 1:16\nrun 0\nneigh_modify exclude group low low\nrun 1 pre no\n"
    lmp.expect_error(script, "neigh_modify exclude group low low removes some neighbors", ranks=(2,))


def test_exclusions_among_atoms_of_another_style_are_left_alone(lmp: Lmp, al_model: ExportedModel) -> None:
    """Under hybrid the model's atoms are those of its own types."""
    system = random_hcno(24, 0.06, periodic=True)
    system.write(lmp.folder / "data")
    start = f"""
units metal
read_data data
pair_style hybrid nnp {al_model.path} precision double lj/cut 5.0
pair_coeff * * nnp NULL Al NULL Al
pair_coeff 1 * lj/cut 0.01 1.0
pair_coeff 2*3 3 lj/cut 0.01 1.0
pair_coeff 3 4 lj/cut 0.01 1.0
compute n all pair nnp
thermo_style custom step pe c_n c_n[1]
{THERMO_FORMAT}
group ours type 1
group others type 3
"""
    excluded = "".join(
        f"neigh_modify exclude {command}\nrun 0\nneigh_modify exclude none\n"
        for command in ("group ours others", "type 1 3", "type 1 1")
    )
    tables = lmp(start + "run 0\n" + excluded).thermo
    assert len(tables) == 4
    # The other style's pairs are out of the list
    assert tables[0]["PotEng"][0] != tables[1]["PotEng"][0] == tables[2]["PotEng"][0] != tables[3]["PotEng"][0]
    for name in ("c_n", "c_n[1]"):
        values = np.array([table[name][0] for table in tables])
        np.testing.assert_allclose(values, values[0], rtol=1e-13)
    lmp.expect_error(start + "neigh_modify exclude type 2 4\nrun 0\n", "exclude type 2 4 removes some", ranks=(1,))
