#!/usr/bin/env bash
# tblite's ASE calculator treats a slab as a three-dimensional crystal with the height of the cell.
#
# Packages: tblite 0.8.0, ase 3.29.0, Python 3.11.
# Guess: with pbc (True, True, False) the energy does not depend on the length of the third cell vector, or the calculator rejects
#   the slab.
# Behavior: it is computed as periodic in all three directions, to the last digit, without an error or a warning.
#   So is a wire, pbc (True, False, False).
# Output seen, graphene, 8 atoms, GFN1-xTB:
#   c =  2.0 Å: pbc TTF -419.378460 eV, pbc TTT -419.378460 eV
#   c = 30.0 Å: pbc TTF -456.544874 eV, pbc TTT -456.544874 eV
#   c =  2.0 Å: pbc TFF -419.378460 eV
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet tblite==0.8.0 ase==3.29.0
OMP_NUM_THREADS=1 "$folder/venv/bin/python" - <<'PYTHON'
from ase.build import graphene
from tblite.ase import TBLite


def energy(height, pbc):
    sheet = graphene(size=(2, 2, 1), vacuum=1.0)
    sheet.cell[2] = [0.0, 0.0, height]
    sheet.pbc = pbc
    sheet.calc = TBLite(method="GFN1-xTB", verbosity=0)
    return sheet.get_potential_energy()


for height in (2.0, 30.0):
    slab, crystal = energy(height, (True, True, False)), energy(height, True)
    print(f"c = {height:4.1f} Å: pbc TTF {slab:.6f} eV, pbc TTT {crystal:.6f} eV")
    assert slab == crystal
wire = energy(2.0, (True, False, False))
print(f"c =  2.0 Å: pbc TFF {wire:.6f} eV")
assert wire == energy(2.0, True)
assert energy(2.0, (True, True, False)) - energy(30.0, (True, True, False)) > 30.0
PYTHON
echo "as described"
