"""With the published grids (Table S1 of the data-distillation supplement) MOMT walks between solid and liquid."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lmp_runner import Lmp
from nnpal.demo.eam import eam_potential
from nnpal.momt import read_bias, read_trace

pytestmark = pytest.mark.physics

NI_POTENTIAL = Path(__file__).parents[3] / "shared" / "potentials" / "NiNb.eam.fs"

SCRIPT = """units metal
lattice fcc {lattice}
region box block 0 {n} 0 {n} 0 {n}
create_box 1 box
create_atoms 1 box
mass 1 {mass}
pair_style eam/fs
pair_coeff * * {potential} {element}
neighbor 2.0 bin
neigh_modify every 1 delay 0 check yes
velocity all create {hot} 4711 loop geom
timestep 0.001
fix npt all npt temp {temp} {temp} 0.1 iso 1 1 1.0
thermo 100000
run 5000
reset_timestep 0
fix momt all python/hook nnpal.momt:MOMT temp {temp} press 1 lattice fcc {grid}
fix_modify momt energy yes virial yes
run 400000
"""

SYSTEMS = {
    "Ni(32)": {
        "element": "Ni", "lattice": 3.7, "n": 2, "mass": 58.693, "temp": 2000, "hot": 4000,
        "grid": "H -165 -125 60 O -5 40 110", "potential": NI_POTENTIAL,
    },
    "Al(108)": {
        "element": "Al", "lattice": 4.1, "n": 3, "mass": 26.982, "temp": 1000, "hot": 2000,
        "grid": "H -420 -290 60 O -5 108 100", "potential": eam_potential(),
    },
}  # fmt: skip


@pytest.mark.parametrize("name", SYSTEMS)
def test_solid_and_liquid_within_400_ps(lmp: Lmp, name: str) -> None:
    system = SYSTEMS[name]
    if not Path(str(system["potential"])).is_file():
        pytest.skip(f"needs {system['potential']}")
    lmp(SCRIPT.format(**system), limit=4800)
    trace, bias = read_trace(lmp.folder / "momt.trace"), read_bias(lmp.folder / "momt.h5")
    # Counted from the trace, apart from the hook's own count: solid above half of the perfect crystal's O, liquid ~ 1
    share = trace.O / trace.n_atoms
    solid, liquid = share > 0.5, share < 0.1
    phase = np.where(solid, 1, np.where(liquid, -1, 0))
    visited = phase[phase != 0]
    crossings = int(np.count_nonzero(np.diff(visited)))
    print(f"{name}: {crossings} crossings between solid and liquid in 400 ps; {bias.round_trips} round trips counted")
    assert crossings >= 5
    # The hook's ends are 0.5 and 0.15, and it looks at every step, the trace at every hundredth
    assert crossings // 2 <= bias.round_trips + 1
