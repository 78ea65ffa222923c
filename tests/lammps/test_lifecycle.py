"""Atoms that leave, `clear`, several partitions, accelerator suffixes: the style outlives them all."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pytest

from lmp_runner import FULL_DIGITS, THERMO_FORMAT, Lmp
from lmp_single_point import header
from lmp_systems import System, fcc
from torchani_reference import ExportedModel, evaluate

# float64 sums in another order, beside self-energies of 1e3 eV
ROUNDING = 1e-8


def cluster(lmp: Lmp, model: ExportedModel) -> tuple[System, str]:
    """Return 32 atoms in a box that they can leave, and the script up to pair_coeff."""
    crystal = fcc("Al", 4.05, 2)
    system = dataclasses.replace(
        crystal, periodic=False, positions=crystal.positions + 1.0, cell=crystal.cell + 2.0 * np.eye(3)
    )
    system.write(lmp.folder / "data")
    return system, header(model, system)


@pytest.mark.mpi
@pytest.mark.parametrize("n_ranks", [1, 4])
def test_atoms_leave_through_open_faces(lmp: Lmp, al_model: ExportedModel, n_ranks: int) -> None:
    """At 30,000 K most atoms are soon gone; the rest have the energy that TorchANI gives them."""
    system, script = cluster(lmp, al_model)
    run = lmp(
        script
        + f"""velocity all create 30000.0 4711 loop geom
fix n all nve
compute c all pair nnp
fix uq all pair 20 nnp uq_energy 1
thermo_style custom step atoms pe c_c[1]
{THERMO_FORMAT}
thermo_modify lost ignore
thermo 20
dump d all custom 20 left.dump id type x y z f_uq
dump_modify d sort id format float {FULL_DIGITS}
run 40 post no
""",
        n_ranks=n_ranks,
    )
    last = run.dump("left.dump")[-1]
    n_left = len(last["id"])
    assert 1 <= n_left < 32
    rest = dataclasses.replace(system, positions=last.positions, types=last["type"].astype(int))
    expected = evaluate(al_model.model, rest)
    assert run.last("Atoms") == n_left
    np.testing.assert_allclose(run.last("PotEng"), expected.energy, atol=ROUNDING, rtol=0)
    np.testing.assert_allclose(run.last("c_c[1]"), expected.uq_energy.max(), atol=ROUNDING, rtol=0)
    np.testing.assert_allclose(last["f_uq"], expected.uq_energy, atol=ROUNDING, rtol=0)


def test_clear_and_again(lmp: Lmp, al_model: ExportedModel) -> None:
    _, script = cluster(lmp, al_model)
    once = script + f"thermo_style custom step pe\n{THERMO_FORMAT}\nrun 0\n"
    run = lmp(once + "clear\n" + once)
    assert len(run.thermo) == 2
    assert run.thermo[0]["PotEng"][0] == run.thermo[1]["PotEng"][0]


def test_suffix_falls_back_to_the_style(lmp: Lmp, al_model: ExportedModel) -> None:
    _, script = cluster(lmp, al_model)
    script += f"thermo_style custom step pe\n{THERMO_FORMAT}\nrun 0\n"
    assert lmp(script, args=("-sf", "omp")).last("PotEng") == lmp(script).last("PotEng")


@pytest.mark.mpi
def test_partitions_run_side_by_side(lmp: Lmp, al_model: ExportedModel) -> None:
    _, script = cluster(lmp, al_model)
    script += "variable members world 2 3\n" + f"pair_style nnp {al_model.path} precision double members ${{members}}\n"
    script += f"pair_coeff * * Al\nthermo_style custom step pe\n{THERMO_FORMAT}\nrun 0\n"
    lmp(script, n_ranks=2, args=("-partition", "2x1", "-plog", "none", "-pscreen", "part"))
    texts = [(lmp.folder / f"part.{k}").read_text() for k in (0, 1)]
    for text, n_members in zip(texts, (2, 3), strict=True):
        assert f"{n_members} of 3 members" in text
    energies = [float(re.findall(r"^ *- \[0, *(\S+?),? *\]", text, re.M)[-1]) for text in texts]
    assert energies[0] != energies[1]
