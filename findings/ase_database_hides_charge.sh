#!/usr/bin/env bash
# ASE's databases accept and store the key `charge`, but neither return nor find it: it reads as 0.0.
#
# Packages: ase 3.29.0, Python 3.11.
# Guess: db.write(atoms, charge=1) either raises "Bad key", as it does for `magmom`, or row.key_value_pairs returns the 1.
# Behavior: it is written and stored, but key_value_pairs and row.charge say 0.0, and a selection charge=1 finds nothing: AtomsRow has
#   a property of that name, the sum of calculated charges, which hides the value. A cation stored this way is read as neutral.
# Output seen:
#   total_charge: 1; charge: 0.0; stored in the row: 1; rows found with charge=1: 0; magmom: Bad key: magmom
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet ase==3.29.0
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
from ase import Atoms
from ase.db import connect

ion = Atoms("NH4", positions=[[0, 0, 0], [0.6, 0.6, 0.6], [-0.6, -0.6, 0.6], [-0.6, 0.6, -0.6], [0.6, -0.6, -0.6]])
database = connect("ions.db")
database.write(ion, charge=1, total_charge=1)
row = next(database.select())
pairs = row.key_value_pairs
n_found = database.count(charge=1)
try:
    database.write(ion, magmom=1)
    refused = "taken"
except ValueError as error:
    refused = str(error)
print(
    f"total_charge: {pairs['total_charge']}; charge: {pairs['charge']}; stored in the row: {vars(row)['charge']}; "
    f"rows found with charge=1: {n_found}; magmom: {refused}"
)
assert pairs["total_charge"] == 1 and pairs["charge"] == 0.0 == row.charge
assert vars(row)["charge"] == 1 and n_found == 0
assert refused.startswith("Bad key")
PYTHON
echo "as described"
