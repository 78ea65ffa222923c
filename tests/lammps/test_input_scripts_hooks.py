"""in.hook_example runs as it stands, and its hook, an example for users, obeys the checks that any potential must."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from hook_scripts import thermo
from lmp_runner import Lmp, LmpRun
from lmp_systems import System, data_file
from nnpal.demo.eam import eam_potential

ROOT = Path(__file__).parents[2]
INPUTS = ROOT / "lammps_inputs"
VARIABLES = {"potential": eam_potential(), "every": 5}


@pytest.fixture
def example(lmp: Lmp) -> Lmp:
    """`lmp` in a folder that holds the hook."""
    shutil.copy(INPUTS / "hook_example.py", lmp.folder)
    return lmp


def run_script(lmp: Lmp, *, n_ranks: int = 1, **variables: object) -> LmpRun:
    """Run in.hook_example unchanged, but for the digits of its output."""
    text = (INPUTS / "in.hook_example").read_text()
    assert re.search(r"^#\s+lmp -in in.hook_example\b", text, re.M)
    text = re.sub(r"^thermo_style.*$", r"\g<0>\nthermo_modify line yaml format float '%24.17g'", text, flags=re.M)
    args = [word for key, value in {**VARIABLES, **variables}.items() for word in ("-var", key, str(value))]
    run = lmp(text, n_ranks=n_ranks, args=tuple(args))
    assert "WARNING" not in run.text
    return run


# A wall that reaches far into the cluster from the beginning and moves quickly
TIGHT = {"radius": 10.0, "end": 9.0, "rate": -5.0}


def test_total_energy_gains_the_work_of_the_wall(example: Lmp) -> None:
    """NVE with a moving wall: etotal minus work is conserved, etotal alone is not."""
    (table,) = run_script(example, steps=400, **TIGHT).thermo
    work, conserved = table["f_wall[4]"], table["v_conserved"]
    assert work[-1] > 1.0  # eV
    # the integration error of 2 fs while the wall is first met, 3e-4 eV an atom, for 336 atoms; falls with its square
    assert np.ptp(conserved) < 0.1 < 0.01 * np.ptp(table["TotEng"])
    np.testing.assert_allclose(table["f_wall[1]"][:10], 10.0 - 0.05 * np.arange(10), rtol=1e-12)  # rounding
    assert table["f_wall[1]"][-1] == 9.0
    assert 0 < table["f_wall[2]"][-1] < 336
    for name in ("hook_example.restart", "hook_example.data"):
        assert (example.folder / name).is_file()


@pytest.mark.mpi
@pytest.mark.parametrize("n_ranks", [2, 4])
def test_ranks_agree(example: Lmp, n_ranks: int) -> None:
    (one,) = run_script(example, steps=20, **TIGHT).thermo
    (several,) = run_script(example, n_ranks=n_ranks, steps=20, **TIGHT).thermo
    for name in ("PotEng", "f_wall", "f_wall[2]", "f_wall[3]", "f_wall[4]"):
        # sums in another order, then 20 steps in which their rounding grows tenfold
        np.testing.assert_allclose(several[name], one[name], rtol=1e-11, atol=1e-11, err_msg=name)


def test_restart_goes_on_as_if_unbroken(example: Lmp) -> None:
    (whole,) = run_script(example, steps=60, **TIGHT).thermo
    run_script(example, steps=30, **TIGHT)
    (rest,) = run_script(example, steps=30, **{"continue": 1}, **TIGHT).thermo
    second = whole["Step"] >= 30
    for name in ("PotEng", "f_wall", "f_wall[1]", "f_wall[3]", "f_wall[4]"):
        # atoms are sorted anew: sums in another order; a radius that began anew would be 0.3 Å off
        np.testing.assert_allclose(rest[name], whole[name][second], rtol=1e-9, err_msg=name)


def cluster(strain: np.ndarray | None = None, shift: np.ndarray | None = None) -> System:
    """Thirty atoms in a tilted cell, about half of them beyond 4 Å from its center."""
    rng = np.random.default_rng(5)
    cell = np.array([[14.0, 0, 0], [2.0, 13.0, 0], [-1.5, 2.5, 15.0]])
    origin = np.array([0.5, -1.0, 2.0])
    # strained cells stay lower triangular under a lower triangular strain, so LAMMPS takes them
    x = cell.sum(axis=0) / 2 + rng.normal(0, 2.4, (30, 3)) + (0 if shift is None else shift)
    deform = np.eye(3) + (0 if strain is None else strain)
    return System(("Al",), np.ones(30, dtype=int), x @ deform + origin, cell @ deform, origin=origin)


def evaluate(lmp: Lmp, system: System) -> LmpRun:
    (lmp.folder / "data").write_text(data_file(system))
    return lmp(
        "units metal\nread_data data\npair_style zero 3.0\npair_coeff * *\n"
        "fix wall all python/hook hook_example:SphericalWall radius 4 k 0.7\nfix_modify wall energy yes virial yes\n"
        "compute w all pressure NULL fix\ndump d all custom 1 dump id fx fy fz\ndump_modify d format float %24.17g\n"
        + thermo("step", "pe", "f_wall", "f_wall[2]", "vol", *(f"c_w[{i}]" for i in range(1, 7)))
        + "run 0\n"
    )


def test_forces_are_minus_the_gradient(example: Lmp) -> None:
    """One step of ±h along a random direction: the energy falls by what the forces say."""
    direction = np.random.default_rng(6).normal(size=(30, 3))
    h = 1e-4
    run = evaluate(example, cluster())
    assert 5 < run.last("f_wall[2]") < 25
    assert run.last("PotEng") == run.last("f_wall") > 1.0
    expected = -float((run.dump("dump")[0].forces * direction).sum())
    high, low = (evaluate(example, cluster(shift=sign * h * direction)).last("f_wall") for sign in (1, -1))
    # E is quadratic between kinks of its curvature: error h² for atoms that cross the wall, of some 10 eV/Å
    assert (high - low) / (2 * h) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("component", [(0, 0), (1, 1), (2, 2), (1, 0), (2, 0), (2, 1)])
def test_virial_is_minus_the_strain_derivative(example: Lmp, component: tuple[int, int]) -> None:
    """x' = x (1 + ε): dE/dε_ab = -W_ab, as LAMMPS's pressure sees it."""
    strain = np.zeros((3, 3))
    strain[component] = h = 1e-5
    run = evaluate(example, cluster())
    order = {(0, 0): 1, (1, 1): 2, (2, 2): 3, (1, 0): 4, (2, 0): 5, (2, 1): 6}
    nktv2p = 1.6021765e6  # LAMMPS's, metal units
    virial = run.last(f"c_w[{order[component]}]") * run.last("Volume") / nktv2p
    assert abs(virial) > 0.05
    high, low = (evaluate(example, cluster(strain=sign * strain)).last("f_wall") for sign in (1, -1))
    assert -(high - low) / (2 * h) == pytest.approx(virial, rel=1e-6)  # as above


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("radius 0 k 1", "radius 0: expected a number greater than 0"),
        ("radius 4 k -1", "k -1: expected a number greater than 0"),
        ("radius 4 k 1 rate 1 end 3", "end 3: a wall at 4 that moves at 1 never comes there"),
        ("radius 4 k 1 end 3", "end 3: a wall at 4 that moves at 0 never comes there"),
        ("radius 7 k 1", r"radius 7: in this periodic box it must be less than 6\.\d+"),
        ("radius 4 stiffness 1", r"unknown option stiffness.*known: radius, k, rate, end, center"),
    ],
)
def test_bad_options(example: Lmp, options: str, message: str) -> None:
    (example.folder / "data").write_text(data_file(cluster()))
    example.expect_error(
        "units metal\nread_data data\npair_style zero 3.0\npair_coeff * *\n"
        f"fix wall all python/hook hook_example:SphericalWall {options}\nrun 0\n",
        message,
        ranks=(1,),
    )


def test_the_page_shows_the_files_that_are_tested() -> None:
    page = (ROOT / "docs" / "hooks.md").read_text()
    assert f"```python\n{(INPUTS / 'hook_example.py').read_text()}```" in page
    excerpt = re.search(r"^```lammps\n(# Its state.*?)^```$", page, re.M | re.S)
    assert excerpt is not None
    assert excerpt[1] in (INPUTS / "in.hook_example").read_text()
