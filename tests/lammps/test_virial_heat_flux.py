"""The centroid virial gives the heat current: what Green-Kubo conductivities need.

For an isolated cluster the heat current is the rate of the energy's first moment,

    J = d/dt sum_i r_i e_i,   e_i = U_i + m_i v_i^2 / 2
      = sum_i v_i e_i + sum_i W_i v_i,

and only one way to share the virial among the atoms makes the second line equal to the first
(Fan et al., doi:10.1103/PhysRevB.92.094301).
"""

from __future__ import annotations

import dataclasses

import numpy as np

from lmp_runner import FULL_DIGITS, THERMO_FORMAT, Frame, Lmp
from lmp_single_point import header, rerun_points
from lmp_systems import MASSES, System, random_hcno
from torchani_reference import ExportedModel

MVV2E = 1.0364269e-4  # eV per (g/mol) (Å/ps)^2, as LAMMPS has it
STEP = 1e-4  # ps


def first_moment(system: System, velocities: np.ndarray, atomic_energies: np.ndarray) -> np.ndarray:
    """Return sum_i r_i e_i, eV Å."""
    masses = np.array([MASSES[symbol] for symbol in system.symbols])
    kinetic = 0.5 * MVV2E * masses * (velocities**2).sum(1)
    return system.positions.T @ (atomic_energies + kinetic)


def measure(lmp: Lmp, model: ExportedModel, system: System) -> tuple[Frame, dict[str, float]]:
    """Return velocities and forces, and the heat fluxes with each kind of per-atom stress."""
    system.write(lmp.folder / "data")
    run = lmp(
        header(model, system)
        + f"""
velocity all create 3000.0 4711 mom no rot no
compute ke all ke/atom
compute pe all pe/atom
compute cs all centroid/stress/atom NULL virial
compute s all stress/atom NULL virial
compute jc all heat/flux ke pe cs
compute js all heat/flux ke pe s
thermo_style custom step c_jc[*] c_js[*]
{THERMO_FORMAT}
dump d all custom 1 v.dump id vx vy vz fx fy fz
dump_modify d sort id format float {FULL_DIGITS}
run 0 post no
"""
    )
    return run.dump("v.dump")[0], {name: column[0] for name, column in run.thermo[0].items()}


def test_centroid_virial_gives_the_heat_current(lmp: Lmp, hcno_model: ExportedModel) -> None:
    system = random_hcno(20, 0.08, periodic=False)
    frame, fluxes = measure(lmp, hcno_model, system)
    velocities = frame.vectors("vx", "vy", "vz")
    masses = np.array([MASSES[symbol] for symbol in system.symbols])
    accelerations = frame.forces / (MVV2E * masses[:, None])

    # d/dt along (r, v) -> (v, a), by the four-point central difference
    weights = {-2: 1 / 12, -1: -8 / 12, 1: 8 / 12, 2: -1 / 12}
    shifted = [dataclasses.replace(system, positions=system.positions + k * STEP * velocities) for k in weights]
    moments = [
        first_moment(moved, velocities + k * STEP * accelerations, point.atomic_energies)
        for k, moved, point in zip(weights, shifted, rerun_points(lmp, hcno_model, shifted), strict=True)
    ]
    rate = np.array(list(weights.values())) @ np.array(moments) / STEP

    # components 4 to 6 of compute heat/flux are sum_i v_i e_i alone
    centroid, symmetric, convective = (
        np.array([fluxes[f"{name}[{first + k}]"] for k in range(3)])
        for name, first in (("c_jc", 1), ("c_js", 1), ("c_jc", 4))
    )
    # Rounding: moments of 1e5 eV Å (self-energies) keep 2e-11, over a step of 1e-4 ps: 2e-7.
    # Truncation: atoms move by h v = 5e-3 Å at most; h^4/30 of a fifth derivative of 1e4 v: 1e-5.
    tolerance = 1e-5 * np.abs(rate - convective).max()
    np.testing.assert_allclose(centroid, rate, atol=tolerance, rtol=0)
    # The check bites: the symmetric stress, wrong for many-body potentials, does not pass it.
    assert np.abs(symmetric - rate).max() > 100 * tolerance
