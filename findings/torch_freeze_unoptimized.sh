#!/usr/bin/env bash
# torch.jit.freeze under torch.jit.optimized_execution(False) returns a module that cannot run, where a branch calls a submodule.
#
# Packages: torch 2.13.0, Python 3.11.
# Guess: optimized_execution(False) skips optimizations of execution and at most costs speed; a module that is frozen or run while it is
#   set gives the same numbers.
# Behavior: running while it is set works. Freezing while it is set returns a module without an error, but every call of it raises, also
#   after the setting is reset: calls of submodules within an `if` remain calls, while freezing has removed the
#   methods that they call. The error names a class Linear that has a forward.
# Output seen:
#   frozen with optimized_execution(True), run with True: 1.5
#   frozen with optimized_execution(True), run with False: 1.5
#   frozen with optimized_execution(False), run with True: Couldn't find method: 'forward' on class Linear
#   frozen with optimized_execution(False), run with False: Couldn't find method: 'forward' on class Linear
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 numpy
cd "$folder"
cat > frozen.py <<'PYTHON'
import io

import torch


class Block(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(1, 1)
        torch.nn.init.constant_(self.linear.weight, 1.0)
        torch.nn.init.constant_(self.linear.bias, 0.5)

    def forward(self, x):
        return self.linear(x)


class Model(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.block = Block()

    def forward(self, x, n: int):
        if n > 0:
            x = self.block(x)
        return x


def outcome(when_frozen: bool, when_run: bool) -> str:
    archive = io.BytesIO()
    torch.jit.save(torch.jit.script(Model().eval()), archive)
    archive.seek(0)
    with torch.jit.optimized_execution(when_frozen):
        frozen = torch.jit.freeze(torch.jit.load(archive))
    try:
        with torch.jit.optimized_execution(when_run):
            return str(frozen(torch.ones(1, 1), 1).item())
    except RuntimeError as error:
        said = str(error)
        assert said.startswith("Couldn't find method: 'forward' on class: ") and ".Linear" in said, said
        return "Couldn't find method: 'forward' on class Linear"


found = {(f, r): outcome(f, r) for f in (True, False) for r in (True, False)}
for (when_frozen, when_run), what in found.items():
    print(f"frozen with optimized_execution({when_frozen}), run with {when_run}: {what}")
assert found[True, True] == found[True, False] == "1.5"
assert found[False, True] == found[False, False] == "Couldn't find method: 'forward' on class Linear"
PYTHON
"$folder/venv/bin/python" frozen.py
echo "as described"
