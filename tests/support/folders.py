"""Folders of the test helpers, for processes that a test starts; pytest takes them from pyproject.toml."""

from __future__ import annotations

import os
from pathlib import Path

TESTS = Path(__file__).parents[1]
FOLDERS = [
    TESTS,
    *sorted(path for path in Path(__file__).parent.iterdir() if path.is_dir() and path.name[0] not in "._"),
]
SEARCH_PATH = os.pathsep.join(map(str, FOLDERS))
"""Value for PYTHONPATH."""
