#!/usr/bin/env bash
# ASE's writer of LAMMPS data files mirrors a structure whose cell vectors are left-handed, without a warning.
#
# Packages: ase 3.29.0, numpy 2.4.6, Python 3.11.
# Guess: LAMMPS accepts only right-handed cells, so a left-handed one is an error, or is written as the same lattice with
#   other vectors (two swapped, or all three reversed), with the atoms rotated.
# Behavior: the third vector is flipped and the atoms with it: the file contains the mirror image. Lengths and energies
#   are the same, so the change goes unnoticed; the handedness of a molecule or of a screw axis is reversed.
# Output seen:
#   signed volume of four atoms: 1.000 A^3 in the structure, -1.000 A^3 in the file; with a right-handed cell 1.000 A^3
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet ase==3.29.0 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import numpy as np
from ase import Atoms
from ase.io import read, write


def signed_volume(atoms):
    first, *others = atoms.positions
    return np.linalg.det([other - first for other in others])


places = [[1, 1, 3], [2, 1, 3], [1, 2, 3], [1, 1, 4]]
seen = {}
for name, height in (("left", -9.0), ("right", 9.0)):
    atoms = Atoms("CHOF", positions=places, cell=np.diag([7.0, 8.0, height]), pbc=True)
    write(f"{name}.data", atoms, format="lammps-data")
    seen[name] = signed_volume(read(f"{name}.data", format="lammps-data"))
stated = signed_volume(atoms)
print(
    f"signed volume of four atoms: {stated:.3f} A^3 in the structure, {seen['left']:.3f} A^3 in the file; "
    f"with a right-handed cell {seen['right']:.3f} A^3"
)
assert np.isclose(stated, 1) and np.isclose(seen["left"], -1) and np.isclose(seen["right"], 1)
PYTHON
echo "as described"
