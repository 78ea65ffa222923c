"""Calibration on constructed sets whose answers are known."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from nnpal.evaluation import Calibration, Labels, Predictions, calibrate, calibrations
from nnpal.evaluation.figures import save_figures


def gaussian(
    dimensions: int, n_values: int = 4000, *, size: float = 1.0, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Return |ε| and u: ε normal in d dimensions with <|ε|²> = (size u)², u lognormal."""
    rng = np.random.default_rng(seed)
    uncertainty = np.exp(0.5 * rng.normal(size=n_values))
    error = rng.normal(size=(n_values, dimensions)) * size * uncertainty[:, None] / np.sqrt(dimensions)
    return np.linalg.norm(error, axis=1), uncertainty


def held(error: np.ndarray, uncertainty: np.ndarray, dimensions: int | None = 1, size: int = 1) -> Calibration:
    sizes = np.full(len(error) // size, size)
    return calibrate(error, uncertainty, sizes, rng=np.random.default_rng(1), dimensions=dimensions)


@pytest.mark.parametrize("dimensions", [1, 3])
@pytest.mark.parametrize("size", [1.0, 2.0])
def test_ratio_of_a_gaussian_set(dimensions: int, size: float) -> None:
    found = held(*gaussian(dimensions, size=size), dimensions)
    assert found.ratio_error is not None
    assert found.ratio == pytest.approx(size, abs=4 * found.ratio_error)
    # sqrt(<x>/2) for x of relative variance v: v from <u^4>/<u^2>^2 = e and the kurtosis of ε, 3 or 5/3
    kurtosis = 3.0 if dimensions == 1 else 5.0 / 3.0
    expected_error = size * 0.5 * np.sqrt((kurtosis * np.e - 1) / 4000)
    assert found.ratio_error == pytest.approx(expected_error, rel=0.35)


def test_miscalibration_area() -> None:
    """Zero when calibrated (a set of n scatters by 0.3/sqrt(n)), 1/2 at the ends, known for twice the error."""
    assert held(*gaussian(1)).miscalibration_area < 3 * 0.5 / np.sqrt(4000)
    assert held(*gaussian(3), dimensions=3).miscalibration_area < 3 * 0.5 / np.sqrt(4000)
    # the right set in the wrong number of dimensions shows
    assert held(*gaussian(3), dimensions=1).miscalibration_area > 0.05
    error, uncertainty = gaussian(1)
    assert held(1e-6 * error, uncertainty).miscalibration_area == pytest.approx(0.5, abs=1e-3)
    assert held(1e6 * error, uncertainty).miscalibration_area == pytest.approx(0.5, abs=1e-3)
    # twice the error: p = P(|z| < 2|x|), whose mean over x is (2/π) arctan 2, and which lies above the even one
    expected = 2 / np.pi * np.arctan(2.0) - 0.5
    assert held(*gaussian(1, size=2.0)).miscalibration_area == pytest.approx(expected, abs=0.02)


def test_values_without_uncertainty() -> None:
    """An error where none was claimed counts as beyond every quantile, and none as within all."""
    found = held(np.array([1.0, 0.0]), np.zeros(2))
    assert found.miscalibration_area == pytest.approx(0.25)
    assert np.isnan(found.spearman)
    assert np.isnan(found.ratio)
    shown = found.to_json()
    assert shown["spearman"] is None
    assert shown["ratio"] is None
    json.dumps(shown, allow_nan=False)


def test_rank_correlation_of_a_known_copula() -> None:
    """Of a normal copula with correlation r it is (6/π) arcsin(r/2), whatever the margins."""
    r, n = 0.6, 4000
    rng = np.random.default_rng(3)
    x = rng.normal(size=n)
    y = r * x + np.sqrt(1 - r**2) * rng.normal(size=n)
    found = held(np.exp(x), np.exp(3 * y))
    assert found.spearman == pytest.approx(6 / np.pi * np.arcsin(r / 2), abs=4 * found.spearman_error)
    assert 0.5 / np.sqrt(n) < found.spearman_error < 1.0 / np.sqrt(n)
    assert held(np.exp(x), np.exp(x)).spearman == pytest.approx(1.0)
    assert held(np.exp(x), np.exp(-x)).spearman == pytest.approx(-1.0)


def test_errors_come_from_configurations_not_from_atoms() -> None:
    """Sixteen copies of each value tell nothing new: the error stays that of the configurations."""
    error, uncertainty = gaussian(1, 400)
    alone = held(error, uncertainty)
    copies = held(np.repeat(error, 16), np.repeat(uncertainty, 16), size=16)
    assert copies.spearman == pytest.approx(alone.spearman, abs=1e-3)
    assert copies.spearman_error == pytest.approx(alone.spearman_error, rel=0.01)
    assert copies.ratio_error == pytest.approx(alone.ratio_error, rel=0.01)


def test_bins_by_hand() -> None:
    error = np.array([4.0, 1.0, 3.0, 1.0])
    uncertainty = np.array([20.0, 1.0, 10.0, 7.0])
    found = calibrate(error, uncertainty, [4], rng=np.random.default_rng(0), dimensions=1, n_bins=2)
    np.testing.assert_allclose(found.bins.uncertainty, np.sqrt([25.0, 250.0]))
    np.testing.assert_allclose(found.bins.error, np.sqrt([1.0, 12.5]))
    assert found.bins.count.tolist() == [2, 2]
    assert held(error, uncertainty).bins.count.tolist() == [1, 1, 1, 1]


def test_repeats_by_seed() -> None:
    assert held(*gaussian(1, 100)).to_json() == held(*gaussian(1, 100)).to_json()


def test_shapes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="sizes sum to 3"):
        calibrate(np.ones(2), np.ones(2), [3], rng=np.random.default_rng(0), dimensions=1)
    with pytest.raises(ValueError, match="at least two"):
        calibrate(np.ones(1), np.ones(1), [1], rng=np.random.default_rng(0), dimensions=1)


