"""`physical_validation` on ensembles: a plain one, one under a bias that is a scaled temperature, reweighted ones.

M. R. Shirts, J. Chem. Theory Comput. 9, 909 (2013), doi:10.1021/ct300688p: the ratio of the distributions of U and V at
two temperatures has a slope that is known exactly; the check gives the distance from it in standard errors.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import physical_validation as pv
import pytest

from hook_scripts import al_start
from lmp_runner import Lmp
from momt_biases import BOLTZ, NKTV2P, frozen, write_function
from nnpal.momt import read_trace
from nnpal.momt.grid import Axis

pytestmark = pytest.mark.physics

N_ATOMS = 32
PRESS = 1.0
H_AXIS = Axis("H", -130.0, -60.0, 30)
# A false alarm in one of 15,000 normal deviates; two deviates a check
SIGMAS = 4.0
THERMOSTAT = "fix npt all npt temp {t} {t} 0.1 iso 1 1 0.5\n"


@dataclass(frozen=True)
class Ensemble:
    """Independent samples at one temperature: energies U in eV, volumes V in Å³."""

    temperature: float
    U: np.ndarray
    V: np.ndarray

    def for_validation(self) -> pv.data.SimulationData:
        return pv.data.SimulationData(
            units=pv.data.UnitData(
                kb=BOLTZ,
                energy_str="eV",
                energy_conversion=96.485332,
                length_str="Å",
                length_conversion=0.1,
                volume_str="Å^3",
                volume_conversion=1e-3,
                temperature_str="K",
                temperature_conversion=1.0,
                pressure_str="bar",
                pressure_conversion=1.0,
                time_str="ps",
                time_conversion=1.0,
            ),
            ensemble=pv.data.EnsembleData("NPT", natoms=N_ATOMS, pressure=PRESS, temperature=self.temperature),
            observables=pv.data.ObservableData(potential_energy=self.U, volume=self.V),
        )


def distance(first: Ensemble, second: Ensemble) -> float:
    """Return how many standard errors 1/T1 - 1/T2 of the samples is from what the ensembles say."""
    quantiles = pv.ensemble.check(
        first.for_validation(), second.for_validation(), data_is_uncorrelated=True, bootstrap_seed=1, verbosity=0
    )
    return float(np.max(np.abs(quantiles)))


def sampled(lmp: Lmp, temperature: float, momt: str, steps: int = 400_000) -> Ensemble:
    """Run and return samples of the effective temperature `temperature`, 0.2 ps apart."""
    lmp(al_start(temperature=1800) + momt + "thermo 100000\n" + f"run {steps}\n", limit=4800)
    trace = read_trace(lmp.folder / "sampled.trace")
    late = trace.step > 20_000
    h, v = trace.H[late], trace.V[late]
    return Ensemble(temperature, h - PRESS * v / NKTV2P, v)


def flat(folder: Path) -> None:
    write_function(folder / "bias.h5", (H_AXIS,), lambda h: 0 * h, temp=900, press=PRESS, n_cells=None)


def at(temp: float) -> str:
    return THERMOSTAT.format(t=temp) + frozen((H_AXIS,), temp=temp, press=PRESS, lattice=None)


@pytest.fixture
def plain_900(lmp: Lmp) -> Ensemble:
    flat(lmp.folder)
    return sampled(lmp, 900, at(900))


def test_plain_ensembles(lmp: Lmp, plain_900: Ensemble) -> None:
    """Without a bias: NPT at 900 and 960 K; and two that are not what they say fail."""
    write_function(lmp.folder / "bias.h5", (H_AXIS,), lambda h: 0 * h, temp=960, press=PRESS, n_cells=None)
    plain_960 = sampled(lmp, 960, at(960))
    found = distance(plain_900, plain_960)
    wrong = distance(plain_900, Ensemble(1000, plain_960.U, plain_960.V))
    print(f"plain 900 and 960 K: {found:.2f} standard errors; 960 taken for 1000 K: {wrong:.1f}")
    assert found < SIGMAS
    assert wrong > 2 * SIGMAS


def test_bias_linear_in_enthalpy_samples_the_scaled_temperature(lmp: Lmp, plain_900: Ensemble) -> None:
    """δH = α H at T0 = 1152 K with 1 + α = 1.2 is the ensemble of 960 K."""
    alpha, temp = 0.2, 1152.0
    write_function(lmp.folder / "bias.h5", (H_AXIS,), lambda h: alpha * h, temp=temp, press=PRESS, n_cells=None)
    scaled = sampled(lmp, temp / (1 + alpha), at(temp))
    found = distance(plain_900, scaled)
    print(f"plain 900 K and scaled {scaled.temperature:.0f} K: {found:.2f} standard errors")
    assert found < SIGMAS


def test_reweighted_ensembles(lmp: Lmp) -> None:
    """A learned, frozen bias over the enthalpy of a crystal; its samples accepted by weights at 650 and 750 K."""
    grid = "temp 700 press 1 H -107.8 -104.6 16"
    lmp(
        al_start(temperature=1400)
        + THERMOSTAT.format(t=700)
        + "thermo 100000\nrun 5000\nreset_timestep 0\n"
        + f"fix momt all python/hook nnpal.momt:MOMT {grid} learn 300000 ln_f 0.05\n"
        + "fix_modify momt energy yes virial yes\nrun 1500000\n",
        limit=7200,
    )
    trace = read_trace(lmp.folder / "momt.trace")
    rows = np.flatnonzero(trace.phase == 1)
    assert np.ptp(trace.H[rows]) > 3, "the walk must span the grid"
    rng = np.random.default_rng(5)
    ensembles = []
    for temperature, part in zip((650.0, 750.0), np.array_split(rows, 2), strict=True):
        kept = part[::5]  # 1 ps apart
        log_weight = (trace.H[kept] + trace.dH[kept]) / (BOLTZ * 700) - trace.H[kept] / (BOLTZ * temperature)
        accepted = kept[rng.uniform(size=len(kept)) < np.exp(log_weight - log_weight.max())]
        assert len(accepted) > 200
        v = trace.V[accepted]
        ensembles.append(Ensemble(temperature, trace.H[accepted] - PRESS * v / NKTV2P, v))
    found = distance(*ensembles)
    wrong = distance(ensembles[0], Ensemble(850.0, ensembles[1].U, ensembles[1].V))
    print(
        f"reweighted 650 and 750 K: {found:.2f} standard errors, {[len(e.U) for e in ensembles]} samples; "
        f"750 taken for 850 K: {wrong:.1f}"
    )
    assert found < SIGMAS
    assert wrong > SIGMAS
