"""Pair style, hooks, MOMT, SMD and fix python/invoke in a LAMMPS of one's own give the numbers of the lammps package.

Every run ends with exit status 0, or with LAMMPS's own 1 after an error: one with package PYTHON finalizes Python.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import numpy as np
import pytest

from hook_scripts import ENV, al_start, thermo
from lmp_own import OwnLammps
from lmp_runner import Lmp, LmpRun
from lmp_systems import fcc
from message_modules import message_model
from nnpal.lammps.plugin_folder import plugin_dir
from torchani_reference import ExportedModel

pytestmark = pytest.mark.own_lammps

ROOT = Path(__file__).parents[2]
ENVIRONMENT = Path(sys.executable).parent
RANKS = pytest.mark.parametrize("n_ranks", [1, 2])
HOOK_ENV = {"PYTHONPATH": f"{ENV['PYTHONPATH']}:{ROOT / 'lammps_inputs'}"}
# A PATH as where nnpal's environment is not activated
FOREIGN_PATH = os.pathsep.join(
    name for name in os.environ["PATH"].split(os.pathsep) if name and Path(name) != ENVIRONMENT
)

MOMT = (
    "fix momt all python/hook nnpal.momt:MOMT temp 900 press 1 lattice fcc H -130 -60 30 O -5 40 45 every 1 stride 2 "
    "walls no file momt.h5\nfix_modify momt energy yes virial yes\nfix n all nve\n"
)


def same_numbers(found: LmpRun, wanted: LmpRun) -> None:
    """Of two LAMMPS, compilers and MPIs: after some steps, rounding in other orders of sums has grown a little."""
    assert found.thermo
    for ours, theirs in zip(found.thermo, wanted.thermo, strict=True):
        for column in theirs:
            np.testing.assert_allclose(ours[column], theirs[column], rtol=1e-9, atol=1e-9, err_msg=column)


def nnp(model: Path, folder: Path) -> str:
    """Return an NVE run of 32 atoms under a model."""
    fcc("Al", 4.05, 2).write(folder / "data")
    return f"""units metal
