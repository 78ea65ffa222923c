"""The same numbers on 1, 2 and 4 ranks, whatever the processor grid."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest

from lmp_runner import FULL_DIGITS, Lmp, LmpRun
from lmp_single_point import MEASURE, SinglePoint, header, single_point
from lmp_systems import System, fcc, random_hcno, tilted
from torchani_reference import ExportedModel

pytestmark = pytest.mark.mpi

# Only the order of float64 sums differs between grids: 1e4 terms * 2e-16, beside self-energies
# of 1e3 eV. A ghost's share lost or counted twice shows at 1e-3 or more.
ROUNDING = 1e-9


def cluster_in_a_corner() -> System:
    """A cluster that leaves most subdomains of any 4-rank grid empty."""
    system = random_hcno(16, 0.08, periodic=False)
    return dataclasses.replace(system, cell=80.0 * np.eye(3))


SYSTEMS: dict[str, Callable[[], System]] = {
    "al_bulk": lambda: fcc("Al", 4.05, 2),
    "hcno_triclinic": lambda: tilted(random_hcno(24, 0.1, periodic=True), 1.5, -0.8, 2.0),
    "hcno_corner": cluster_in_a_corner,
}


def assert_same(found: SinglePoint, expected: SinglePoint) -> None:
    np.testing.assert_allclose(found.energy, expected.energy, rtol=1e-13, atol=ROUNDING)
    np.testing.assert_allclose(found.virial, expected.virial, atol=10 * ROUNDING)
    np.testing.assert_allclose(found.summary, expected.summary, atol=ROUNDING)
    assert found.frame.columns.keys() == expected.frame.columns.keys()
    for name, values in expected.frame.columns.items():
        pressure_volume = 1.6021765e6 if name.startswith(("c_s", "c_cs")) else 1.0
        np.testing.assert_allclose(found.frame[name], values, atol=ROUNDING * pressure_volume, rtol=1e-12, err_msg=name)


@pytest.mark.parametrize("name", SYSTEMS)
def test_grids_agree(lmp: Lmp, request: pytest.FixtureRequest, name: str) -> None:
    model = request.getfixturevalue("al_model" if name.startswith("al") else "hcno_model")
    system = SYSTEMS[name]()
    alone = single_point(lmp, model, system)
    assert np.abs(alone.forces).max() > 0.05
    for n_ranks, grid in [(2, "* * *"), (4, "2 2 1"), (4, "1 1 4")]:
        point = single_point(lmp, model, system, n_ranks=n_ranks, before_box=f"processors {grid}")
        assert_same(point, alone)


def test_tiled_communication_agrees(lmp: Lmp, hcno_model: ExportedModel) -> None:
    system = cluster_in_a_corner()
    alone = single_point(lmp, hcno_model, system)
    tiled = single_point(lmp, hcno_model, system, n_ranks=4, before_run="comm_style tiled\nbalance 1.0 rcb\n")
    assert_same(tiled, alone)


def hot_run(lmp: Lmp, model: ExportedModel, n_ranks: int, extra: str = "") -> LmpRun:
    """Forty steps of a hot crystal that drifts as a whole, so that atoms change their rank."""
    fcc("Al", 4.05, 2).write(lmp.folder / "data")
    script = (
        header(model, fcc("Al", 4.05, 2))
        + f"""
neigh_modify every 1 delay 0 check yes
neighbor 0.5 bin
velocity all create 900.0 4711 loop all dist gaussian mom yes
velocity all set 20.0 30.0 40.0 sum yes units box
{extra}
fix integrate all nve
{MEASURE}
undump d
dump d all custom 40 all.dump id type x y z fx fy fz c_e f_uq[*] c_s[*] c_cs[*]
dump_modify d sort id format float {FULL_DIGITS}
dump where all custom 40 where.dump id proc
timestep 0.002
run 40 post no
"""
    )
    return lmp(script, n_ranks=n_ranks)


@pytest.mark.parametrize(
    ("n_ranks", "extra"),
    [
        pytest.param(2, "", id="two"),
        pytest.param(4, "", marks=pytest.mark.slow, id="four"),
        pytest.param(4, "comm_style tiled\nfix b all balance 10 0.9 rcb out balance.log", id="four_tiled_and_balanced"),
    ],
)
def test_migrating_atoms_agree(lmp: Lmp, al_model: ExportedModel, n_ranks: int, extra: str) -> None:
    expected = hot_run(lmp, al_model, 1)
    alone, pressure = expected.dump("all.dump")[-1], expected.thermo[-1]["c_p[1]"]
    run = hot_run(lmp, al_model, n_ranks, extra)
    first, last = run.dump("where.dump")
    assert np.count_nonzero(first["proc"] != last["proc"]) >= 4, "no atom changed its rank"
    # Rounding of 1e-13 grows with the system's Lyapunov exponent, some 1/(50 fs): e^1.6 in 80 fs.
    frame = run.dump("all.dump")[-1]
    np.testing.assert_allclose(frame.forces, alone.forces, atol=1e-8)
    np.testing.assert_allclose(frame["f_uq[1]"], alone["f_uq[1]"], atol=1e-8)
    np.testing.assert_allclose(frame["f_uq[2]"], alone["f_uq[2]"], atol=1e-8)
    np.testing.assert_allclose(run.thermo[-1]["c_p[1]"], pressure, atol=1e-3)  # bar
