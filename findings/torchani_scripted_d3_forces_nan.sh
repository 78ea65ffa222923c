#!/usr/bin/env bash
# TorchANI's D3 dispersion, compiled by torch.jit.script: in single precision its energy is right and its forces become NaN.
#
# Packages: torch 2.13.0, torchani 2.9.0, Python 3.11.
# Guess: torch.jit.script(model) gives the forces of the model to rounding, on every call.
# Behavior: for a hydrogen atom with five carbon atoms around it the first call of a process may be right, and later ones, which
#   TorchScript has specialized, give NaN; eager mode and double precision are correct. C6 is a quotient of sums of weights
#   exp(-4 (CN - CN_ref)^2), here near 1e-35; eager torch divides by the denominator twice, TorchScript by its square, which is 0.
# Output seen:
#   eager: force 2.7e-04 on every call; scripted: energies equal, NaN on the third call: True; in double precision: False
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 torchani==2.9.0
cd "$folder"
TORCHANI_NO_WARN_EXTENSIONS=1 "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import torch
from torchani.potentials import TwoBodyDispersionD3

ends = torch.cat([torch.zeros(1, 3), 1.1 * torch.eye(3), -1.1 * torch.eye(3)])[:6]
positions = (ends + 0.01 * torch.arange(6)[:, None])[None]
numbers = torch.tensor([[1, 6, 6, 6, 6, 6]])


def called(potential, dtype):
    """Energies and largest forces of three calls."""
    found = []
    for _ in range(3):
        x = positions.to(dtype).requires_grad_(True)
        energy = potential(numbers, x).sum()
        (gradient,) = torch.autograd.grad(energy, x)
        found.append((energy.item(), gradient.abs().max().item()))
    return found


potential = TwoBodyDispersionD3.from_functional(("H", "C"), "b973c", cutoff=8.0)
eager = called(potential, torch.float32)
scripted = called(torch.jit.script(potential), torch.float32)
double = called(torch.jit.script(potential.double()), torch.float64)
same = max(abs(a - b) for (a, _), (b, _) in zip(eager, scripted)) < 1e-6
is_nan = scripted[2][1] != scripted[2][1]
print(
    f"eager: force {eager[2][1]:.1e} on every call; scripted: energies {'equal' if same else 'differ'}, NaN on the third call: "
    f"{is_nan}; in double precision: {double[2][1] != double[2][1]}"
)
assert same and is_nan
assert all(force == force for _, force in (*eager, *double))
PYTHON
echo "as described"
