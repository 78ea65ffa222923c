#!/usr/bin/env bash
# Text in Atoms.info that looks like a number or a logical value is read back from ASE's extended XYZ as one.
#
# Packages: ase 3.29.0, numpy 2.4.6, Python 3.11.
# Guess: text is quoted where it could be taken for something else, so that it is text again when it is read.
# Behavior: it is written without quotes. A group named "001" is then the number 1, "1e5" is 100000.0, and "T" is True: names of groups,
#   hashes and identifiers (config_type, tag) change, "001" and "1" become one group, and a hash of digits with an `e` is inf.
# Output seen:
#   written '001' '1e5' 'T' '12345e678'; read 1 100000.0 True inf
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet ase==3.29.0 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
from ase import Atoms
from ase.io import read, write

texts = ["001", "1e5", "T", "12345e678"]
write("set.xyz", [Atoms("Ar", info={"config_type": text}) for text in texts], format="extxyz")
found = [frame.info["config_type"] for frame in read("set.xyz", ":")]
print(f"written {' '.join(map(repr, texts))}; read {' '.join(map(str, found))}")
assert [str(one) for one in found] == ["1", "100000.0", "True", "inf"]
PYTHON
echo "as described"
