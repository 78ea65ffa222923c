"""The Slurm example of the docs, with its settings changed for a cluster of small nodes."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from support.folders import TESTS

EXAMPLE = TESTS.parent / "docs" / "examples" / "slurm_executors.py"


def write_executors(folder: Path, **upper: object) -> Path:
    """Write ``slurm_executors.py``; ``upper`` changes settings in its upper part, such as `RANKS_PER_NODE=2`.

    The environment is that of this Python, and nodes have the cores of :class:`slurm_cluster.SlurmCluster`.
    """
    text = EXAMPLE.read_text()
    changed = text.replace("source $HOME/nnpal/bin/activate", f"source {Path(sys.executable).parent}/activate")
    assert changed != text
    for name, value in {"ACCOUNT": "someone", "CORES_PER_NODE": 4, "NODES_PER_BLOCK": 1, **upper}.items():
        changed, n = re.subn(rf"^{name} = .*$", f"{name} = {value!r}", changed, flags=re.MULTILINE)
        assert n == 1, f"the example has {n} lines {name} = ..."
    path = folder / EXAMPLE.name
    path.write_text(changed)
    return path
