#!/bin/bash
# TorchScript saves a module with a non-ASCII attribute name without an error, but cannot load the file.
#
# Versions: torch 2.13.0 (CPU), Python 3.10 or later.
#
# Guess: names such as self.σ are valid in Python and torch.jit.script takes them, so torch.jit.save either refuses them
# or writes a file that torch.jit.load reads.
#
# Behavior: scripting, evaluating and saving work. The code in the archive names the attribute by
# getattr(self, "..."), whose bytes above 127 are written as octal escapes of a negative number ("\0*/"), and the parser
# of torch.jit.load stops: "ill formed octal specifier". A class with such a name fails too, with a UnicodeDecodeError.
# Local variables may be Greek: they are renamed. The last state saved in a long training is lost until it is written
# again with ASCII names.
#
# Output seen:
#   local α, attribute sigma: saved, loaded, f(1) = 4.0
#   local α, attribute σ: saved 2171 bytes, not loaded: RuntimeError, ill formed octal specifier:
#
# Exit status: 0 while torch behaves like this, 1 if that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 numpy
cat > "$folder/names.py" <<'PYTHON'
import io
import sys
import warnings

import torch

warnings.simplefilter("ignore")  # that TorchScript is deprecated


class Ascii(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.sigma = 2.0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        α = 2 * x
        return α * self.sigma


class Greek(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.σ = 2.0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        α = 2 * x
        return α * self.σ


def saved(module):
    scripted = torch.jit.script(module)
    assert float(scripted(torch.ones(()))) == 4.0
    buffer = io.BytesIO()
    torch.jit.save(scripted, buffer)
    buffer.seek(0)
    return buffer


value = float(torch.jit.load(saved(Ascii()))(torch.ones(())))
print(f"local α, attribute sigma: saved, loaded, f(1) = {value}")
file = saved(Greek())
try:
    torch.jit.load(file)
except RuntimeError as error:
    reason = str(error).strip().splitlines()[0]
    print(f"local α, attribute σ: saved {len(file.getvalue())} bytes, not loaded: RuntimeError, {reason}")
    sys.exit(0 if value == 4.0 and "octal" in reason else 1)
print("local α, attribute σ: saved and loaded")
sys.exit(1)
PYTHON
"$folder/venv/bin/python" "$folder/names.py"
