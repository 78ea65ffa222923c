#!/usr/bin/env bash
# An empty text in Atoms.info makes ASE write an extended XYZ file from which it does not read the energy back.
#
# Packages: ase 3.29.0, Python 3.11.
# Guess: the text is written in quotes, as one with spaces is, and read back empty; energy and forces stay what they were.
# Behavior: it is written as `tag= energy=-1.5`; the reader takes the next entry for the text, so the energy is lost and
#   `tag` is "energy=-1.5", without a warning; forces, which are a column, remain, so a training set keeps half of its labels.
# Output seen:
#   written: tag= energy=-1.5
#   read: info {'tag': 'energy=-1.5'}, labels ['forces']
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet ase==3.29.0
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import read, write

atoms = Atoms("Ar", [[0, 0, 0]], cell=[9, 9, 9], pbc=True, info={"tag": ""})
atoms.calc = SinglePointCalculator(atoms, energy=-1.5, forces=[[0.0, 0.0, 0.0]])
write("set.extxyz", atoms)
line = open("set.extxyz").read().splitlines()[1]
print("written:", line[line.index("tag") : line.index(" pbc")])
found = read("set.extxyz")
print(f"read: info {found.info}, labels {sorted(found.calc.results)}")
assert found.info == {"tag": "energy=-1.5"}
assert sorted(found.calc.results) == ["forces"]
PYTHON
echo "as described"
