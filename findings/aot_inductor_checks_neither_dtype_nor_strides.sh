#!/usr/bin/env bash
# An AOTInductor package accepts tensors of any dtype and strides, and reads their memory as if they were those of the export.
#
# Packages: torch 2.13.0 (CPU), numpy; g++ 12.2, Python 3.11.
# Guess: a loaded .pt2 called with a float64 tensor where it was exported with float32, or with a transposed one, raises, converts
#   the tensor first, or computes with it as the exported program's own module() does.
# Behavior: neither. The float64 tensor's memory is read as float32 (half of it), the transposed one's as if it were contiguous; the
#   result has the right shape, and there is no warning. Code that loads a package must check dtype and strides of each input.
# Output seen:
#   exported module, float64: right; package, float64: wrong, torch.float32 (4, 3); package, transposed: wrong; contiguous: right
#
# Exit status: 0 while torch behaves like this, 1 if that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 numpy
cd "$folder"
TORCHINDUCTOR_CACHE_DIR="$folder/cache" "$folder/venv/bin/python" - <<'PYTHON'
import torch


class Shift(torch.nn.Module):
    def forward(self, x):
        return x * 2.0 + 1.0


x = torch.arange(12, dtype=torch.float32).reshape(4, 3)
exported = torch.export.export(Shift(), (x,))
package = torch._inductor.aoti_load_package(torch._inductor.aoti_compile_and_package(exported, package_path="shift.pt2"))


def is_right(found):
    return torch.allclose(found.double(), x.double() * 2 + 1)


before = exported.module()(x.double())
double = package(x.double())  # 96 bytes, of which 48 are read
transposed = package(x.t().contiguous().t())  # equal to x, other strides
print(
    f"exported module, float64: {'right' if is_right(before) else 'wrong'}; package, float64: {'right' if is_right(double) else 'wrong'}, {double.dtype} "
    f"{tuple(double.shape)}; package, transposed: {'right' if is_right(transposed) else 'wrong'}; contiguous: "
    f"{'right' if is_right(package(x)) else 'wrong'}"
)
assert is_right(package(x))
assert is_right(before)
assert double.dtype == torch.float32 and double.shape == x.shape and not is_right(double)
assert transposed.shape == x.shape and not is_right(transposed)
PYTHON
echo "as described"
