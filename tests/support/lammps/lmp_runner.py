"""Run the `lmp` and `mpirun` commands of the active environment and parse their output.

Thermo output is read in YAML format (`thermo_modify line yaml`), dumps in text format, both with 17 digits
if the script requests them, so that tests compare exact values.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from processes import LIMIT, run

# Numbers that a test compares are printed with all digits.
FULL_DIGITS = "%24.17g"

# After a thermo_style line: all digits, in the format that `parse_thermo` reads.
THERMO_FORMAT = f"thermo_modify line yaml format float '{FULL_DIGITS}'"

SIGNS_OF_A_CRASH = r"(?i)segmentation|terminate called|BAD TERMINATION|Traceback|MPI_Abort"

_TABLE = re.compile(r"^---\nkeywords: (\[.*?\])\s*\ndata:\n(.*?)^\.\.\.", re.M | re.S)


@dataclass(frozen=True)
class Frame:
    """One snapshot of a text dump, its rows sorted by atom id.

    Attributes:
        step: timestep of the snapshot.
        columns: column name -> values [n_atoms], in the units of the script.
    """

    step: int
    columns: dict[str, np.ndarray]

    def __getitem__(self, name: str) -> np.ndarray:
        return self.columns[name]

    def vectors(self, *names: str) -> np.ndarray:
        """Stack columns into an array [n_atoms, len(names)], e.g. `vectors("fx", "fy", "fz")`."""
        return np.stack([self.columns[name] for name in names], axis=1)

    @property
    def forces(self) -> np.ndarray:
        return self.vectors("fx", "fy", "fz")

    @property
    def positions(self) -> np.ndarray:
        return self.vectors("x", "y", "z")


@dataclass(frozen=True)
class LmpRun:
    """Result of an `lmp` process: exit status, screen output and working folder."""

    returncode: int
    text: str
    folder: Path

    @property
    def thermo(self) -> list[dict[str, np.ndarray]]:
        """Thermo tables of all runs: column name -> values [n_rows]."""
        return parse_thermo(self.text)

    def last(self, column: str) -> float:
        """Return the last thermo value of `column` in the last run."""
        return float(self.thermo[-1][column][-1])

    def dump(self, name: str) -> list[Frame]:
        return read_dump(self.folder / name)


def parse_thermo(text: str) -> list[dict[str, np.ndarray]]:
    """Return the YAML thermo tables in LAMMPS's screen output."""
    tables = []
    for block in _TABLE.findall(text):
        names = re.findall(r"'([^']+)'", block[0])
        rows = re.findall(r"^\s+- \[(.*?),?\s*\]", block[1], re.M)
        values = np.array([[float(word) for word in row.split(",")] for row in rows])
        tables.append({name: values[:, column] for column, name in enumerate(names)})
    return tables


def read_dump(path: Path) -> list[Frame]:
    """Return the frames of a text dump with an `id` column."""
    frames = []
    for block in path.read_text().split("ITEM: TIMESTEP\n")[1:]:
        lines = block.splitlines()
        header = next(i for i, line in enumerate(lines) if line.startswith("ITEM: ATOMS"))
        names = lines[header].split()[2:]
        rows = [[float(word) for word in line.split()] for line in lines[header + 1 :]]
        values = np.array(rows).reshape(-1, len(names))
        values = values[np.argsort(values[:, names.index("id")])]
        frames.append(Frame(int(lines[0]), dict(zip(names, values.T, strict=True))))
    return frames


def _command(name: str) -> str:
    """Return the path of a command that pip installed next to the running Python."""
    path = Path(sys.executable).parent / name
    if not path.is_file():
        raise FileNotFoundError(f"{path}: install the package into this environment: pip install .")
    return str(path)


def run_lmp(
    script: str,
    folder: Path,
    *,
    n_ranks: int = 1,
    args: Sequence[str] = (),
    limit: float = LIMIT,
    env: dict[str, str] | None = None,
) -> LmpRun:
    """Run a LAMMPS input script and return its output, whether it succeeded or not.

    Args:
        script: text of the input script.
        folder: working folder of the process; the script is kept there as `in.script`.
        n_ranks: MPI ranks; 1 starts `lmp` without `mpirun`.
        args: further command line arguments of `lmp`.
        limit: seconds after which the process and all its ranks are killed as hanging.
        env: variables added to the environment.

    Raises:
        AssertionError: the run exceeded `limit`.
    """
    (folder / "in.script").write_text(script)
    launcher = [] if n_ranks == 1 else [_command("mpirun"), "-np", str(n_ranks)]
    command = [*launcher, _command("lmp"), "-in", "in.script", "-log", "none", *args]
    done = run(
        command,
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1", **(env or {})},
        stderr=subprocess.STDOUT,
        limit=limit,
    )
    return LmpRun(done.returncode, done.stdout, folder)


class Lmp:
    """Runner of LAMMPS in one folder: `lmp(script)` must succeed, `lmp.expect_error` must fail."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(
        self,
        script: str,
        *,
        n_ranks: int = 1,
        args: tuple[str, ...] = (),
        limit: float = LIMIT,
        env: dict[str, str] | None = None,
    ) -> LmpRun:
        done = run_lmp(script, self.folder, n_ranks=n_ranks, args=args, limit=limit, env=env)
        assert done.returncode == 0, f"lmp ended with {done.returncode}:\n{done.text}"
        return done

    def expect_error(
        self,
        script: str,
        regex: str,
        *,
        ranks: tuple[int, ...] = (2,),
        limit: float = LIMIT,
        env: dict[str, str] | None = None,
    ) -> str:
        """Require that LAMMPS ends through error->all, with an ERROR that matches `regex`.

        A single rank that stops (error->one) calls MPI_Abort; this and signals are visible in the text.

        Returns:
            The screen text of the last run.
        """
        text = ""
        for n_ranks in ranks:
            done = run_lmp(script, self.folder, n_ranks=n_ranks, limit=limit, env=env)
            text = done.text
            where = f"on {n_ranks} rank(s), exit status {done.returncode}:\n{text}"
            assert done.returncode != 0, f"no error {where}"
            assert done.returncode == 1, f"not LAMMPS's own exit status 1 {where}"
            assert not re.search(SIGNS_OF_A_CRASH, text), f"crashed or aborted {where}"
            errors = "\n".join(re.findall(r"^ERROR.*", text, re.M))
            assert re.search(regex, errors), f"no ERROR line matches {regex!r} {where}"
        return text
