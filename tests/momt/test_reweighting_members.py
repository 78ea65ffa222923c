"""Error bars from members whose answers are known: oscillators of known stiffness, two phases of known enthalpies."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nnpal.momt.reweighting import (
    Members,
    Samples,
    average,
    coexistence,
    free_energy,
    members_averages,
    members_coexistence,
    members_free_energy,
    of_frames,
    thermodynamics,
    u_kn,
)
from nnpal.observables import MembersEstimate, first_order

BOLTZ, T0, N_ATOMS = 8.617343e-5, 1000.0, 8
DEGREES, KT0 = 3 * N_ATOMS, BOLTZ * T0
# Of 4 standard errors a check: one false alarm in 15,000
SIGMAS = 4.0
STIFFER = np.array([-0.06, -0.02, 0.03, 0.05])  # members' spring constants, relative to their mean


def samples(H: np.ndarray, dH: np.ndarray | float, V: np.ndarray | float = 0.0, O: np.ndarray | float = 0.0) -> Samples:  # noqa: E741
    n = len(H)
    V, O, dH = (np.broadcast_to(x, n) for x in (V, O, dH))  # noqa: E741
    return Samples(
        H, V, O, dH, np.zeros(n, dtype=int), T0, 0.0, BOLTZ, 1.6e6, N_ATOMS, step=10 * np.arange(n)
    )  # fmt: skip


def oscillators(n: int = 20_000, seed: int = 1) -> Samples:
    """Draw independent oscillators at T0: U = κ r²/2 is a gamma variable, and V = 100 + 5 U belongs to r alone."""
    u = np.random.default_rng(seed).gamma(DEGREES / 2, KT0, n)
    return samples(u, 0.0, V=100 + 5 * u)


def oscillator_members(stiffer: np.ndarray, n: int = 20_000) -> Members:
    own = oscillators(n)
    return Members(own, stiffer[:, None] * own.H)


def two_phases(balance: float, n: int = 10_000, seed: int = 4) -> Samples:
    """Draw two phases, 1 eV apart, equally often under a bias that makes it so; in balance at a temperature."""
    rng = np.random.default_rng(seed)
    solid = np.repeat(rng.uniform(size=n // 50) < 0.5, 50)
    h = rng.normal(np.where(solid, -10.0, -9.0), 0.05)
    entropy = np.where(solid, 0.0, 1.0 / (BOLTZ * balance))
    return samples(h, KT0 * entropy - h, O=np.where(solid, rng.normal(30, 1, n), rng.gamma(4, 0.4, n)))


def test_full_reweighting_gives_each_oscillator_its_own_volume() -> None:
    found = members_averages(oscillator_members(STIFFER), T0)
    volume = found["volume"]
    exact = 100 + 5 * DEGREES / 2 * KT0 / (1 + STIFFER)
    assert volume.method == "reweighted"
    assert volume.noise is not None
    np.testing.assert_allclose(volume.values - volume.values.mean(), exact - exact.mean(), atol=SIGMAS * volume.noise)
    assert volume.error == pytest.approx(exact.std(), abs=SIGMAS * volume.noise)
    assert volume.noise < 0.1 * volume.error, "the check must be able to tell"
    # Equipartition: ⟨U_m⟩ = d kT/2 and C whatever the stiffness
    assert found["enthalpy"].error < SIGMAS * max(found["enthalpy"].noise, 1e-4 * DEGREES * KT0)
    statistical = thermodynamics(oscillators(), T0).heat_capacity.error
    assert found["heat_capacity"].error < statistical


def test_first_order_is_the_cumulant_expansion_and_differs_in_second_order() -> None:
    own = oscillators()
    shift = STIFFER[:, None] * own.H

    def volume(one: np.ndarray) -> float:
        w = np.exp(-(one - one.min()) / KT0)
        return float(w @ own.V / w.sum())

    values = first_order(volume, shift, KT0)
    covariance = [np.mean(own.V * one) - own.V.mean() * one.mean() for one in shift]
    np.testing.assert_allclose(values, own.V.mean() - np.array(covariance) / KT0, rtol=1e-9)
    full = np.array([volume(one) for one in shift])
    linear, quadratic = 5 * DEGREES / 2 * KT0 * STIFFER, 5 * DEGREES / 2 * KT0 * STIFFER**2
    np.testing.assert_allclose(values - own.V.mean(), -linear, rtol=0.1)  # cov(U, U) is known to a few per cent
    np.testing.assert_allclose(full - values, quadratic, atol=0.15 * quadratic.max())
    # The first order of a difference four times smaller errs by sixteen times less
    small = first_order(volume, shift / 4, KT0)
    full_of_small = np.array([volume(one / 4) for one in shift])
    np.testing.assert_allclose(full_of_small - small, (full - values) / 16, atol=0.1 * quadratic.max() / 16)


def test_members_too_far_apart_are_not_reweighted_in_full() -> None:
    far = 12 * STIFFER  # ± 0.7: a few of 20,000 rows carry the softest member
    members = oscillator_members(far)
    found = members_averages(members, T0)["volume"]
    assert found.method == "first order"
    assert found.n_effective is None
    np.testing.assert_allclose(found.values - found.values.mean(), -5 * DEGREES / 2 * KT0 * far, rtol=0.15)
    assert members.widths(T0).max() == pytest.approx(abs(far).max() * np.sqrt(DEGREES / 2), rel=0.05)


def test_few_frames_are_refused() -> None:
    far = two_phases(950.0, n=400)
    members = Members(far, np.zeros((3, 400)))
    with pytest.raises(ValueError, match=r"the frames do not reach T = 100: .*; save frames more often"):
        members_averages(members, 100.0)


# Spread of the members in the solid alone, eV: the enthalpy of melting is 1 - C, that of the mean 1
C = np.array([-0.03, -0.01, 0.015, 0.025])


def solid_shift(own: Samples, c: np.ndarray) -> np.ndarray:
    return c[:, None] * (own.O > 12)


def test_melting_temperature_of_each_member() -> None:
    own = two_phases(950.0)
    found = members_coexistence(Members(own, solid_shift(own, C)), 12.0)
    value, _ = coexistence(own, 12.0)
    assert found.method == "reweighted"
    np.testing.assert_allclose(found.values, value * (1 - C), rtol=1e-3)
    assert found.error == pytest.approx(value * C.std(), rel=0.02)


def test_melting_temperature_where_no_member_can_be_reweighted() -> None:
    """Noise of 3 kT that knows nothing of the phase leaves T_m alone and full reweighting without rows."""
    own = two_phases(950.0, n=8_000)
    c = 4 * C
    noise = np.random.default_rng(5).normal(0, 3 * KT0, (4, len(own)))
    found = members_coexistence(Members(own, solid_shift(own, c) + noise), 12.0)
    assert found.method == "first order"
    assert found.noise is not None
    # n rows of noise: log odds ± 2 · 3/√n = 0.07 of ΔH/kT = 12, so T ± 5 K
    value, _ = coexistence(own, 12.0)
    np.testing.assert_allclose(found.values, value * (1 - c), atol=SIGMAS * 5.0)
    assert found.error == pytest.approx(950 * c.std(), abs=SIGMAS * found.noise)
    assert found.noise < 0.25 * found.error


def test_free_energy_of_each_member() -> None:
    own = two_phases(950.0)
    edges = np.linspace(0.0, 34.0, 5)
    found = members_free_energy(Members(own, solid_shift(own, C)), 950.0, edges)
    solid = found.values[:, -1] - found.values[:, 0]
    mean = free_energy(own, 950.0, edges).value
    np.testing.assert_allclose(solid - (mean[-1] - mean[0]), C / (BOLTZ * 950.0), atol=1e-6)


def test_the_factor_multiplies_the_error_alone() -> None:
    own = two_phases(950.0, n=1_000)
    bare, scaled = (members_coexistence(Members(own, solid_shift(own, C), factor), 12.0) for factor in (None, 3.0))
    np.testing.assert_array_equal(bare.values, scaled.values)
    assert scaled.error == pytest.approx(3 * bare.error)
    assert scaled.to_json()["error"] == pytest.approx(3 * bare.to_json()["error"])
    with pytest.raises(ValueError, match="factor 0: expected a finite number above 0"):
        MembersEstimate(np.zeros(3), "reweighted", factor=0.0)
    with pytest.raises(ValueError, match="one member has no spread"):
        MembersEstimate(np.zeros(1), "reweighted")


def test_frames_are_joined_by_walker_and_step() -> None:
    own = oscillators(400)
    own = replace(own, walker=np.repeat([0, 1], 200), step=np.tile(10 * np.arange(200), 2))
    rng = np.random.default_rng(0)
    shift = rng.normal(size=(2, 400))
    shift -= shift.mean(axis=0)
    rows = [np.arange(199, -1, -4), 200 + np.arange(0, 200, 4)]  # of the first walker backward
    steps = [own.step[r] for r in rows]
    energies = [own.U[r] + shift[:, r] for r in rows]
    steps[0], energies[0] = np.append(steps[0], 7), np.append(energies[0], [[0.0], [0.0]], axis=1)  # no such row
    members = of_frames(own, steps, energies)
    expected = np.concatenate([rows[0][::-1], rows[1]])
    np.testing.assert_array_equal(members.samples.H, own.H[expected])
    np.testing.assert_allclose(members.deviations, shift[:, expected], atol=1e-12)


def test_frames_of_another_run_are_refused() -> None:
    own = oscillators(400)
    two = np.stack([own.U, own.U])
    with pytest.raises(ValueError, match=r"differ from the trace's by .*give the frames and the model of this run"):
        of_frames(own, [own.step], [two[:, ::-1]])
    with pytest.raises(ValueError, match="0 frames belong to production rows within the grid, expected 20"):
        of_frames(own, [own.step + 1], [two])
    with pytest.raises(ValueError, match="1 files of frames and 2 traces: expected the same number"):
        of_frames(replace(own, walker=np.repeat([0, 1], 200)), [own.step], [two])
    with pytest.raises(ValueError, match="a model of 1 member"):
        of_frames(own, [own.step], [two[:1]])


def test_samples_under_another_potential() -> None:
    """A shift proportional to U is another spring constant, to every function that reweights."""
    own = oscillators()
    other = own.shifted(0.1 * own.H)
    value, error = average(other, own.V, T0)
    assert abs(value - (100 + 5 * DEGREES / 2 * KT0 / 1.1)) < SIGMAS * error
    np.testing.assert_allclose(u_kn(other, [T0])[0], [own.H / KT0, 1.1 * own.H / KT0])
    with pytest.raises(ValueError, match="samples: arrays of"):
        own.shifted(np.zeros(3))
    with pytest.raises(ValueError, match="samples: shift is nan at step 0"):
        own.shifted(np.full(len(own), np.nan))
