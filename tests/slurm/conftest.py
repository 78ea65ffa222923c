"""A Slurm cluster on this machine, for each test its own; without Slurm they are skipped."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from slurm_cluster import SlurmCluster, missing_programs


@pytest.fixture
def cluster(monkeypatch):
    """A cluster of idle nodes, which this process and what it starts talk to."""
    lacking = missing_programs()
    if lacking:
        pytest.skip(f"needs Debian's slurm-wlm and munge: {', '.join(lacking)} not found")
    # a short name, since a socket lies in it
    with tempfile.TemporaryDirectory(prefix="slurm") as folder, SlurmCluster(Path(folder) / "c") as found:
        for name, value in found.environment.items():
            monkeypatch.setenv(name, value)
        yield found
