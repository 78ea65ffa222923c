#!/usr/bin/env bash
# The stress file of CP2K's molecular dynamics (MOTION / PRINT / STRESS) contains the kinetic part of the ions; its output does not.
#
# Packages: cp2k and cp2k-data 2023.1-2 (Debian 12), Python 3.11. Needs root for apt-get unless CP2K is installed.
# Guess: NAME-1.stress has, for each step, the stress tensor of the force evaluation, as NAME-frc-1.xyz has its forces: what a
#   training set needs, in bar.
# Behavior: its trace exceeds that of the tensor in the output (FORCE_EVAL / PRINT / STRESS_TENSOR) by the kinetic energy of
#   the run, 2 E_kin / V, so it is the pressure of the run, not a derivative of the energy. The file does not say so. A
#   model trained on it has pressures that are wrong by that of an ideal gas. Forces and energies are not affected.
# Output seen:
#   pressure of the output 54004 bar, of the stress file 54667 bar; difference 663 bar, 2 E_kin / 3 V = 663 bar
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
command -v cp2k.psmp > /dev/null || { apt-get update -qq; apt-get install -qq --yes cp2k=2023.1-2 cp2k-data=2023.1-2; }
cd "$folder"
cat > h2o.inp <<'CP2K'
&GLOBAL
  PROJECT h2o
  RUN_TYPE MD
  PRINT_LEVEL LOW
&END GLOBAL
&MOTION
  &MD
    ENSEMBLE NVE
    STEPS 1
    TIMESTEP 0.2
    TEMPERATURE 300
  &END MD
  &PRINT
    &STRESS ON
    &END STRESS
  &END PRINT
&END MOTION
&FORCE_EVAL
  METHOD Quickstep
  STRESS_TENSOR ANALYTICAL
  &PRINT
    &STRESS_TENSOR ON
    &END STRESS_TENSOR
  &END PRINT
  &DFT
    BASIS_SET_FILE_NAME GTH_BASIS_SETS
    POTENTIAL_FILE_NAME GTH_POTENTIALS
    &MGRID
      CUTOFF 400
    &END MGRID
    &SCF
      EPS_SCF 1.0E-6
      &OT
      &END OT
    &END SCF
    &XC
      &XC_FUNCTIONAL PADE
      &END XC_FUNCTIONAL
    &END XC
  &END DFT
  &SUBSYS
    &CELL
      ABC 5.0 5.0 5.0
    &END CELL
    &COORD
      O 0.0 0.0 0.0
      H 0.97 0.0 0.1
      H -0.24 0.93 0.0
    &END COORD
    &KIND O
      BASIS_SET SZV-GTH
      POTENTIAL GTH-PADE-q6
    &END KIND
    &KIND H
      BASIS_SET SZV-GTH
      POTENTIAL GTH-PADE-q1
    &END KIND
  &END SUBSYS
&END FORCE_EVAL
CP2K
OMP_NUM_THREADS=1 cp2k.psmp -i h2o.inp > h2o.out 2>&1
grep -q "CP2K version 2023.1" h2o.out
python3 - <<'PYTHON'
import re

first = [line.split() for line in open("h2o-1.stress") if not line.startswith("#")][0]
of_file = (float(first[2]) + float(first[6]) + float(first[10])) / 3  # bar
of_output = 1e4 * float(re.search(r"STRESS\| 1/3 Trace\s+(\S+)", open("h2o.out").read())[1])  # GPa to bar
kinetic = float([line.split() for line in open("h2o-1.ener") if not line.startswith("#")][0][2])  # hartree
ideal = 2 * kinetic / (3 * 125.0) * 4359.744722e4  # hartree/A^3 to bar
print(
    f"pressure of the output {of_output:.0f} bar, of the stress file {of_file:.0f} bar; "
    f"difference {of_file - of_output:.0f} bar, 2 E_kin / 3 V = {ideal:.0f} bar"
)
assert ideal > 100 and abs(of_file - of_output - ideal) < 0.01 * ideal
PYTHON
echo "as described"
