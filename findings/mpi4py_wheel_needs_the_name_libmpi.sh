#!/usr/bin/env bash
# The mpi4py wheel does not load Debian's MPICH, even if MPI4PY_LIBMPI names its library: it needs one called libmpi.so.12.
#
# Packages: mpi4py 4.1.2 (wheel), libmpich12 4.0.2-3+b1 (Debian 12), Python 3.11. Needs root for apt-get unless libmpich12 is installed.
# Guess: the wheel, which contains an extension module for MPICH's ABI, loads Debian's MPICH, at least if MPI4PY_LIBMPI is the full
#   path of its library and MPI4PY_MPIABI is mpich.
# Behavior: neither. Debian calls the library libmpich.so.12. The extension module for MPICH's ABI is linked to libmpi.so.12, so
#   the import stops with an ImportError, although the library with the same ABI has already been loaded. A link with that name, in a
#   folder of LD_LIBRARY_PATH, is enough.
# Output seen:
#   path in MPI4PY_LIBMPI: ImportError: libmpi.so.12: cannot open shared object file: No such file or directory
#   link named libmpi.so.12: MPICH Version: 4.0.2
#
# Exit status: 0 while mpi4py behaves like this, 1 if that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
library=/usr/lib/x86_64-linux-gnu/libmpich.so.12
[ -e "$library" ] || { apt-get update -qq; apt-get install -qq --yes libmpich12=4.0.2-3+b1; }
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet mpi4py==4.1.2
program='from mpi4py import MPI; print(MPI.Get_library_version().splitlines()[0].replace("\t", " "))'
export MPI4PY_MPIABI=mpich

named=$(MPI4PY_LIBMPI="$library" "$folder/venv/bin/python" -c "$program" 2>&1 | tail -n 1 || true)
mkdir "$folder/lib"
ln -s "$library" "$folder/lib/libmpi.so.12"
linked=$(LD_LIBRARY_PATH="$folder/lib" "$folder/venv/bin/python" -c "$program" 2>&1 | tail -n 1 | tr -s ' ')
echo "path in MPI4PY_LIBMPI: $named"
echo "link named libmpi.so.12: $linked"
[ "$named" = "ImportError: libmpi.so.12: cannot open shared object file: No such file or directory" ]
case "$linked" in "MPICH Version"*4.0.2*) ;; *) exit 1 ;; esac
echo "as described"
