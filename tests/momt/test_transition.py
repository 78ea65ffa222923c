"""Two phases in balance, against a model of two phases whose answers are exact."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from nnpal.momt.reweighting import (
    Samples,
    coexistence,
    free_energy_difference,
    transition,
    transition_shift,
    under_model,
)
from nnpal.momt.reweighting.weights import coverage_gap, covered_range

BOLTZ, T0, BALANCE, N_ATOMS, DIVIDE = 8.617343e-5, 1000.0, 960.0, 8, 15.0
HEAT, WIDTH, VOLUME = 1.0, 0.05, 3.0


def walk(n_trips: int = 60, seed: int = 1, rows: int = 100) -> Samples:
    """Return a walk to and fro between crystal (O about 30) and liquid (O about 1.6), each sampled equally often.

    Crystal: H about -10 eV, V = 100. Liquid: H about -9 eV, V = 103. With δH as below crystal and liquid are in balance
    at 960 K; their densities of states are Gaussians of one width, 1 eV apart.
    """
    rng = np.random.default_rng(seed)
    solid = np.tile(np.repeat([True, False], rows), n_trips)
    d = rng.uniform(-5, 5, len(solid))  # of the sampled H; of its density without bias in standard deviations
    h = np.where(solid, -10.0, -10.0 + HEAT) + WIDTH * d
    return Samples(
        H=h,
        V=np.where(solid, 100.0, 100.0 + VOLUME),
        O=np.where(solid, rng.normal(30, 1, len(h)), rng.gamma(4, 0.4, len(h))),
        dH=BOLTZ * T0 * (np.where(solid, 0.0, HEAT / (BOLTZ * BALANCE)) - d**2 / 2) - h,
        walker=np.zeros(len(h), dtype=int),
        temp=T0,
        press=0.0,
        boltz=BOLTZ,
        nktv2p=1.6021765e6,
        n_atoms=N_ATOMS,
        step=np.arange(len(h)) * 50,
    )


def test_temperature_latent_heat_and_volume_change() -> None:
    """Means of H fall by β σ² below the middle of the Gaussian in both phases alike: the latent heat stays 1 eV."""
    found = transition(walk(), DIVIDE)
    for estimate, exact in ((found.temp, BALANCE), (found.latent_heat, HEAT), (found.volume_change, VOLUME)):
        assert abs(estimate.value - exact) <= 4 * estimate.error + 1e-12 < 0.02 * exact
    assert (found.n_blocks, found.divide) == (20, DIVIDE)
    assert float(found.temp.value) == float(coexistence(walk(), DIVIDE).value)


@pytest.mark.parametrize(("n_trips", "n_blocks"), [(3, 4), (7, 7), (60, 20)])
def test_blocks_are_no_shorter_than_round_trips(n_trips: int, n_blocks: int) -> None:
    # the last journey back to the crystal is missing
    found = transition(walk(n_trips + 1, rows=500), DIVIDE)
    assert found.round_trips == n_trips
    assert found.n_blocks == n_blocks


def test_round_trips_are_of_each_walker() -> None:
    two = walk(10, rows=300)
    two = dataclasses.replace(two, walker=np.repeat([0, 1], len(two) // 2))
    assert transition(two, DIVIDE).round_trips == 2 * 4


@pytest.mark.parametrize(("n_walkers", "n_blocks"), [(3, 3), (8, 8)])
def test_blocks_are_counted_as_they_are_of_several_walkers(n_walkers: int, n_blocks: int) -> None:
    samples = walk(12)
    samples = dataclasses.replace(samples, walker=np.repeat(np.arange(n_walkers), len(samples) // n_walkers))
    assert transition(samples, DIVIDE, n_blocks=4).n_blocks == n_blocks


def test_a_phase_within_one_block_of_time_is_refused() -> None:
    once = walk(1, rows=400)
    chosen = np.r_[0:400, 500:560]
    more = dataclasses.replace(once.rows(chosen), dH=once.dH[chosen] + np.where(chosen < 400, 0.0, 0.2))
    with pytest.raises(ValueError, match="all samples with O at or below 15 lie in one of 4 blocks of time"):
        transition(more, DIVIDE)


@pytest.mark.parametrize("temp", [900.0, 960.0, 1040.0])
def test_free_energies_differ_by_heat_and_entropy(temp: float) -> None:
    """ΔG = -ΔH + T ΔH/T_m, ΔH the latent heat; the widths of both phases are equal and cancel."""
    value, error = free_energy_difference(walk(), temp, DIVIDE)
    assert abs(value - HEAT * (temp / BALANCE - 1)) < 4 * error < 0.05


def test_under_another_model_the_balance_moves_by_the_difference_of_the_phases() -> None:
    """A model that puts the liquid 0.05 eV higher, with noise of 0.2 kT and an offset: T_m = (ΔH + 0.05)/ΔS."""
    samples, kT = walk(200), BOLTZ * T0
    rng = np.random.default_rng(5)
    liquid = np.where(samples.O < DIVIDE, 0.05, 0.0)
    energies = samples.U + liquid - 700.0 + rng.normal(0, 0.2 * kT, (2, len(samples)))
    members = under_model(samples, [samples.step], [energies])
    found = transition(members.samples, DIVIDE)
    entropy = HEAT / BALANCE
    assert abs(found.temp.value - (HEAT + 0.05) / entropy) < 4 * found.temp.error < 30
    assert abs(found.latent_heat.value - (HEAT + 0.05)) < 4 * found.latent_heat.error
    # Both temperatures share the walk's chance; what is left is the noise between the models
    shift = transition_shift(members.samples, DIVIDE)
    assert abs(shift.value - 0.05 / entropy) < 4 * shift.error < found.temp.error
    # a potential on top of the other model is added to it
    back = members.samples.shifted(-liquid)
    assert abs(transition(back, DIVIDE).temp.value - BALANCE) < 4 * found.temp.error
    assert len(members.deviations) == 2
    np.testing.assert_allclose(members.deviations.sum(0), 0, atol=1e-9)


def test_energies_of_other_frames_are_refused() -> None:
    samples = walk(10)
    shuffled = np.random.default_rng(1).permutation(samples.U)[None]
    with pytest.raises(ValueError, match=r"scatter by .* too far for reweighting, or frames of another run"):
        under_model(samples, [samples.step], [shuffled])
    with pytest.raises(ValueError, match="10 frames belong to production rows within the grid, expected 20 or more"):
        under_model(samples, [samples.step[:10]], [samples.U[None, :10]])
    with pytest.raises(ValueError, match="no samples on one side of O = 99"):
        transition(samples, 99.0)


def test_frames_of_part_of_the_rows_reach_what_the_run_reached() -> None:
    """Few frames may end at a lower H than the run did: that is chance and not the end of the distribution."""
    samples = walk(100)
    low = np.flatnonzero(samples.H < -10.0 + HEAT + 0.5 * WIDTH)
    few = np.sort(np.random.default_rng(3).choice(low, 300, replace=False))
    with pytest.raises(ValueError, match="extends above the sampled H"):
        transition(samples.rows(few), DIVIDE)
    members = under_model(samples, [samples.step[few]], [samples.U[None, few]])
    assert members.samples.ends == (samples.H.min(), samples.H.max())
    assert 900 < transition(members.samples, DIVIDE).temp.value < 1020


def test_a_single_heavy_row_at_the_end_is_not_the_end_of_the_distribution() -> None:
    """Of a normal distribution the largest of few rows may outweigh a tenth of the fullest bin by chance."""
    rng = np.random.default_rng(2)
    n = 1000
    h = rng.normal(-10.0, WIDTH, n)
    dh, heavy = -h, int(h.argmax())
    dh[heavy] += 3 * BOLTZ * T0  # visited e^3 times less often than it is likely
    samples = dataclasses.replace(
        walk(5), H=h, dH=dh, V=h * 0 + 100, O=h * 0, walker=np.zeros(n, int), step=np.arange(n)
    )
    assert covered_range(samples) is not None
    assert coverage_gap(samples, T0 * 30) is None
    cut = samples.rows(h < -10.0 + 0.5 * WIDTH)
    assert coverage_gap(cut, T0 * 30) is not None
