#!/usr/bin/env bash
# Build a small LAMMPS with packages PLUGIN and PYTHON, as a shared library.
#   build_lammps.sh SOURCE PREFIX MPICXX PYTHON [-D OPTION=VALUE ...]
# SOURCE: LAMMPS's source tree. PREFIX: where it is built and installed. MPICXX: the MPI's compiler wrapper. PYTHON: of the
# environment that holds nnpal. The rest goes to cmake. What is built is kept.
set -euo pipefail
source=$1 prefix=$2 mpicxx=$(command -v "$3") python=$4
shift 4
launcher=$(command -v ccache || true)

# -O0 and precompiled headers: nothing here is timed, and compiling takes a fifth of the time
cmake -G Ninja -S "$source/cmake" -B "$prefix/build-lammps" -D CMAKE_BUILD_TYPE=None -D CMAKE_CXX_FLAGS=-O0 \
  -D CMAKE_CXX_COMPILER_LAUNCHER="$launcher" -D CMAKE_INSTALL_PREFIX="$prefix" -D CMAKE_INSTALL_RPATH="$prefix/lib" \
  -D CMAKE_INSTALL_LIBDIR=lib -D BUILD_SHARED_LIBS=yes -D BUILD_MPI=yes -D BUILD_OMP=no -D MPI_CXX_COMPILER="$mpicxx" \
  -D PKG_PLUGIN=yes -D PKG_PYTHON=yes -D Python_EXECUTABLE="$python" -D PKG_MANYBODY=yes -D PKG_EXTRA-FIX=yes \
  -D WITH_JPEG=no -D WITH_PNG=no -D WITH_FFMPEG=no -D WITH_GZIP=no -D WITH_CURL=no \
  -D CMAKE_PROJECT_lammps_INCLUDE="$(cd "$(dirname "$0")" && pwd)/precompile_headers.cmake" "$@"
ninja -C "$prefix/build-lammps" -j "${JOBS:-2}" install
