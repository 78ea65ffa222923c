"""`pair_style nnp` against TorchANI called directly: energies, forces, virial, uncertainty."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from lmp_runner import FULL_DIGITS, THERMO_FORMAT, Lmp
from lmp_single_point import SinglePoint, header, single_point
from lmp_systems import System, fcc, random_hcno, tilted
from torchani_reference import ExportedModel, Reference, evaluate

# Sums of some 1e4 terms in float64, in another order, beside self-energies of some 1e3 eV:
# 1e4 * 2e-16 * 1e3 = 2e-9. A wrong neighbor, sign or unit shows at 1e-3 or more.
DOUBLE = 1e-8

# float32 keeps 6e-8 of each term; a Gaussian exp(-eta (r - r_s)^2) with eta = 20 multiplies the
# rounding of r by up to eta r ~ 1e2, so 1e-5 of the largest force. A wrong term still shows.
SINGLE = 5e-5

CASES = {
    # 8.1 Å: shorter than the cutoff and the skin together, so atoms see their own images
    "al_bulk": lambda: fcc("Al", 4.05, 2),
    "hcno_triclinic": lambda: tilted(random_hcno(24, 0.1, periodic=True), 1.5, -0.8, 2.0),
    "hcno_cluster": lambda: random_hcno(20, 0.08, periodic=False),
}


def assert_agree(point: SinglePoint, expected: Reference, *, relative: float, unit: float = 1.0) -> None:
    """Compare every quantity, with tolerances relative to the largest force (eV/Å) or 1.

    `unit` is the script's energy unit per eV.
    """
    scale = max(1.0, float(np.abs(expected.forces).max()))
    tolerance = relative * scale * unit
    n_atoms = len(expected.forces)
    np.testing.assert_allclose(point.atomic_energies, unit * expected.atomic_energies, atol=tolerance, rtol=1e-12)
    np.testing.assert_allclose(point.energy, unit * expected.energy, atol=n_atoms * tolerance, rtol=1e-12)
    np.testing.assert_allclose(point.pair_energy, point.energy, rtol=1e-14)
    np.testing.assert_allclose(point.forces, unit * expected.forces, atol=tolerance)
    w = unit * (expected.virial + expected.virial.T) / 2
    voigt = [w[0, 0], w[1, 1], w[2, 2], w[0, 1], w[0, 2], w[1, 2]]
    np.testing.assert_allclose(point.virial, voigt, atol=n_atoms * tolerance)
    np.testing.assert_allclose(point.uq_energy, unit * expected.uq_energy, atol=tolerance)
    np.testing.assert_allclose(point.uq_force, unit * expected.uq_force, atol=tolerance)
    np.testing.assert_allclose(point.summary, unit * expected.summary, atol=tolerance)


def model_for(case: str, request: pytest.FixtureRequest) -> ExportedModel:
    return request.getfixturevalue("al_model" if case.startswith("al") else "hcno_model")


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize(("precision", "relative"), [("double", DOUBLE), ("single", SINGLE)])
def test_agrees_with_torchani(
    lmp: Lmp, request: pytest.FixtureRequest, case: str, precision: str, relative: float
) -> None:
    model, system = model_for(case, request), CASES[case]()
    expected = evaluate(model.model, system)
    # The comparison is worth nothing where everything is zero.
    assert np.abs(expected.forces).max() > 0.05
    assert expected.uq_energy.min() > 10 * DOUBLE
    point = single_point(lmp, model, system, options=f"precision {precision}")
    assert_agree(point, expected, relative=relative)


def test_default_precision_is_that_of_the_file(lmp: Lmp, al_model: ExportedModel) -> None:
    system = fcc("Al", 4.05, 2)
    default = single_point(lmp, al_model, system, options="")
    single = single_point(lmp, al_model, system, options="device cpu precision single members all")
    np.testing.assert_array_equal(default.forces, single.forces)


def test_shrink_wrapped_cluster(lmp: Lmp, hcno_model: ExportedModel) -> None:
    system = random_hcno(20, 0.08, periodic=False)
    point = single_point(lmp, hcno_model, system, boundary="s s s")
    assert_agree(point, evaluate(hcno_model.model, system), relative=DOUBLE)


def test_real_units(lmp: Lmp, hcno_model: ExportedModel) -> None:
    system = random_hcno(24, 0.1, periodic=True)
    point = single_point(lmp, hcno_model, system, units="real")
    # LAMMPS's own number of kcal/mol in an eV
    assert_agree(point, evaluate(hcno_model.model, system), relative=DOUBLE, unit=23.060549)


def test_members_uses_the_first_members(lmp: Lmp, al_model: ExportedModel) -> None:
    system = fcc("Al", 4.05, 2)
    point = single_point(lmp, al_model, system, options="members 2 precision double")
    assert_agree(point, evaluate(al_model.model, system, members=2), relative=DOUBLE)


def test_one_member_alone(lmp: Lmp, al_model: ExportedModel) -> None:
    """It has energies and forces, and no spread: not zeros, but infinity and an error."""
    system = fcc("Al", 4.05, 2)
    system.write(lmp.folder / "data")
    script = header(al_model, system, options="members 1 precision double")
    run = lmp(
        script
        + f"""compute c all pair nnp
thermo_style custom step pe c_c[*]
{THERMO_FORMAT}
dump d all custom 1 one.dump id fx fy fz
dump_modify d sort id format float {FULL_DIGITS}
run 0 post no
"""
    )
    expected = evaluate(al_model.model, system, members=1)
    np.testing.assert_allclose(run.last("PotEng"), expected.energy, atol=len(system.types) * DOUBLE, rtol=0)
    np.testing.assert_allclose(run.dump("one.dump")[0].forces, expected.forces, atol=DOUBLE, rtol=0)
    assert all(np.isposinf(run.last(f"c_c[{k}]")) for k in range(1, 5))
    lmp.expect_error(script + "fix uq all pair 1 nnp uq_energy 1\nrun 0\n", "needs at least 2 members")


def test_element_order_of_the_script_is_free(lmp: Lmp, hcno_model: ExportedModel) -> None:
    """Types O, H, H again, C, N in the script against H, C, N, O in the model."""
    system = random_hcno(24, 0.1, periodic=True)
    types = {"O": 1, "H": 2, "C": 4, "N": 5}
    relabeled = dataclasses.replace(
        system,
        elements=("O", "H", "H", "C", "N"),
        types=np.array([types[symbol] for symbol in system.symbols]),
    )
    hydrogens = np.flatnonzero(relabeled.types == 2)
    relabeled.types[hydrogens[::2]] = 3
    point = single_point(lmp, hcno_model, relabeled)
    assert_agree(point, evaluate(hcno_model.model, system), relative=DOUBLE)


def test_reference_agrees_with_explicit_images(hcno_model: ExportedModel) -> None:
    """TorchANI's periodic neighbors against a cluster of all images: the arbiter is right."""
    system = random_hcno(8, 0.1, periodic=True)
    shifts = np.stack(np.meshgrid(*3 * [np.arange(-2, 3)], indexing="ij"), -1).reshape(-1, 3)
    shifts = shifts[np.argsort(np.abs(shifts).sum(1), kind="stable")]  # the cell itself first
    images = (system.positions + (shifts @ system.cell)[:, None]).reshape(-1, 3)
    cluster = System(system.elements, np.tile(system.types, len(shifts)), images, system.cell, periodic=False)
    inside, periodic = evaluate(hcno_model.model, cluster), evaluate(hcno_model.model, system)
    np.testing.assert_allclose(inside.atomic_energies[: len(system.types)], periodic.atomic_energies, atol=1e-9, rtol=0)
