#!/usr/bin/env bash
# Unpack the source of LAMMPS, from the Debian source package `lammps` of SUITE (sid), into FOLDER and print where it is.
#   fetch_lammps.sh FOLDER [SUITE]
# Nothing of the system is changed and no root is needed: the index of sources is kept in FOLDER.
set -euo pipefail
mkdir -p "$1"
folder=$(cd "$1" && pwd)
suite=${2:-sid}

mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Label: Debian' | head -n 1)
[ -n "$mirror" ] || { echo "fetch_lammps.sh: apt knows no Debian mirror; set LAMMPS_SOURCE to a source tree" >&2; exit 1; }
mkdir -p "$folder"/apt/{parts,lists/partial,cache/archives/partial} "$folder/$suite"
cat > "$folder/apt/parts/lammps.sources" <<END
Types: deb-src
URIs: $mirror
Suites: $suite
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
END
options=(-o Dir::Etc::SourceList=/dev/null -o Dir::Etc::SourceParts="$folder/apt/parts"
         -o Dir::State::Lists="$folder/apt/lists" -o Dir::Cache="$folder/apt/cache")
cd "$folder/$suite"
if ! ls cmake/CMakeLists.txt ./*/cmake/CMakeLists.txt > /dev/null 2>&1; then
  apt-get "${options[@]}" -qq update >&2
  # The tarball alone: Debian's patches are of no interest, and a mirror need not have them all
  apt-get "${options[@]}" -qq source --download-only --tar-only lammps >&2
  tar -xf lammps_*.orig.tar.* --exclude='doc/src' --exclude='*/doc/src' --exclude='examples' --exclude='*/examples'
  rm -f lammps_*.orig.tar.*
fi
dirname "$(dirname "$(ls -d "$PWD"/cmake/CMakeLists.txt "$PWD"/*/cmake/CMakeLists.txt 2> /dev/null | head -n 1)")"
