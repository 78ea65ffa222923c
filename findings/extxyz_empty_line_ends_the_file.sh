#!/usr/bin/env bash
# An empty line between two frames of an extended XYZ file ends the file for ASE and chemfiles; libAtoms' own reader refuses it.
#
# Packages: ase 3.29.0, chemfiles 0.10.4, extxyz 0.4.6, Python 3.11.
# Guess: the line is skipped, as `cat a.xyz b.xyz` leaves one where a.xyz ends with an empty line, or it is an error.
# Behavior: ASE and chemfiles give the frames before it and say nothing, so a training set loses its end; extxyz raises.
# Output seen:
#   frames of 3: ASE 2, chemfiles 2, extxyz: ExtXYZError
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet ase==3.29.0 chemfiles==0.10.4 extxyz==0.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import ase.io
import chemfiles
import extxyz

FRAME = '1\nLattice="9 0 0 0 9 0 0 0 9" Properties=species:S:1:pos:R:3 energy=-1.5\nAr 0 0 0\n'
with open("set.xyz", "w") as file:
    file.write(FRAME + FRAME + "\n" + FRAME)
n_ase = len(ase.io.read("set.xyz", ":"))
with chemfiles.Trajectory("set.xyz") as trajectory:
    n_chemfiles = trajectory.nsteps
try:
    third = f"{len(list(extxyz.iread_dicts('set.xyz')))}"
except Exception as error:
    third = type(error).__name__
print(f"frames of 3: ASE {n_ase}, chemfiles {n_chemfiles}, extxyz: {third}")
assert (n_ase, n_chemfiles, third) == (2, 2, "ExtXYZError")
PYTHON
echo "as described"
