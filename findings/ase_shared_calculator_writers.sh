#!/usr/bin/env bash
# Frames that share one calculator: ASE's extended XYZ writes the labels of the last one for all, its trajectory writes none.
#
# Packages: ase 3.29.0, numpy 2.4.6 (Python 3.11 or later).
# Guess: extended XYZ may write stale results (its code does not check whether atoms have moved); a trajectory does, so it
#   has the right energy for the frame that was computed last, and none for the others.
# Behavior: extended XYZ writes the energy and forces of the last frame with the positions of all, without a warning. The
#   trajectory has no energy for any frame, not even the last: a request for the first frame resets the calculator, so
#   that its valid results are lost, in memory too.
# Output seen:
#   energies computed     0.5709 0.7479 0.8892
#   energies in x.xyz     0.8892 0.8892 0.8892
#   energies in x.traj    none none none
#   results left          none
# Exit status: 0 while ASE behaves like this, 1 if that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet ase==3.29.0 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import sys

from ase.build import bulk
from ase.calculators.emt import EMT
from ase.io import read, write

calculator = EMT()
frames, computed = [], []
for seed in range(3):
    atoms = bulk("Cu", cubic=True)
    atoms.rattle(0.1, seed=seed)
    atoms.calc = calculator
    computed.append(atoms.get_potential_energy())
    frames.append(atoms)

found = {}
for name in ("x.xyz", "x.traj"):
    write(name, frames)
    held = [frame.calc.results if frame.calc else {} for frame in read(name, ":")]
    found[name] = [results.get("energy") for results in held]


def text(values):
    return " ".join("none" if value is None else f"{value:.4f}" for value in values)


print(f"energies computed     {text(computed)}")
print(f"energies in x.xyz     {text(found['x.xyz'])}")
print(f"energies in x.traj    {text(found['x.traj'])}")
print(f"results left          {', '.join(calculator.results) or 'none'}")
copied = all(abs(energy - computed[2]) < 1e-9 for energy in found["x.xyz"])
left_out = found["x.traj"] == [None] * 3 and not calculator.results
sys.exit(0 if copied and left_out and abs(computed[0] - computed[2]) > 0.1 else 1)
PYTHON
