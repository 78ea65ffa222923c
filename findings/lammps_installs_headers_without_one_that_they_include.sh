#!/usr/bin/env bash
# LAMMPS installs citeme.h and variable.h without safe_pointers.h, which both include (in LAMMPS of 22 Jul 2025, nothing is missing).
#
# Versions: LAMMPS 4 Jul 2026 (source package lammps 20260704+dfsg of Debian's development branch, unpacked by
#   tests/own_lammps/fetch_lammps.sh), GCC 12, CMake 3.18 or later.
# Guess: the headers that `cmake --install` puts into include/lammps are those that a plugin needs: each compiles
#   from there, and an installation prefix serves as well as the source tree.
# Behavior: two of them do not compile from there, because the list of installed headers lacks the header that they include
#   since 2026. A plugin that uses `lmp->citeme` or `lmp->input->variable` needs the source tree.
# Output seen:
#   LAMMPS 4 Jul 2026: 37 of 39 installed headers compile
#   citeme.h: safe_pointers.h: No such file or directory
#   variable.h: safe_pointers.h: No such file or directory
#
# Exit status: 0 while LAMMPS behaves like this, 1 if that changes.
set -euo pipefail
tests=$(cd "$(dirname "$0")/../tests/own_lammps" && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
source=$("$tests/fetch_lammps.sh" "$folder" 2> "$folder/fetch.log" | tail -n 1)
version=$(sed -n 's/#define LAMMPS_VERSION "\(.*\)"/\1/p' "$source/src/version.h")

cmake -S "$source/cmake" -B "$folder/build" -D BUILD_SHARED_LIBS=yes -D BUILD_MPI=no -D BUILD_OMP=no -D WITH_JPEG=no -D WITH_PNG=no \
  -D WITH_FFMPEG=no -D WITH_GZIP=no -D WITH_CURL=no > "$folder/cmake.log"
# What `cmake --install` would do with headers, without compiling LAMMPS first
grep 'file(INSTALL.*/include/lammps' "$folder/build/cmake_install.cmake" > "$folder/headers.cmake"
cmake -D CMAKE_INSTALL_PREFIX="$folder/prefix" -P "$folder/headers.cmake" > "$folder/install.log"

cd "$folder/prefix/include/lammps"
compiled=0
: > "$folder/missing"
for header in *.h; do
  if g++ -std=c++17 -fsyntax-only -x c++ -I. -I"$source/src/STUBS" "$header" 2> "$folder/errors"; then
    compiled=$((compiled + 1))
  else
    sed -n "s/.*fatal error: /$header: /p" "$folder/errors" >> "$folder/missing"
  fi
done
echo "LAMMPS $version: $compiled of $(ls ./*.h | wc -l) installed headers compile"
cat "$folder/missing"
[ "$version" = "4 Jul 2026" ]
[ "$(cat "$folder/missing")" = "citeme.h: safe_pointers.h: No such file or directory
variable.h: safe_pointers.h: No such file or directory" ]
