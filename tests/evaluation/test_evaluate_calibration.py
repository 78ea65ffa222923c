"""Calibration on constructed sets whose answers are known."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms, units

from nnpal.evaluation import Calibration, Labels, Predictions, calibrate, calibrations
from nnpal.evaluation.error_against_uncertainty import error_against_uncertainty
from nnpal.evaluation.figures import force_reliability, most_uncertain, save_figures, stress_parity
from nnpal.figures.figure import drawn


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
    frames = [Atoms("Ni8", positions=np.arange(24.0).reshape(8, 3)) for _ in range(20)]
    paths = save_figures(tmp_path / "out", frames, predictions, labels, calibrations(predictions, labels))
    names = ["parity_energy", "parity_force", "error_force_uq_force", "error_force_uq_energy",
             "error_energy_energy_std", "structures_uncertain"]  # fmt: skip
    assert [path.name for path in paths] == [f"{name}.png" for name in names]
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        f"{name}.{suffix}" for name in names for suffix in ("png", "pdf", "csv")
    }
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


def test_errors_lie_on_equal_axes_with_the_line_of_exact_calibration() -> None:
    force, by_energy, _ = calibrations(*exchangeable(5, n_frames=40))
    [axes] = drawn(error_against_uncertainty(force)).axes
    assert axes.get_xlim() == axes.get_ylim()
    lines = {line.get_label(): line for line in axes.get_lines()}
    exact = lines["exact calibration"]
    np.testing.assert_array_equal(exact.get_xdata(), exact.get_ydata())
    assert len(lines["values"].get_xdata()) == 320  # none is left out; the smallest stand at the edges
    assert np.min(lines["values"].get_xdata()) >= axes.get_xlim()[0]
    np.testing.assert_allclose(lines["RMS of bins"].get_ydata(), 1e3 * force.bins.error)
    assert axes.get_title() == (
        f"rank correlation {force.spearman:.2f} ± {force.spearman_error:.2f}\n"
        f"error/uncertainty {force.ratio:.2f} ± {force.ratio_error:.2f}"
    )
    [axes] = drawn(error_against_uncertainty(by_energy)).axes  # other units: no such line
    assert [line.get_label() for line in axes.get_lines()] == ["values", "RMS of bins"]


def test_reliability_of_exact_error_bars_lies_on_the_diagonal() -> None:
    rng = np.random.default_rng(7)
    predictions, labels = exchangeable(2)
    sigma = np.exp(0.5 * rng.normal(size=len(labels.forces)))
    error = sigma[:, None] / np.sqrt(3) * rng.normal(size=labels.forces.shape)
    sigma[:5], error[:5] = np.inf, 1e9  # beyond the calibration
    exact = replace(predictions, forces=labels.forces + error, error_force=sigma)
    figure = force_reliability(exact, labels)
    assert "3,195 atoms" in figure.caption
    # 9,585 components: one standard error of a share is at most 0.5 %
    np.testing.assert_allclose(figure.columns["observed_per_cent"], figure.columns["nominal_per_cent"], atol=2.5)
    halved = force_reliability(replace(exact, error_force=sigma / 2), labels)
    assert np.min(np.subtract(halved.columns["nominal_per_cent"], halved.columns["observed_per_cent"])[5:15]) > 10
    with pytest.raises(ValueError, match="force_reliability: the predictions have no error_force"):
        force_reliability(predictions, labels)


def test_the_most_uncertain_atoms_are_marked_from_the_most_uncertain_on() -> None:
    predictions, labels = exchangeable(2, n_frames=10)
    uq = np.full(80, 0.001)
    uq[[35, 71, 7]] = 0.3, 0.2, 0.1  # atom 3 of frame 4, atom 7 of frame 8, atom 7 of frame 0
    error = np.zeros((80, 3))
    error[35] = 0.0, 3.0, 4.0
    known = replace(predictions, uq_force=uq, forces=labels.forces + error)
    figure = most_uncertain([Atoms("Ni8", positions=np.eye(8, 3))] * 10, known, labels)
    assert figure.columns["label"][0] == "frame 4 u 300 meV/Å |ΔF| 5,000 meV/Å"
    assert [label.split(" u ")[0] for label in figure.columns["label"][:24:8]] == ["frame 4", "frame 8", "frame 0"]
    assert np.flatnonzero(figure.columns["marked"])[:3].tolist() == [3, 8 + 7, 16 + 7]
    without = most_uncertain([Atoms("Ni8", positions=np.eye(8, 3))] * 10, replace(known, uq_force=None), labels)
    assert "uq_energy" in without.caption


def test_stresses_are_compared_in_gpa_where_there_are_any() -> None:
    predictions, labels = exchangeable(2, n_frames=3)
    stresses = np.full((3, 6), np.nan)
    stresses[1] = 0.01
    figure = stress_parity(replace(predictions, stresses=np.full((3, 6), 0.02)), replace(labels, stresses=stresses))
    expected = 1e3 * 0.01 / units.GPa
    assert figure.alt == f"MAE {expected:,.0f}, RMSE {expected:,.0f} MPa, N = 6"
    assert figure.columns["reference_xy_GPa"][1] == pytest.approx(0.01 / units.GPa)
