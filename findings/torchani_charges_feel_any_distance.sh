#!/usr/bin/env bash
# Charges of TorchANI's ANIq models (ANImbis is one) depend on molecules at any distance, and are NaN for a lone atom.
#
# Packages: torch 2.13.0, torchani 2.9.0, Python 3.11.
# Guess: charges come from AEVs of 5.2 Å, so a molecule 50 Å away does not change them, each of two distant molecules is neutral, and a
#   lone atom has charge 0.
# Behavior: raw charges are local, but the excess charge is distributed over all atoms of the input, so distant molecules change
#   each other's charges and exchange charge. Parts are proportional to weight times raw charge squared: a lone atom is 0/0, without an error.
# Output seen:
#   water: [-0.00354, 0.00177, 0.00177], beside CO in 50 Å: [-0.0038, 0.00171, 0.00171], sum -0.00038
#   a lone oxygen atom: nan
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 torchani==2.9.0
cd "$folder"
TORCHANI_NO_WARN_EXTENSIONS=1 "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import torch
from torchani.arch import simple_aniq

torch.manual_seed(1)
model = simple_aniq(("H", "C", "O"), "wb97x-631gd", 1, repulsion=False).double()


def charges(numbers, positions):
    positions = torch.tensor([positions], dtype=torch.float64)
    return model((torch.tensor([numbers]), positions)).atomic_charges[0].detach()


water = [8, 1, 1], [[0.0, 0.0, 0.0], [0.76, 0.0, 0.59], [-0.76, 0.0, 0.59]]
both = water[0] + [6, 8], water[1] + [[50.0, 0.0, 0.0], [51.13, 0.0, 0.0]]
alone, beside, lone = charges(*water), charges(*both)[:3], charges([8], [[0.0, 0.0, 0.0]])
print(f"water: {[round(q, 5) for q in alone.tolist()]}, beside CO in 50 Å: {[round(q, 5) for q in beside.tolist()]}, ", end="")
print(f"sum {float(beside.sum()):.5f}")
print(f"a lone oxygen atom: {float(lone)}")
assert abs(float(alone.sum())) < 1e-12
assert float((beside - alone).abs().max()) > 1e-4 and abs(float(beside.sum())) > 1e-4
assert bool(lone.isnan().all())
PYTHON
echo "as described"