atom_modify map array
read_data data
pair_style nnp {model}
pair_coeff * * Al
compute uq all pair nnp
velocity all create 300 4711 loop geom
fix n all nve
{thermo("step", "pe", "press", "c_uq[1]", "c_uq[4]", every=5)}
run 10
"""


@RANKS
@pytest.mark.parametrize("evaluated_by", ["core", "libtorch"])
def test_pair_style(
    own: OwnLammps,
    lmp: Lmp,
    tmp_path: Path,
    al_model: ExportedModel,
    al_torchani_model: Path,
    evaluated_by: str,
    n_ranks: int,
) -> None:
    script = nnp(al_model.path if evaluated_by == "core" else al_torchani_model, tmp_path)
    same_numbers(own(script, tmp_path, n_ranks=n_ranks), lmp(script, n_ranks=n_ranks))


@RANKS
def test_hook(own: OwnLammps, lmp: Lmp, tmp_path: Path, n_ranks: int) -> None:
    script = (
        al_start()
        + "fix t all python/hook lammps_hooks:Tether k 0.5 z0 3.0\nfix_modify t energy yes virial yes\nfix n all nve\n"
        + thermo("step", "pe", "press", "f_t[1]", every=5)
        + "run 10\n"
    )
    same_numbers(own(script, tmp_path, n_ranks=n_ranks, env=ENV), lmp(script, env=ENV))


@RANKS
def test_momt(own: OwnLammps, lmp: Lmp, tmp_path: Path, n_ranks: int) -> None:
    script = al_start() + MOMT + thermo("step", "pe", "press", "f_momt", every=10) + "run 20\n"
    found = own(script, tmp_path, n_ranks=n_ranks)
    (tmp_path / "momt.h5").unlink()
    same_numbers(found, lmp(script))


@RANKS
def test_smd(own: OwnLammps, lmp: Lmp, tmp_path: Path, n_ranks: int) -> None:
    script = (
        al_start()
        + "group corner id 1:4\ngroup other id 15:20\n"
        + "fix pull all python/hook nnpal.smd:SMD groups corner other k 2.0 rate 3.0\n"
        + "fix_modify pull energy yes virial yes\nfix n all nve\n"
        + thermo("step", "pe", "press", "f_pull[*]", every=5)
        + "run 10\n"
    )
    same_numbers(own(script, tmp_path, n_ranks=n_ranks), lmp(script, n_ranks=n_ranks))


@RANKS
@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("fix f all python/hook lammps_hooks:Fails step 1\nrun 2\n", r"a \{brace\} went wrong"),
        ("fix t all python/hook lammps_hooks:Tether k 0.5 z0 3.0\nrun 1\nno_such_command\n", "Unknown command"),
    ],
    ids=["of the hook", "of LAMMPS"],
)
def test_error_after_a_hook_ran(own: OwnLammps, tmp_path: Path, lines: str, message: str, n_ranks: int) -> None:
    own.expect_error(al_start() + lines, message, tmp_path, n_ranks=n_ranks, env=ENV)


@RANKS
def test_python_invoke(own: OwnLammps, tmp_path: Path, n_ranks: int) -> None:
    """The same class by LAMMPS's own fix and by ours, in the same LAMMPS."""
    wall = "hook_example:SphericalWall radius 3.5 k 0.5 rate -1"
    numbers = "fix n all nve\n" + thermo("step", "pe", "temp", every=5) + "run 10\n"
    invoke = f'''python wall_force here """
from nnpal.hooks.invoke import attach
wall = attach("{wall}", group="all", fix_id="wall")
wall_force, wall_end = wall.post_force, wall.end_of_step
"""
fix wall all python/invoke 1 post_force wall_force
fix wall_end all python/invoke 1 end_of_step wall_end
'''
    of_package = {**HOOK_ENV, "PATH": f"{ENVIRONMENT}:{FOREIGN_PATH}"}
    message = "put the Python module of the running LAMMPS first"
    own.expect_error(al_start() + invoke + numbers, message, tmp_path, n_ranks=n_ranks, env=of_package)
    env = {**of_package, "PYTHONPATH": f"{own.source / 'python'}:{HOOK_ENV['PYTHONPATH']}"}
    found = own(al_start() + invoke + numbers, tmp_path, n_ranks=n_ranks, env=env)
    wanted = own(al_start() + f"fix wall all python/hook {wall}\n" + numbers, tmp_path, n_ranks=n_ranks, env=env)
    same_numbers(found, wanted)
    plain = own(al_start() + numbers, tmp_path, n_ranks=n_ranks)
    assert abs(plain.last("Temp") - wanted.last("Temp")) > 1e-3, "the wall does something"


BEFORE = 'python before here """\ndef before():\n    pass\n"""\n'
HELLO = "fix h all python/hook lammps_hooks:Tether k 0.5 z0 3.0\nrun 1\n"


def test_python_command_before_the_hook(own: OwnLammps, tmp_path: Path) -> None:
    """It starts Python without nnpal's environment; the error says how to have it, and each way works."""
    foreign = {**ENV, "PATH": FOREIGN_PATH}
    text = own.expect_error(al_start() + BEFORE + HELLO, "No module named", tmp_path, env=foreign)
    assert f"Put {ENVIRONMENT} first on PATH" in text
    line = re.search(r'python source here "import site.*?"', text)
    assert line, text
    own(line[0] + "\n" + al_start() + BEFORE + HELLO, tmp_path, env=foreign)
    own(al_start() + HELLO + BEFORE, tmp_path, env=foreign)
    own(al_start() + BEFORE + HELLO, tmp_path, env={**ENV, "PATH": f"{ENVIRONMENT}:{FOREIGN_PATH}"})


def test_libtorch_beside_a_python_that_imports_torch(
    own: OwnLammps, lmp: Lmp, tmp_path: Path, al_torchani_model: Path
) -> None:
    """LAMMPS holds Python's lock, and torch's autograd refuses to run in a thread that holds it."""
    script = nnp(al_torchani_model, tmp_path)
    torch_first = 'python torch_first here """\nimport torch\ndef torch_first():\n    pass\n"""\n'
    env = {"PATH": f"{ENVIRONMENT}:{FOREIGN_PATH}"}
    same_numbers(own(torch_first + script, tmp_path, env=env), lmp(script))


