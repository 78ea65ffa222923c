"""The style under hybrid and hybrid/overlay: sums, NULL types, and its uncertainty there."""

from __future__ import annotations

import dataclasses

import numpy as np

from lmp_runner import FULL_DIGITS, THERMO_FORMAT, Lmp
from lmp_single_point import MEASURE, single_points
from lmp_systems import System, fcc
from torchani_reference import ExportedModel, evaluate

OUTPUT = f"""compute e all pe/atom
compute p all pressure NULL virial
thermo_style custom step pe c_p[*]
{THERMO_FORMAT}
dump d all custom 1 out.dump id fx fy fz c_e
dump_modify d sort id format float {FULL_DIGITS}
run 0 post no
"""


def test_overlay_with_zbl_is_the_sum(lmp: Lmp, al_model: ExportedModel) -> None:
    """The ZBL cutoff of 3.5 Å reaches the first neighbors, so that both parts count."""
    fcc("Al", 4.05, 2).write(lmp.folder / "data")
    start = "units metal\nread_data data\n"
    nnp, zbl = f"nnp {al_model.path} precision double", "zbl 3.0 3.5"
    results = {}
    for name, styles in {
        "nnp": f"pair_style {nnp}\npair_coeff * * Al\n",
        "zbl": f"pair_style {zbl}\npair_coeff 1 1 13 13\n",
        "both": f"pair_style hybrid/overlay {zbl} {nnp}\npair_coeff 1 1 zbl 13 13\npair_coeff * * nnp Al\n",
    }.items():
        run = lmp(start + styles + OUTPUT)
        results[name] = (run.thermo[0], run.dump("out.dump")[0])
    (nnp_thermo, nnp_frame), (zbl_thermo, zbl_frame), (thermo, frame) = results.values()
    assert np.abs(zbl_frame.forces).max() > 0.05
    # sums of float64 in another order
    np.testing.assert_allclose(frame.forces, nnp_frame.forces + zbl_frame.forces, atol=1e-10)
    np.testing.assert_allclose(frame["c_e"], nnp_frame["c_e"] + zbl_frame["c_e"], rtol=1e-12)
    for name in ("PotEng", *(f"c_p[{k}]" for k in range(1, 7))):
        np.testing.assert_allclose(thermo[name], nnp_thermo[name] + zbl_thermo[name], rtol=1e-10, atol=1e-5)


def with_guest(system: System) -> System:
    """Add one atom of a second type in a hole of the crystal."""
    hole = system.positions[0] + np.array([2.0, 0.0, 0.0])
    return dataclasses.replace(
        system,
        elements=("Al", "Ni"),
        types=np.append(system.types, 2),
        positions=np.vstack([system.positions, hole]),
    )


def test_null_types_belong_to_the_other_style(lmp: Lmp, al_model: ExportedModel) -> None:
    """A guest under lj/cut in an nnp crystal: the crystal is as if it were not there."""
    crystal = fcc("Al", 4.05, 2)
    system = with_guest(crystal)
    system.write(lmp.folder / "data")
    run = lmp(
        f"""units metal
read_data data
pair_style hybrid nnp {al_model.path} precision double lj/cut 5.0
pair_coeff * * nnp Al NULL
pair_coeff * 2 lj/cut 0.01 2.2
"""
        + MEASURE
        + "run 0\n"
    )
    point = single_points(run)[0]
    expected = evaluate(al_model.model, crystal)
    run_lj = lmp(
        """units metal
read_data data
pair_style hybrid lj/cut 5.0 zero 5.0
pair_coeff 1 1 zero
pair_coeff * 2 lj/cut 0.01 2.2
"""
        + OUTPUT
    )
    lj = run_lj.dump("out.dump")[0]
    assert np.abs(lj.forces).max() > 0.01
    # float64 sums in another order beside self-energies, as in test_agreement
    np.testing.assert_allclose(point.forces, np.vstack([expected.forces, np.zeros(3)]) + lj.forces, atol=1e-8)
    np.testing.assert_allclose(point.energy, expected.energy + run_lj.last("PotEng"), atol=1e-7)
    np.testing.assert_allclose(point.uq_energy, np.append(expected.uq_energy, 0.0), atol=1e-8)
    np.testing.assert_allclose(point.uq_force, np.append(expected.uq_force, 0.0), atol=1e-8)
    np.testing.assert_allclose(point.summary, expected.summary, atol=1e-8)


def test_restart_under_hybrid(lmp: Lmp, al_model: ExportedModel) -> None:
    system = with_guest(fcc("Al", 4.05, 2))
    system.write(lmp.folder / "data")
    first = lmp(
        f"""units metal
read_data data
pair_style hybrid nnp {al_model.path} precision double lj/cut 5.0
pair_coeff * * nnp Al NULL
pair_coeff * 2 lj/cut 0.01 2.2
"""
        + OUTPUT
        + "write_restart now.restart\n"
    ).last("PotEng")
    # hybrid leaves pair_coeff to the script, as for every style under it
    again = lmp("read_restart now.restart\npair_coeff * * nnp Al NULL\npair_coeff * 2 lj/cut 0.01 2.2\n" + OUTPUT).last(
        "PotEng"
    )
    np.testing.assert_allclose(again, first, rtol=1e-13)
