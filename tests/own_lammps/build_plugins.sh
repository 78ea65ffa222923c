#!/usr/bin/env bash
# Build nnpal's plugins for a LAMMPS of one's own, by the lines of docs/install.md.
#   build_plugins.sh LAMMPS PREFIX MPICXX PYTHON
# LAMMPS: its source tree, or the prefix where it is installed. The rest as build_lammps.sh; they are installed in
# PREFIX/lib/nnpal. NNPAL_TORCH_DIR=NONE in the environment builds without torch.
set -euo pipefail
lammps=$1 prefix=$2 mpicxx=$(command -v "$3") python=$4
checkout=$(cd "$(dirname "$0")/../.." && pwd)
launcher=$(command -v ccache || true)
include=$("$mpicxx" -show | tr ' ' '\n' | sed -n 's/^-I//p' | head -n 1)

# In the checkout, as a build by pip: with CCACHE_BASEDIR=$checkout ccache then compiles little again
build=$checkout/build/plugins-$(basename "$prefix")

cmake -G Ninja -S "$checkout" -B "$build" -D CMAKE_CXX_COMPILER_LAUNCHER="$launcher" -D Python_EXECUTABLE="$python" \
  -D NNPAL_LAMMPS_DIR="$lammps" -D NNPAL_MPI_INCLUDE_DIR="$include" ${NNPAL_TORCH_DIR:+-D NNPAL_TORCH_DIR="$NNPAL_TORCH_DIR"}
cmake --build "$build" -j "${JOBS:-2}"
cmake --install "$build" --prefix "$prefix"
