#!/usr/bin/env bash
# Where a TorchScript archive keeps its format version depends on which functions the module calls.
#
# Packages: torch 2.13.0, numpy; Python 3.11.
# Guess: every archive that one torch writes has the same version, in a record `<name>/version`.
# Behavior: the version is the lowest that the module's functions need: 3 with relu or celu, 8 with linspace, 10 with gelu. Up to
#   some version it is in `archive/version`, beyond that in `archive/.data/version`, and the other name is not there. So a program
#   that reads archives without torch must look for both, and the number does not identify torch's version.
# Output seen:
#   relu: archive/version 3; celu: archive/version 3; linspace: archive/.data/version 8; gelu: archive/.data/version 10
#
# Exit status: 0 while torch behaves like this, 1 if that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 numpy
cd "$folder"
cat >modules.py <<'PYTHON'
import torch


class Applied(torch.nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.function(x)


class Linspace(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + torch.linspace(0.0, 1.0, 3)
PYTHON
"$folder/venv/bin/python" - <<'PYTHON'
import io
import zipfile

import torch

from modules import Applied, Linspace

modules = {
    "relu": Applied(torch.nn.ReLU()),
    "celu": Applied(torch.nn.CELU()),
    "linspace": Linspace(),
    "gelu": Applied(torch.nn.GELU()),
}
found = []
for name, module in modules.items():
    archive = zipfile.ZipFile(io.BytesIO(torch.jit.script(module).save_to_buffer()))
    ((record, number),) = [(n, int(archive.read(n))) for n in archive.namelist() if n.endswith("version")]
    found.append(f"{name}: {record} {number}")
print("; ".join(found))
expected = "relu: archive/version 3; celu: archive/version 3; linspace: archive/.data/version 8; gelu: archive/.data/version 10"
raise SystemExit("; ".join(found) != expected)
PYTHON
