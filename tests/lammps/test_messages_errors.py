"""What models whose messages pass over several hops cannot do ends with an error that says so."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest

from lmp_single_point import header
from lmp_systems import fcc
from message_modules import message_model
from processes import run

DRIVER = Path(__file__).parents[1] / "support/lammps/scripts_driver.py"

TILED = "comm_style tiled\nrun 0\n"
LOWERED = """neigh_modify every 1 delay 0 check no
fix n all nve
fix d all deform 1 x erate 0.1
run 3
comm_modify cutoff 0.0
run 3 pre no
"""
CASES = {
    1: {
        "compute heat/flux needs the heat current, .* over 3 hops": """compute ke all ke/atom
compute pe all pe/atom
compute s all centroid/stress/atom NULL virial
compute j all heat/flux ke pe s
run 0
""",
        "neighbors is cells, but model .* over 3 hops, needs LAMMPS's neighbor list": "CELLS\nrun 0\n",
        "comm_modify group low removes some neighbors of .*`comm_modify group all`": """group low id 1:16
atom_modify first low
comm_modify group low
run 0
""",
        "fix uq of style pair is not updated by run_style respa, .* use run_style verlet": """fix n all nve
fix uq all pair 1 nnp uq_force 1
run_style respa 2 2 pair 1
run 1
""",
        "two atoms have the ID 7, .* reset_atoms id": "DUPLICATE\nrun 0\n",
    },
    2: {
        r"comm_style tiled cannot .* within 12.8 Å .* box is 8.1 Å thick \(x\); use comm_style brick": TILED,
        r"box is 7.96\d* Å thick \(x\)": "change_box all triclinic xz final 1.5\n" + TILED,
        "comm_modify mode is multi, .* use `comm_modify mode single cutoff 12.8`": """neighbor 2.0 multi
comm_modify mode multi
run 0
""",
        # When the box next changes, LAMMPS takes the cutoff over in the middle of a run
        "neighbor style is multi, .* use `neighbor 2 bin`": "neighbor 2.0 multi\nrun 0\n",
        "ghost atoms were acquired within 5.6 Å of .* within 12.8 Å; use `comm_modify mode single": LOWERED,
    },
}


@pytest.mark.mpi
@pytest.mark.parametrize("n_ranks", CASES)
def test_errors_name_what_is_needed(tmp_path: Path, n_ranks: int) -> None:
    system, model = fcc("Al", 4.05, 2), message_model(tmp_path / "al.nnp.pt")
    system.write(tmp_path / "data")
    twice = (tmp_path / "data").read_text().replace("\n8 1 ", "\n7 1 ")
    (tmp_path / "twice").write_text(twice)
    scripts = []
    for commands in CASES[n_ranks].values():
        data = "twice" if "DUPLICATE" in commands else "data"
        start = header(model, system, data=data, options="neighbors cells" if "CELLS" in commands else "")
        scripts.append(start + commands.replace("CELLS\n", "").replace("DUPLICATE\n", ""))
    (tmp_path / "scripts.json").write_text(json.dumps(scripts))
    launcher = [] if n_ranks == 1 else [str(Path(sys.executable).parent / "mpirun"), "-np", str(n_ranks)]
    done = run([*launcher, sys.executable, str(DRIVER), "scripts.json", "errors.json"], cwd=tmp_path)
    assert done.returncode == 0, done.stdout + str(done.stderr)
    errors = json.loads((tmp_path / "errors.json").read_text())
    for expected, found in zip(CASES[n_ranks], errors, strict=True):
        assert re.search(f"pair_style nnp: .*{expected}", found), f"{found!r} does not match {expected!r}"
