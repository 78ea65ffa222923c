#!/bin/bash
# pytorch-optimizer's SOAP rotates the basis of float64 weights in single precision.
#
# Versions: pytorch-optimizer 4.1.0, torch 2.13.0 (CPU), Python 3.10 or later.
#
# Guess: for float64 parameters every step of SOAP, also the QR decomposition of the eigenbasis, is done in float64,
# so the basis stays orthogonal to 1e-15.
#
# Behavior: the first basis, from an eigenvalue decomposition, is orthogonal to 1e-15. From its first rotation on
# (update precondition_frequency) it is not: the matrix is cast to float32 for the QR decomposition and back, whatever its
# precision was, and the basis is orthogonal only to about 1e-7, although its dtype is float64. A training in double
# precision, for comparisons to rounding, has a basis in single precision.
#
# Output seen:
#   before the first turn: torch.float64, max|QtQ - 1| = 1.7e-15
#   after 25 updates:      torch.float64, max|QtQ - 1| = 3.6e-07
#
# Exit status: 0 while pytorch-optimizer behaves like this, 1 if that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 numpy
"$folder/venv/bin/pip" install --quiet pytorch-optimizer==4.1.0
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import torch
from pytorch_optimizer import SOAP

torch.manual_seed(0)
weights = torch.nn.Parameter(torch.randn(20, 30, dtype=torch.float64))
optimizer = SOAP([weights], lr=1e-2, precondition_frequency=10)
found = {}
for update in range(1, 26):
    weights.grad = torch.randn(20, 30, dtype=torch.float64)
    optimizer.step()
    if update in (2, 25):
        basis = optimizer.state[weights]["Q"][0]
        found[update] = float((basis.T @ basis - torch.eye(20, dtype=basis.dtype)).abs().max())
        said = "before the first turn:" if update == 2 else "after 25 updates:     "
        print(f"{said} {basis.dtype}, max|QtQ - 1| = {found[update]:.1e}")
sys.exit(0 if found[2] < 1e-13 and 1e-9 < found[25] < 1e-5 else 1)
PYTHON
