"""Runs that several tests look at."""

from __future__ import annotations

import pytest

from loop_runs import RARE_EVENTS, finish, write_config


@pytest.fixture(scope="session")
def rare_events(tmp_path_factory):
    """A folder with a small loop of rare events that ran unbroken; tests leave it as it is."""
    folder = tmp_path_factory.mktemp("rare_events")
    write_config(folder, RARE_EVENTS)
    (folder / "output.txt").write_text(finish(folder))
    return folder
