#!/usr/bin/env bash
# Importing vesin imports torch wherever torch is installed, also for NumPy arrays.
#
# Packages: vesin 0.6.2, torch 2.13.0, numpy, ase; Python 3.11.
# Guess: vesin is a C library with a thin NumPy interface, so `import vesin` loads NumPy and that library. Tensors are handled by a separate
#   package, vesin-torch.
# Behavior: the NumPy interface tries `import torch` when it is imported, to recognize tensors. With both installed, every
#   process that searches neighbors pays for torch's start-up time and memory. Without torch, vesin works the same.
#   No option turns this off.
# Output seen:
#   without torch: 2 pairs, torch imported: False
#   with torch: 2 pairs, torch imported: True
#
# Exit status: 0 while vesin behaves like this, 1 if that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet vesin==0.6.2 numpy ase
cat >"$folder/pairs.py" <<'PYTHON'
import sys

import numpy as np
from vesin import NeighborList

found = NeighborList(cutoff=2.0, full_list=True).compute(np.array([[0.0, 0, 0], [1, 0, 0]]), 10 * np.eye(3), False, "i")
print(f"{len(found[0])} pairs, torch imported: {'torch' in sys.modules}")
PYTHON
without=$("$folder/venv/bin/python" "$folder/pairs.py")
"$folder/venv/bin/pip" install --quiet torch==2.13.0
with=$("$folder/venv/bin/python" "$folder/pairs.py")
echo "without torch: $without"
echo "with torch: $with"
[ "$without" = "2 pairs, torch imported: False" ] && [ "$with" = "2 pairs, torch imported: True" ]
