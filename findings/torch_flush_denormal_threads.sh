#!/usr/bin/env bash
# torch.set_flush_denormal acts on part of a tensor only, and may remain on after it is switched off.
#
# Packages   torch 2.13.0, numpy 2.4.6; Linux x86_64, Python 3.11
# Guess      torch.set_flush_denormal(True) makes every later CPU operation take denormal numbers for 0, and
#            torch.set_flush_denormal(False) ends that.
# Behavior   It sets a bit in the control word of the calling thread only. Existing threads of the pool keep denormal
#            numbers, so a multiplication of one tensor flushes only the caller's part. Threads that the pool starts
#            while it is on inherit the bit, and keep flushing their parts after it is switched off.
# Seen       with 2 threads, fraction of the products that are not 0:
#            pool started before it is switched on: 0.50 while it is on
#            pool started while it is on: 0.00 then, 0.50 after it was switched off
# Exit status: 0 if this is still so, 1 if not.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.4.6
for pool in before within; do
  "$folder/venv/bin/python" - "$pool" <<'PYTHON'
import sys

import numpy as np
import torch

torch.set_num_threads(2)
denormals = torch.from_numpy(np.full(4_000_000, 1e-39, dtype=np.float32))  # float32's least normal number is 1.2e-38


def share_kept() -> float:
    product = denormals * 0.5
    return (product.numpy().view(np.int32) != 0).mean()  # bits: comparing would flush them again


if sys.argv[1] == "before":
    assert share_kept() == 1.0
    assert torch.set_flush_denormal(True)
    on = share_kept()
    print(f"pool started before it is switched on: {on:.2f} while it is on")
    raise SystemExit(0 if abs(on - 0.5) < 0.01 else 1)
assert torch.set_flush_denormal(True)
on = share_kept()
torch.set_flush_denormal(False)
off = share_kept()
print(f"pool started while it is on: {on:.2f} then, {off:.2f} after it was switched off")
raise SystemExit(0 if on == 0.0 and abs(off - 0.5) < 0.01 else 1)
PYTHON
done
