#!/bin/bash
# torch's CELU has an inexact slope in float64.
#
# Versions: torch 2.13.0 (CPU), Python 3.10 or later.
#
# Guess: in float64, autograd's derivative of torch.nn.functional.celu(x, alpha) equals exp(x / alpha) for x < 0 to
# rounding (1e-16), as the value does.
#
# Behavior: the value is exact to rounding, the slope is not. The backward pass takes 1/alpha from alpha in single
# precision, so the slope at 0- is alpha / float32(alpha): off by 1.5e-8 for alpha = 0.1 (the one that TorchANI's
# networks use) and by 4e-8 for 0.3, and exact where float32 can represent alpha (0.5, 1). Forces by autograd are therefore
# not the slopes of the energy to double precision. ELU with its third scale, aten::elu(x, alpha, 1, 1/alpha), is the
# same function with an exact slope, and the same bits as celu in float32 for alpha = 0.1.
#
# Output seen:
#   alpha 0.1: error of value 1.4e-17, of slope 1.5e-08; alpha/float32(alpha) - 1 = -1.5e-08; by aten::elu 1.1e-16
#   alpha 0.3: error of value 0.0e+00, of slope 4.0e-08; alpha/float32(alpha) - 1 = -4.0e-08; by aten::elu 1.1e-16
#   alpha 0.5: error of value 0.0e+00, of slope 1.1e-16; alpha/float32(alpha) - 1 = +0.0e+00; by aten::elu 1.1e-16
#   alpha 1.0: error of value 0.0e+00, of slope 1.1e-16; alpha/float32(alpha) - 1 = +0.0e+00; by aten::elu 1.1e-16
#
# Exit status: 0 while torch behaves like this, 1 if that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 numpy
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import numpy as np
import torch

x = torch.linspace(-3, -1e-9, 20001, dtype=torch.float64)


def value_and_slope(function):
    at = x.clone().requires_grad_(True)
    value = function(at)
    return value.detach(), torch.autograd.grad(value.sum(), at)[0]


def largest(difference):
    return float(difference.abs().max())


as_described = True
for alpha in (0.1, 0.3, 0.5, 1.0):
    value, slope = value_and_slope(lambda at: torch.nn.functional.celu(at, alpha))
    _, by_elu = value_and_slope(lambda at: torch.ops.aten.elu(at, alpha, 1.0, 1.0 / alpha))
    of_value = largest(value - alpha * torch.expm1(x / alpha))
    of_slope, of_elu = largest(slope - torch.exp(x / alpha)), largest(by_elu - torch.exp(x / alpha))
    rounding = alpha / float(np.float32(alpha)) - 1.0
    print(
        f"alpha {alpha}: error of value {of_value:.1e}, of slope {of_slope:.1e}; "
        f"alpha/float32(alpha) - 1 = {rounding:+.1e}; by aten::elu {of_elu:.1e}"
    )
    as_described &= of_value < 1e-15 and of_elu < 1e-15
    as_described &= abs(of_slope - abs(rounding)) < 1e-15 + 0.01 * abs(rounding)
sys.exit(0 if as_described else 1)
PYTHON
