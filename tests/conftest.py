"""Fixtures shared by all tests: the real `lmp`, and test models exported once a session."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("TORCHANI_NO_WARN_EXTENSIONS", "1")  # before torchani is imported

import pytest
import torch
from lmp_runner import Lmp

torch.set_num_threads(1)


@pytest.fixture
def lmp(tmp_path: Path) -> Lmp:
    """Run `lmp` in this test's own folder."""
    return Lmp(tmp_path)


@pytest.fixture(scope="session")
def lmp_in() -> Callable[[Path], Lmp]:
    """Run `lmp` in a folder that the caller names, for fixtures of wider scope."""
    return Lmp