def exchangeable(n_members: int, n_frames: int = 400, n_atoms: int = 8) -> tuple[Predictions, Labels]:
    """Members and the truth drawn alike around the same mean, with a scale of each atom's and frame's own."""
    rng = np.random.default_rng(5)
    scale = np.exp(0.5 * rng.normal(size=n_frames * n_atoms))[:, None]
    forces = scale * rng.normal(size=(n_members + 1, n_frames * n_atoms, 3))
    energies = n_atoms * np.exp(0.5 * rng.normal(size=n_frames)) * rng.normal(size=(n_members + 1, n_frames))
    sizes = np.full(n_frames, n_atoms)
    nothing = np.full((n_frames, 6), np.nan)
    predictions = Predictions(
        n_atoms=sizes,
        energies=energies[1:].mean(0),
        forces=forces[1:].mean(0),
        stresses=nothing,
        uq_energy=scale[:, 0] ** 2,
        uq_force=np.sqrt(forces[1:].var(0).sum(-1)),
        member_energies=energies[1:],
        member_forces=forces[1:],
        member_stresses=None,
    )
    tags = np.array(["a", "b"])[np.arange(n_frames) % 2]
    labels = Labels(sizes, energies[0], forces[0], nothing, np.full(n_frames * n_atoms, "Ni"), tags)
    return predictions, labels


@pytest.mark.parametrize("n_members", [2, 5])
def test_an_ensemble_that_holds_the_truth_like_a_member(n_members: int) -> None:
    """<|F - F_ref|²> = s²(1 + 1/M) and <uq²> = s²(1 - 1/M), so the ratio is sqrt((M+1)/(M-1)) and not 1."""
    expected = np.sqrt((n_members + 1) / (n_members - 1))
    force, by_energy, energy = calibrations(*exchangeable(n_members))
    for found in (force, energy):
        assert found.ratio == pytest.approx(expected, abs=4 * found.ratio_error)
        assert 0 < found.ratio_error < 0.2 * expected
        assert found.spearman > 0.1
    assert (force.error, force.uncertainty) == ("force", "uq_force")
    assert (energy.error, energy.uncertainty, energy.n_values) == ("energy", "energy_std", 400)
    assert (by_energy.uncertainty, by_energy.ratio, by_energy.miscalibration_area) == ("uq_energy", None, None)
    assert by_energy.spearman > 0.3


def test_one_member_has_no_uncertainty() -> None:
    with pytest.raises(ValueError, match="one member"):
        calibrations(*exchangeable(1))


def test_figures_with_their_numbers(tmp_path: Path) -> None:
    predictions, labels = exchangeable(5, n_frames=20)
    paths = save_figures(tmp_path / "out", predictions, labels, calibrations(predictions, labels))
    assert [path.name for path in paths] == [
        "parity_energy.png",
        "parity_force.png",
        "error_force_uq_force.png",
        "error_force_uq_energy.png",
        "error_energy_energy_std.png",
    ]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(
        [path.name for path in paths] + [path.with_suffix(".csv").name for path in paths]
    )
    for path in paths:
        assert path.read_bytes().startswith(b"\x89PNG")
    energy = np.genfromtxt(tmp_path / "out" / "parity_energy.csv", delimiter=",", names=True, dtype=None)
    np.testing.assert_allclose(energy["reference_eV_atom"], labels.energies / 8)
    np.testing.assert_allclose(energy["model_eV_atom"], predictions.energies / 8)
    assert energy["tag"].tolist() == labels.tags.tolist()
    force = np.genfromtxt(tmp_path / "out" / "parity_force.csv", delimiter=",", names=True, dtype=None)
    np.testing.assert_allclose(force["reference_fy_eV_A"], labels.forces[:, 1])
    np.testing.assert_allclose(force["model_fz_eV_A"], predictions.forces[:, 2])
    error = np.genfromtxt(tmp_path / "out" / "error_force_uq_force.csv", delimiter=",", names=True)
    np.testing.assert_allclose(error["uq_force_meV"], 1e3 * predictions.uq_force)
    np.testing.assert_allclose(
        error["force_error_meV"], 1e3 * np.linalg.norm(predictions.forces - labels.forces, axis=1)
    )
    np.testing.assert_array_equal(error["frame"], predictions.frame_of_atom)