def test_plugins_of_the_package_are_refused(own: OwnLammps, tmp_path: Path, al_model: ExportedModel) -> None:
    """They were compiled for another LAMMPS or another MPI; the error gives cmake's line, and not pip's."""
    env = {"LAMMPS_PLUGIN_PATH": plugin_dir()}
    text = own.expect_error(nnp(al_model.path, tmp_path), "this plugin was built", tmp_path, env=env)
    assert "-DNNPAL_LAMMPS_DIR" in text
    assert str(own.prefix) in text
    assert "pip install" not in text


@pytest.mark.parametrize("style", ["pair style", "hook"])
def test_plugins_of_another_mpi_are_refused(
    own: OwnLammps, of_another_mpi: OwnLammps, tmp_path: Path, al_model: ExportedModel, style: str
) -> None:
    """Of the same LAMMPS, so that the MPI is all that differs; the error gives the line that builds them."""
    script = nnp(al_model.path, tmp_path) if style == "pair style" else al_start() + HELLO
    env = {**ENV, "LAMMPS_PLUGIN_PATH": str(of_another_mpi.plugins)}
    names = r"headers of (Open MPI|MPICH) but runs with (Open MPI|MPICH)"
    text = own.expect_error(script, names, tmp_path, env=env)
    built, running = re.search(names, text).groups()
    assert built != running
    assert f"this LAMMPS is {own.prefix}" in text
    assert "-DNNPAL_MPI_INCLUDE_DIR=..." in text, "not that of the build"


@pytest.mark.parametrize("style", ["pair style", "hook"])
def test_other_integer_sizes_are_refused(
    of_other_sizes: OwnLammps, own_of_64_bit_ids: OwnLammps, tmp_path: Path, al_model: ExportedModel, style: str
) -> None:
    """The plugins are of the same LAMMPS and the same MPI."""
    script = nnp(al_model.path, tmp_path) if style == "pair style" else al_start() + HELLO
    bits, running, built = (
        (64, "bigbig", "smallbig") if of_other_sizes.prefix == own_of_64_bit_ids.prefix else (32, "smallbig", "bigbig")
    )
    message = f"built for LAMMPS_SIZES={built} but this LAMMPS was compiled with {bits}-bit atom IDs"
    text = of_other_sizes.expect_error(script, message, tmp_path, env=ENV)
    assert f"-DNNPAL_LAMMPS_DIR=... -DNNPAL_MPI_INCLUDE_DIR=... -DNNPAL_LAMMPS_SIZES={running}" in text
    assert f"this LAMMPS is {of_other_sizes.prefix}" in text


@RANKS
@pytest.mark.parametrize("evaluated_by", ["core", "messages"])
def test_ids_beyond_32_bits(
    own_of_64_bit_ids: OwnLammps, lmp: Lmp, tmp_path: Path, al_model: ExportedModel, evaluated_by: str, n_ranks: int
) -> None:
    """Energies, and a hook that finds atoms by their IDs, are those of atoms numbered from 1."""
    beyond = 5_000_000_000
    model = al_model.path if evaluated_by == "core" else message_model(tmp_path / "messages.nnp.pt").path

    def script(before_first: int, second: int = 20) -> str:
        text = nnp(model, tmp_path).replace("map array", "map hash")
        head, atoms = (tmp_path / "data").read_text().split("# atomic\n\n")
        renumbered = re.sub(r"(?m)^\d+", lambda found: str(int(found[0]) + before_first), atoms)
        (tmp_path / "data").write_text(f"{head}# atomic\n\n{renumbered}")
        pull = f"nnpal.smd:SMD atoms {before_first + 1} {before_first + second} k 2.0 rate 3.0"
        hook = f"fix pull all python/hook {pull}\nfix_modify pull energy yes virial yes\n"
        return text.replace("thermo_style custom", "thermo_style custom f_pull[1] f_pull[2]").replace(
            "fix n", hook + "fix n"
        )

    wanted = lmp(script(0), n_ranks=n_ranks)
    same_numbers(own_of_64_bit_ids(script(beyond), tmp_path, n_ranks=n_ranks), wanted)
    no_atom = rf"there is no atom with ID {beyond + 99}\b"
    own_of_64_bit_ids.expect_error(script(beyond, 99), no_atom, tmp_path, n_ranks=n_ranks)
