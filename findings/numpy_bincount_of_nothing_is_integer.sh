#!/usr/bin/env bash
# NumPy's bincount of an empty array ignores its weights and returns integers.
#
# Packages: numpy 2.4.6, Python 3.11.
# Guess: bincount(x, weights, minlength) is float64 whenever weights are given, also when x and weights are empty.
# Behavior: for an empty x it is int64, the type without weights. Sums over neighbors become integers where no atom has any, and adding
#   floating-point numbers in place fails in that case only. SciPy's coo_array with the same numbers stays float64.
# Output seen:
#   one value float64; none int64; in place: UFuncTypeError; SciPy float64
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet numpy==2.4.6 scipy==1.17.1
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import numpy as np
from scipy.sparse import coo_array

one = np.bincount(np.array([1]), weights=np.array([0.5]), minlength=3)
none = np.bincount(np.array([], dtype=int), weights=np.array([], dtype=float), minlength=3)
try:
    none += np.full(3, 0.5)
    found = "works"
except TypeError as error:
    found = type(error).__name__
empty = np.array([], dtype=int)
sums = coo_array((np.array([], dtype=float), (empty, empty)), shape=(3, 1)).toarray()
print(f"one value {one.dtype}; none {none.dtype}; in place: {found}; SciPy {sums.dtype}")
assert one.dtype == np.float64 and none.dtype == np.int64 and "TypeError" in found and sums.dtype == np.float64
PYTHON
echo "as described"
