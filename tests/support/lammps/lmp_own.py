"""Run a custom LAMMPS, installed with nnpal's plugins by the scripts of tests/own_lammps."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from lmp_runner import SIGNS_OF_A_CRASH, LmpRun
from processes import run


@dataclass(frozen=True)
class OwnLammps:
    """An installed LAMMPS and the launcher of its MPI.

    Attributes:
        prefix: installation prefix of LAMMPS and nnpal's plugins.
        mpirun: command that starts several ranks.
        source: source tree of LAMMPS.
        plugins: folder of nnpal's plugins.
        libraries: folder for LD_LIBRARY_PATH, if the MPI needs one.
    """

    prefix: Path
    mpirun: str
    source: Path
    plugins: Path
    libraries: Path | None = None

    def run(self, script: str, folder: Path, *, n_ranks: int = 1, env: dict[str, str] | None = None) -> LmpRun:
        """Run an input script, whether it succeeds or not."""
        (folder / "in.script").write_text(script)
        launcher = [] if n_ranks == 1 else [self.mpirun, "-np", str(n_ranks)]
        own = {
            "OMP_NUM_THREADS": "1",
            "LAMMPS_PLUGIN_PATH": str(self.plugins),
            **({"LD_LIBRARY_PATH": str(self.libraries)} if self.libraries else {}),
            # For Open MPI, if tests run as root or with fewer cores than ranks
            "OMPI_ALLOW_RUN_AS_ROOT": "1",
            "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
            "OMPI_MCA_rmaps_base_oversubscribe": "1",
        }
        done = run(
            [*launcher, str(self.prefix / "bin" / "lmp"), "-in", "in.script", "-log", "none"],
            cwd=folder,
            env={**os.environ, **own, **(env or {})},
            stderr=subprocess.STDOUT,
        )
        return LmpRun(done.returncode, done.stdout, folder)

    def __call__(self, script: str, folder: Path, *, n_ranks: int = 1, env: dict[str, str] | None = None) -> LmpRun:
        """Run an input script that must end without an error and without a crash at exit."""
        done = self.run(script, folder, n_ranks=n_ranks, env=env)
        assert done.returncode == 0, f"lmp ended with {done.returncode}:\n{done.text}"
        assert not re.search(SIGNS_OF_A_CRASH, done.text), done.text
        return done

    def expect_error(
        self, script: str, message: str, folder: Path, *, n_ranks: int = 1, env: dict[str, str] | None = None
    ) -> str:
        """Require that LAMMPS ends with an error: exit status 1 and `message`, a regular expression."""
        done = self.run(script, folder, n_ranks=n_ranks, env=env)
        assert done.returncode == 1, f"lmp ended with {done.returncode}:\n{done.text}"
        assert not re.search(r"(?i)segmentation|terminate called", done.text), done.text
        assert re.search(message, done.text, re.S), done.text
        return done.text
