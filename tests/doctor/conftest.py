"""What all tests of the doctor stand on: this installation and its commands."""

from __future__ import annotations

import os
import sysconfig
from pathlib import Path

import pytest

from nnpal.doctor import plugin


@pytest.fixture
def environ() -> dict[str, str]:
    """An environment in which this Python's commands are first on PATH, as when it is activated."""
    kept = {key: value for key, value in os.environ.items() if key != "LAMMPS_PLUGIN_PATH"}
    return {**kept, "PATH": f"{sysconfig.get_path('scripts')}:{os.environ['PATH']}", "OMP_NUM_THREADS": "1"}


@pytest.fixture
def plugin_folder() -> Path:
    """The installed plugin's folder."""
    folder = plugin.find_plugin_folder()
    assert folder is not None, "nnpal is not installed: pip install --no-build-isolation ."
    return folder
