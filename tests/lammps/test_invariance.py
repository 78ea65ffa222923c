"""What must not change the answer: rotation, translation, atom order, the choice of the cell."""

from __future__ import annotations

import dataclasses

import numpy as np

from lmp_runner import Lmp
from lmp_single_point import SinglePoint, rerun_points, single_point
from lmp_systems import System, fcc, random_hcno, tilted
from torchani_reference import ExportedModel

# float64 sums of 1e4 terms in another order, beside self-energies of 1e3 eV; positions that went
# through a rotation carry 1e-15 Å of their own, times 1e3 eV/Å^2 of curvature.
ROUNDING = 1e-9


def random_rotation(seed: int) -> np.ndarray:
    """Return a proper rotation matrix, x' = x @ matrix."""
    q, r = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    q = q * np.sign(np.diag(r))
    return q * np.sign(np.linalg.det(q))


def assert_same_scalars(found: SinglePoint, expected: SinglePoint, order=slice(None)) -> None:
    np.testing.assert_allclose(found.energy, expected.energy, rtol=1e-13, atol=ROUNDING)
    np.testing.assert_allclose(found.summary, expected.summary, atol=ROUNDING)
    for name in ("c_e", "f_uq[1]", "f_uq[2]"):
        np.testing.assert_allclose(found.frame[name], expected.frame[name][order], atol=ROUNDING, rtol=1e-12)


def matrix(voigt: np.ndarray) -> np.ndarray:
    xx, yy, zz, xy, xz, yz = voigt
    return np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])


def test_rotated_and_translated_cluster(lmp: Lmp, hcno_model: ExportedModel) -> None:
    system = random_hcno(20, 0.08, periodic=False)
    rotation = random_rotation(5)
    center = system.positions.mean(0)
    turned = (system.positions - center) @ rotation + center
    clusters = [
        system,
        dataclasses.replace(system, positions=turned),
        dataclasses.replace(system, positions=system.positions + np.array([1.0, -2.0, 3.0])),
    ]
    plain, rotated, translated = rerun_points(lmp, hcno_model, clusters)
    assert_same_scalars(rotated, plain)
    np.testing.assert_allclose(rotated.forces, plain.forces @ rotation, atol=ROUNDING)
    np.testing.assert_allclose(matrix(rotated.virial), rotation.T @ matrix(plain.virial) @ rotation, atol=10 * ROUNDING)
    assert_same_scalars(translated, plain)
    np.testing.assert_allclose(translated.forces, plain.forces, atol=ROUNDING)


def reoriented(system: System, order: list[int]) -> tuple[System, np.ndarray]:
    """Take the box vectors in a cyclic order; return the system and the rotation into it."""
    cell = system.cell[order]
    q, r = np.linalg.qr(cell.T)
    signs = np.sign(np.diag(r))
    rotation = q * signs
    assert np.linalg.det(rotation) > 0
    turned = dataclasses.replace(system, positions=system.positions @ rotation, cell=np.tril(cell @ rotation))
    return turned, rotation


def test_rotated_triclinic_box(lmp: Lmp, hcno_model: ExportedModel) -> None:
    system = tilted(random_hcno(24, 0.1, periodic=True), 1.5, -0.8, 2.0)
    turned, rotation = reoriented(system, [1, 2, 0])
    plain, rotated = (single_point(lmp, hcno_model, s) for s in (system, turned))
    assert_same_scalars(rotated, plain)
    np.testing.assert_allclose(rotated.forces, plain.forces @ rotation, atol=ROUNDING)
    np.testing.assert_allclose(matrix(rotated.virial), rotation.T @ matrix(plain.virial) @ rotation, atol=10 * ROUNDING)


def test_atom_order_and_periodic_translation(lmp: Lmp, hcno_model: ExportedModel) -> None:
    system = random_hcno(24, 0.1, periodic=True)
    order = np.random.default_rng(2).permutation(len(system.types))
    shifted = system.positions + np.array([2.0, 3.0, 4.0])
    shifted %= np.diag(system.cell)  # atoms cross the boundary
    changed = dataclasses.replace(system, types=system.types[order], positions=shifted[order])
    plain, permuted = (single_point(lmp, hcno_model, s) for s in (system, changed))
    assert_same_scalars(permuted, plain, order)
    np.testing.assert_allclose(permuted.forces, plain.forces[order], atol=ROUNDING)
    np.testing.assert_allclose(permuted.virial, plain.virial, atol=10 * ROUNDING)


def test_triclinic_box_and_orthogonal_supercell(lmp: Lmp, al_model: ExportedModel) -> None:
    """Vectors a, b + a/2, c hold the same crystal as the supercell a, 2b, c of two of them."""
    small = tilted(fcc("Al", 4.05, 2), 4.05, 0.0, 0.0)
    second = small.positions + small.cell[1]
    supercell = dataclasses.replace(
        small,
        types=np.tile(small.types, 2),
        positions=np.vstack([small.positions, second]),
        cell=np.diag(np.diag(small.cell) * [1, 2, 1]),
    )
    one, two = (single_point(lmp, al_model, s) for s in (small, supercell))
    np.testing.assert_allclose(two.energy, 2 * one.energy, rtol=1e-13, atol=ROUNDING)
    np.testing.assert_allclose(two.virial, 2 * one.virial, atol=10 * ROUNDING)
    np.testing.assert_allclose(two.forces, np.vstack(2 * [one.forces]), atol=ROUNDING)
    for name in ("c_e", "f_uq[1]", "f_uq[2]"):
        np.testing.assert_allclose(two.frame[name], np.tile(one.frame[name], 2), atol=ROUNDING)
    np.testing.assert_allclose(two.summary[[0, 1, 3]], one.summary[[0, 1, 3]], atol=ROUNDING)
    # Both halves deviate together, so the deviation per sqrt(N) grows by sqrt(2).
    np.testing.assert_allclose(two.summary[2], np.sqrt(2) * one.summary[2], atol=ROUNDING)
