"""The melting temperature of aluminum (EAM) from one MOMT run at another temperature, with its error bar.

M. I. Mendelev et al., Philos. Mag. 88, 1723 (2008), doi:10.1080/14786430802206482, give 926 K for this potential (large
systems, coexisting phases). Small periodic cells melt higher: with this test's method 32 atoms at 1100 ± 4 K and 108
atoms at 971 ± 3 K, which lie on a line in 1/N with 917 K.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from lmp_runner import Lmp
from nnpal.demo.eam import eam_potential
from nnpal.momt import read_bias, read_trace
from nnpal.momt.reweighting import Samples, coexistence, from_traces, thermodynamics

pytestmark = [pytest.mark.physics, pytest.mark.slow]

T0, LITERATURE = 950, 926.0
# Liquid below, crystal above: 0.95 and 20 to 30 in the valleys of F(O), 32 in the perfect crystal
DIVIDE = 10.0

SCRIPT = f"""units metal
lattice fcc 4.1
region box block 0 2 0 2 0 2
create_box 1 box
create_atoms 1 box
mass 1 26.982
pair_style eam/fs
pair_coeff * * {eam_potential()} Al
neighbor 2.0 bin
neigh_modify every 1 delay 0 check yes
velocity all create {2 * T0} 4711 loop geom
timestep 0.002
fix npt all npt temp {T0} {T0} 0.1 iso 1 1 1.0
thermo 1000000
run 2500
reset_timestep 0
fix momt all python/hook nnpal.momt:MOMT temp {T0} press 1 lattice fcc H -112 -84 56 O -5 40 90 &
    every 50 learn 2000000 progress 1000000
fix_modify momt energy yes virial yes
run 6000000
"""


def part(samples: Samples, rows: np.ndarray) -> Samples:
    arrays = {name: getattr(samples, name)[rows] for name in ("H", "V", "O", "dH", "walker")}
    return dataclasses.replace(samples, **arrays)


def test_melting_temperature(lmp: Lmp) -> None:
    lmp(SCRIPT, limit=12000)
    samples = from_traces(read_trace(lmp.folder / "momt.trace"))
    melting = coexistence(samples, DIVIDE)
    first, second = (coexistence(part(samples, rows), DIVIDE) for rows in np.array_split(np.arange(len(samples)), 2))
    print(
        f"Al(32): {melting.value:.1f} ± {melting.error:.1f} K, halves {first.value:.1f} ± {first.error:.1f} and "
        f"{second.value:.1f} ± {second.error:.1f}; literature (bulk) {LITERATURE} K; "
        f"{read_bias(lmp.folder / 'momt.h5').round_trips} round trips"
    )
    assert melting.error < 15
    # Halves of one run are independent but for the bias they share, which needs no correction: 4 standard errors
    assert abs(first.value - second.value) < 4 * np.hypot(first.error, second.error)
    # So small a cell melts higher than the bulk, by a fifth and not by more
    assert LITERATURE - 4 * melting.error < melting.value < 1.25 * LITERATURE
    # At the melting temperature the crystal's and the liquid's enthalpies lie apart by the heat of fusion, about 0.1 eV
    # an atom, so fluctuations between them dominate the heat capacity
    capacity = thermodynamics(samples, float(melting.value)).heat_capacity
    assert capacity.value > 3 * 3 * samples.n_atoms * samples.boltz
