"""Reweighting against what is known: harmonic oscillators, two phases in balance, correlated series, pymbar."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from nnpal.momt.grid import Axis
from nnpal.momt.reweighting import (
    Samples,
    average,
    coexistence,
    covered_range,
    dividing_order,
    effective_size,
    free_energy,
    from_traces,
    jackknife,
    ln_omega,
    log_weights,
    thermodynamics,
    time_blocks,
    u_kn,
)
from nnpal.momt.trace import Trace

BOLTZ, NKTV2P = 8.617343e-5, 1.6021765e6
T0, N_ATOMS, PRESS = 1000.0, 8, 2000.0
DEGREES = 3 * N_ATOMS
# Of 4 standard errors a check: one false alarm in 15,000
SIGMAS = 4.0


def samples(H: np.ndarray, dH: np.ndarray, *, V: np.ndarray | float = 0.0, O: np.ndarray | float = 0.0) -> Samples:  # noqa: E741
    n = len(H)
    return Samples(
        H=H,
        V=np.broadcast_to(V, n),
        O=np.broadcast_to(O, n),
        dH=dH,
        walker=np.zeros(n, dtype=int),
        temp=T0,
        press=PRESS,
        boltz=BOLTZ,
        nktv2p=NKTV2P,
        n_atoms=N_ATOMS,
    )


def oscillators(n: int = 20_000, seed: int = 1) -> Samples:
    """Draw H flat between 0.2 and 4 eV: Ω(H) = H^(d/2 - 1) under the bias that makes it so, V growing with H."""
    rng = np.random.default_rng(seed)
    h = rng.uniform(0.2, 4.0, n)
    kT0 = BOLTZ * T0
    return samples(h, kT0 * (DEGREES / 2 - 1) * np.log(h) - h, V=100 + 5 * h + rng.normal(0, 1, n))


@pytest.mark.parametrize("temp", [700.0, 1000.0, 1600.0])
def test_harmonic_oscillators(temp: float) -> None:
    """⟨H⟩ = d kT/2, C = d k/2 + 3 N k/2, ⟨V⟩ = 100 + 5 ⟨H⟩, at temperatures other than T0 too."""
    found = thermodynamics(oscillators(), temp)
    kT = BOLTZ * temp
    exact = {
        "enthalpy": DEGREES / 2 * kT,
        "volume": 100 + 5 * DEGREES / 2 * kT,
        "heat_capacity": (DEGREES / 2 + 1.5 * N_ATOMS) * BOLTZ,
    }
    for name, value in exact.items():
        estimate = getattr(found, name)
        assert abs(estimate.value - value) < SIGMAS * estimate.error, name
        assert estimate.error < 0.05 * abs(value), f"the error of {name} must tell something"


def test_density_of_states() -> None:
    profile = ln_omega(oscillators(), np.linspace(0.5, 4.0, 71))
    exact = (DEGREES / 2 - 1) * np.log(profile.centers)
    difference, error = profile.value - exact, profile.error
    difference -= np.average(difference, weights=error**-2)
    assert np.ptp(exact) > 20
    # The curvature of 11 ln H within bins of 0.05 shifts ln Ω by 11 0.05²/24/H², 0.005 in the first bin
    assert np.max(np.abs(difference) / np.hypot(error, 0.005)) < SIGMAS


def test_average_without_bias_at_its_own_temperature_is_the_mean() -> None:
    rng = np.random.default_rng(2)
    h, a = rng.gamma(12, 0.086, 5000), rng.normal(3, 1, 5000)
    value, error = average(samples(h, np.zeros(5000)), a, T0)
    assert value == pytest.approx(a.mean(), rel=1e-12)
    assert error == pytest.approx(1 / np.sqrt(5000), rel=0.4)  # of 20 blocks: 16 % is one standard deviation


def test_pressure() -> None:
    """A reweighted pressure: V with density exp(-P V/kT) at P0, at twice that."""
    rng = np.random.default_rng(3)
    kT = BOLTZ * T0
    per_volume = PRESS / NKTV2P
    v = rng.gamma(5, kT / per_volume, 20_000)  # V^4 exp(-P0 V/kT): ⟨V⟩ = 5 kT/P
    s = samples(per_volume * v, np.zeros(len(v)), V=v)
    value, error = average(s, s.V, T0, press=1.5 * PRESS)
    assert abs(value - 5 * kT / (1.5 * per_volume)) < SIGMAS * error
    assert error < 0.1 * value


def test_what_is_not_covered_is_refused() -> None:
    s = oscillators()
    low, high = covered_range(s)
    assert 150 < low < 700
    assert 1800 < high < 3000
    with pytest.raises(
        ValueError, match=r"do not reach temperature 8000: its distribution extends above the sampled H, which ends at"
    ):
        thermodynamics(s, 8000)
    with pytest.raises(
        ValueError, match=r"do not reach temperature 100: .*; they reach \d+ to \d+\. To reach it, continue the"
    ):
        thermodynamics(s, 100)
    with pytest.raises(ValueError, match="temperature -5: expected a finite number above 0"):
        thermodynamics(s, -5)
    with pytest.raises(ValueError, match=r"values: 3 rows, the samples have 20000; give those of samples\.step"):
        average(s, np.zeros(3), T0)


def test_numbers_that_are_none_are_refused() -> None:
    s = oscillators(1000)
    for temp in (float("nan"), float("inf")):
        with pytest.raises(ValueError, match=f"temperature {temp:g}: expected a finite number above 0"):
            thermodynamics(s, temp)
    with pytest.raises(ValueError, match="pressure nan: expected a finite number"):
        thermodynamics(s, T0, press=float("nan"))
    with pytest.raises(ValueError, match="temperature -3: expected a finite number above 0"):
        u_kn(s, [900.0, -3.0])
    with pytest.raises(ValueError, match="values: 1 of them are NaN or infinite"):
        average(s, np.where(np.arange(1000) == 5, np.nan, 1.0), T0)
    with pytest.raises(ValueError, match="samples: H is nan at row 7"):
        samples(np.where(np.arange(1000) == 7, np.nan, s.H), s.dH)
    for edges in ([3.0, 2.0, 1.0], [0.5, float("nan"), 2.0], [1.0]):
        with pytest.raises(ValueError, match="edges of the bins: expected at least 2 finite numbers that grow"):
            ln_omega(s, np.array(edges))
    with pytest.raises(ValueError, match="divide nan: expected a finite order parameter"):
        coexistence(two_phases(950.0), float("nan"))


def test_grid_of_another_variable_can_cut_off_too() -> None:
    """Phases far apart in O, of which the grid holds one and the edge of the other."""
    s = two_phases(950.0)
    kept = s.O < 29
    held = dataclasses.replace(
        samples(s.H[kept], s.dH[kept], O=s.O[kept]), axes=(Axis("H", -11.0, -8.0, 9), Axis("O", 0.0, 29.0, 9))
    )
    with pytest.raises(ValueError, match=r"extends above the grid of O, which ends at 29; .*use a wider grid of O"):
        thermodynamics(held, 900.0)
    assert thermodynamics(held, 1300.0).n_effective > 1000  # liquid: all within, and O = 0 is no end of the grid


def test_weight_of_a_few_moments_is_refused() -> None:
    """A run whose average hangs on one visit in twenty tells no error."""
    s = oscillators()
    stuck = samples(np.where(np.arange(len(s)) < 1000, s.H, 3.5), s.dH)
    with pytest.raises(ValueError, match=r"1\.\d of 20 time blocks dominate the average, expected 4"):
        thermodynamics(stuck, 600)


# Two phases: enthalpies normal about their means, order 30 and 2; in balance where their free energies are equal
SOLID, LIQUID, WIDTH = -10.0, -9.0, 0.05


def two_phases(balance: float, n: int = 10_000, seed: int = 4) -> Samples:
    """Draw both phases equally often under a bias that makes it so.

    ln Ω of phase p is normal in H, so at temperature T its weight is exp(s_p - m_p/kT + w²/2(kT)²): equal at `balance`
    if s_l - s_s = (m_l - m_s)/k balance.
    """
    rng = np.random.default_rng(seed)
    solid = np.repeat(rng.uniform(size=n // 50) < 0.5, 50)  # visits of 50 rows
    mean = np.where(solid, SOLID, LIQUID)
    h = rng.normal(mean, WIDTH)
    entropy = np.where(solid, 0.0, (LIQUID - SOLID) / (BOLTZ * balance))
    # Sampled density normal/2 each, Ω = exp(entropy) normal: δH = kT0 (ln Ω - ln sampled) - H
    dh = BOLTZ * T0 * entropy - h
    return samples(h, dh, O=np.where(solid, rng.normal(30, 1, n), rng.gamma(4, 0.4, n)))


def test_coexistence_temperature() -> None:
    errors = []
    for seed in range(20):
        value, error = coexistence(two_phases(950.0, seed=seed))
        errors.append((value - 950.0) / error)
    # 20 runs: the mean within 4/sqrt(20), the spread of a standardized deviate within a third of 1
    assert abs(np.mean(errors)) < 0.9
    assert 0.6 < np.std(errors) < 1.5


def test_coexistence_hardly_depends_on_where_phases_divide() -> None:
    s = two_phases(950.0)
    assert 8 < dividing_order(s, T0) < 26
    values = [float(coexistence(s, divide).value) for divide in (12.0, 18.0, 24.0)]
    assert np.ptp(values) < 0.01


def test_a_few_rows_beside_an_empty_bin_are_no_phase() -> None:
    """The bins that nothing fell in are no barrier between phases there."""
    s = two_phases(950.0)
    rng = np.random.default_rng(7)
    order = np.where(s.H < 0.5 * (SOLID + LIQUID), rng.normal(25, 4, len(s)), rng.normal(5, 4, len(s)))
    order[:3] = -25.0
    assert 10 < dividing_order(dataclasses.replace(s, O=order), T0) < 20
    with pytest.raises(ValueError, match="one valley with 20 rows or more; sample both phases, or give"):
        dividing_order(dataclasses.replace(s, O=np.where(np.arange(len(s)) < 3, 0.0, 30.0)), T0)


def test_one_phase_has_no_coexistence() -> None:
    s = two_phases(950.0)
    with pytest.raises(ValueError, match="no samples on one side of O = 50"):
        coexistence(s, 50.0)
    with pytest.raises(ValueError, match="the order parameter was not measured"):
        coexistence(samples(s.H, s.dH, O=np.nan))


def test_free_energy_of_order() -> None:
    """At the balance the two valleys hold equal weight; 50 K above, the liquid is deeper by Δh Δ(1/kT)."""
    s = two_phases(950.0)
    edges = np.array([-1.0, 15.0, 40.0])
    for temp in (950.0, 1000.0):
        profile = free_energy(s, temp, edges)
        step = profile.value[1] - profile.value[0]
        exact = (LIQUID - SOLID) / BOLTZ * (1 / 950.0 - 1 / temp)
        assert abs(step - exact) < SIGMAS * np.hypot(*profile.error)


def ar1(n: int, correlation: float, rng: np.random.Generator) -> np.ndarray:
    """Return a series with C(t) = correlation^t and variance 1."""
    x = np.empty(n)
    x[0] = rng.normal()
    noise = rng.normal(0, np.sqrt(1 - correlation**2), n)
    for i in range(1, n):
        x[i] = correlation * x[i - 1] + noise[i]
    return x


def test_error_of_correlated_samples_is_right() -> None:
    """Over 200 repetitions the mean is off by as much as the jackknife says."""
    rng = np.random.default_rng(6)
    deviates = []
    for _ in range(200):
        series = ar1(4000, 0.9, rng)
        estimate = jackknife(lambda rows, x=series: x[rows].mean(), time_blocks(np.zeros(4000)))
        deviates.append(float(estimate.value / estimate.error))
    assert 0.85 < np.std(deviates) < 1.25  # 1, with 20 blocks 1.06; 5 % of sampling


def test_blocks_never_mix_walkers() -> None:
    walker = np.repeat([0, 1, 2], [100, 50, 30])
    blocks = time_blocks(walker, 12)
    assert len(blocks) == 12
    assert sorted(np.concatenate(blocks).tolist()) == list(range(180))
    for block in blocks:
        assert len(set(walker[block])) == 1
        assert np.all(np.diff(block) == 1)
    with pytest.raises(ValueError, match="20 blocks of 5 rows"):
        time_blocks(np.zeros(5))


def trace_of(s: Samples, rows: slice, phase: int = 1, **changes: object) -> Trace:
    n = len(s.H[rows])
    facts: dict = {"units": "metal", "temp": T0, "press": PRESS, "boltz": BOLTZ, "nktv2p": NKTV2P, "n_atoms": N_ATOMS}
    integers = {"step": np.arange(n), "bin": np.zeros(n, dtype=int), "phase": np.full(n, phase)}
    return Trace(**integers, H=s.H[rows], V=s.V[rows], O=s.O[rows], dH=s.dH[rows], lnf=np.zeros(n), **(facts | changes))


def test_walkers_and_production_rows() -> None:
    s = oscillators(300)
    one, two = trace_of(s, slice(0, 100)), trace_of(s, slice(100, 300))
    both = from_traces([one, two], discard=10)
    np.testing.assert_array_equal(both.H, np.concatenate([s.H[10:100], s.H[110:300]]))
    np.testing.assert_array_equal(both.walker, np.repeat([0, 1], [90, 190]))
    np.testing.assert_allclose(both.U, both.H - PRESS * both.V / NKTV2P, rtol=1e-15)
    with pytest.raises(ValueError, match=r"no production rows among 100: .*start FILE phase production"):
        from_traces(trace_of(s, slice(0, 100), phase=0))
    with pytest.raises(ValueError, match=r"trace 2 has temp 900\.0, the first has 1000\.0"):
        from_traces([one, trace_of(s, slice(100, 300), temp=900.0)])


def test_pymbar_gives_the_same_averages() -> None:
    pymbar = pytest.importorskip("pymbar")
    s = oscillators(2000)
    temps = [800.0, 1300.0]
    mbar = pymbar.MBAR(*u_kn(s, temps))
    for state, temp in enumerate(temps, start=1):
        expected = mbar.compute_expectations(s.H)["mu"][state]
        assert average(s, s.H, temp).value == pytest.approx(expected, rel=1e-9)
        weights = np.exp(log_weights(s, temp))
        np.testing.assert_allclose(mbar.weights()[:, state], weights, rtol=1e-7)
        assert effective_size(log_weights(s, temp)) == pytest.approx(1 / (weights**2).sum(), rel=1e-9)
    u, n = u_kn(s, temps, press=[PRESS, 3 * PRESS])
    assert (u.shape, n.tolist()) == ((3, 2000), [2000, 0, 0])
    np.testing.assert_allclose(u[2], (s.U + 3 * PRESS * s.V / NKTV2P) / (BOLTZ * 1300.0), rtol=1e-12)
    with pytest.raises(ValueError, match="2 temperatures and 1 pressures"):
        u_kn(s, temps, press=[1.0])
