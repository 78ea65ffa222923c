"""Read COLVAR files by the rules of PLUMED's reader (IFile), but strictly: what PLUMED ignores is an error."""

from __future__ import annotations

from pathlib import Path

import numpy as np


def read_colvar(path: Path) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Return the columns by name, and the constants.

    PLUMED needs `#! FIELDS` first and `time` for READ; accepts `#! SET` only with four words; rejects a row with
    another number of words. FIELDS in the middle would start new columns.
    """
    constants: dict[str, str] = {}
    first, *lines = path.read_text().splitlines()
    assert first.split()[:3] == ["#!", "FIELDS", "time"]
    fields = first.split()[2:]
    rows = []
    for line in lines:
        words = line.split()
        if words[0] == "#!":
            assert words[1] == "SET", line
            assert len(words) == 4, line
            assert not rows, "PLUMED reads constants in the middle, pandas does not"
            constants[words[2]] = words[3]
        else:
            assert len(words) == len(fields), line
            rows.append([float(word) for word in words])
    assert not set(fields) & set(constants)
    table = np.array(rows).reshape(-1, len(fields))
    return dict(zip(fields, table.T, strict=True)), constants
