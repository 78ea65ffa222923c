"""Whatever goes wrong in a hook, every rank ends, and the log says what and how to fix it."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from hook_scripts import ENV, al_start
from lmp_runner import Lmp, run_lmp
from nnpal import _build_info
from nnpal.hooks import HookError
from nnpal.hooks.invoke import attach
from nnpal.lammps.plugin_folder import plugin_dir


def with_fix(line: str) -> str:
    return al_start() + f"fix n all nve\nfix h all python/hook {line}\nrun 5\n"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("", r"fix h: expected python/hook MODULE:CLASS key value"),
        ("lammps_hooks", r"hook lammps_hooks: expected MODULE:CLASS, such as nnpal\.momt:MOMT"),
        (
            "no_such:Thing",
            r"module no_such cannot be imported: .*; put no_such\.py in the folder that LAMMPS runs in",
        ),
        ("lammps_hooks:Tehter", r"there is no Tehter in lammps_hooks; did you mean Tether\?"),
        ("lammps_hooks:NoMethods", r"class NoMethods has none of the methods of a hook: setup, pre_reverse"),
        ("lammps_hooks:HalfAState", r"class HalfAState must have both state_dict and load_state_dict"),
        ("lammps_hooks:Tether k 1 z1 3", r"unknown option z1; did you mean z0\? \(known: k, z0\)"),
        ("lammps_hooks:Tether k 1", r"missing option z0 of Tether"),
        ("lammps_hooks:Tether k soft z0 1", r"option k: expected a number, found soft"),
        ("lammps_hooks:Tether k 1 2 z0 1", r"unknown option 2"),
        ("lammps_hooks:ScaleTooLate", r"scale_forces can be called in pre_reverse alone"),
        ("lammps_hooks:PushOne atom 1 force 1 2", r"option force takes 3 values \(number number number\), not 1 2"),
        ("lammps_hooks:Facts", r"there is no group half; define it first: group half \.\.\."),
    ],
)
def test_users_mistakes(lmp: Lmp, line: str, message: str) -> None:
    lmp.expect_error(with_fix(line), message, ranks=(1,), env=ENV)


@pytest.mark.mpi
def test_users_mistake_on_ranks(lmp: Lmp) -> None:
    lmp.expect_error(
        with_fix("lammps_hooks:Fails step 2 kind user rank 1"), "the widget is too big: 7", ranks=(2,), env=ENV
    )


@pytest.mark.mpi
@pytest.mark.parametrize(("rank", "n_ranks"), [(-1, 1), (-1, 2), (0, 2), (1, 2), (3, 4)])
def test_traceback_of_any_rank_reaches_the_log(lmp: Lmp, rank: int, n_ranks: int) -> None:
    """error->all on every rank: LAMMPS's own exit status, no MPI_Abort, the traceback on screen and in the log."""
    script = with_fix(f"lammps_hooks:Fails step 2 rank {rank}")
    run = run_lmp(f"log errors.log\n{script}", lmp.folder, n_ranks=n_ranks, env=ENV)
    assert run.returncode == 1, run.text
    for text in (run.text, (lmp.folder / "errors.log").read_text()):
        assert "fix h (python/hook lammps_hooks:Fails)" in text
        assert re.search(
            r'Traceback.*lammps_hooks\.py", line \d+, in end_of_step.*RuntimeError: a \{brace\}', text, re.S
        )
    assert "MPI_Abort" not in run.text


@pytest.mark.mpi
@pytest.mark.parametrize("rank", [0, 1])
def test_ranks_stuck_in_the_hooks_own_messages_end_too(lmp: Lmp, rank: int) -> None:
    """The others wait in comm.barrier() for the rank that failed: only an abort frees them."""
    impatient = {**ENV, "NNPAL_HOOK_PATIENCE": "1"}
    script = with_fix(f"lammps_hooks:Fails step 2 rank {rank} kind waits")
    run = run_lmp(script, lmp.folder, n_ranks=2, env=impatient)
    assert run.returncode != 0
    assert re.search(rf"ERROR on rank {rank}: fix h .*Traceback.*a \{{brace\}} went wrong", run.text, re.S)


@pytest.mark.parametrize("given", ["soon", "-1", "inf"])
def test_patience_is_a_time(given: str, lmp: Lmp, monkeypatch: pytest.MonkeyPatch) -> None:
    message = rf"variable NNPAL_HOOK_PATIENCE is '{given}'; expected seconds greater than 0"
    environment = {**ENV, "NNPAL_HOOK_PATIENCE": given}
    lmp.expect_error(with_fix("lammps_hooks:Tether k 1 z0 3"), message, ranks=(1,), env=environment)
    monkeypatch.setenv("NNPAL_HOOK_PATIENCE", given)
    with pytest.raises(HookError, match=message):
        attach("lammps_hooks:Tether k 1 z0 3")


def test_vector_must_keep_its_length(lmp: Lmp) -> None:
    lmp_text = run_lmp(with_fix("lammps_hooks:GrowingVector"), lmp.folder, env=ENV).text
    assert "vector had 2 values when the hook was made, and now 3; its length must stay" in lmp_text


def test_respa_is_refused(lmp: Lmp) -> None:
    script = (
        al_start() + "run_style respa 2 2 pair 1\nfix n all nve\nfix h all python/hook lammps_hooks:Potential\nrun 1\n"
    )
    lmp.expect_error(script, "run_style respa is not supported; use verlet", ranks=(1,), env=ENV)


@pytest.fixture
def copied_plugin(tmp_path: Path) -> Path:
    folder = tmp_path / "plugins"
    folder.mkdir()
    for name in ("pyhookplugin.so", "libnnpal_hook.so"):
        shutil.copy(Path(plugin_dir()) / name, folder)
    return folder / "pyhookplugin.so"


def overwrite(plugin: Path, old: str, new: str) -> None:
    """Replace a C string in a compiled file by one that is no longer."""
    content = plugin.read_bytes()
    assert content.count(old.encode() + b"\0") == 1
    plugin.write_bytes(content.replace(old.encode() + b"\0", new.encode().ljust(len(old) + 1, b"\0")))


def script_with(plugin: Path) -> str:
    return f"plugin unload fix python/hook\nplugin load {plugin}\n" + with_fix("lammps_hooks:Potential")


def test_whole_copy_of_the_plugin_works(lmp: Lmp, copied_plugin: Path) -> None:
    """The tests below change one thing in this copy."""
    lmp(script_with(copied_plugin), env=ENV)


def test_python_without_a_shared_library(lmp: Lmp, copied_plugin: Path) -> None:
    overwrite(copied_plugin, _build_info.PYTHON_LIBRARY, "NONE")
    lmp.expect_error(
        script_with(copied_plugin),
        r"no shared library.*run LAMMPS from Python instead: nnpal lmp -in",
        ranks=(1,),
        env=ENV,
    )


def test_python_library_gone(lmp: Lmp, copied_plugin: Path) -> None:
    overwrite(copied_plugin, _build_info.PYTHON_LIBRARY, "/no/libpython.so")
    lmp.expect_error(
        script_with(copied_plugin), r"cannot load Python: /no/libpython.so.*nnpal lmp -in", ranks=(1,), env=ENV
    )


def test_built_with_another_python(lmp: Lmp, copied_plugin: Path) -> None:
    built = re.sub(r"\d", "1", _build_info.PYTHON_VERSION)
    overwrite(copied_plugin, f"NNPAL_BUILT_PYTHON={_build_info.PYTHON_VERSION}", f"NNPAL_BUILT_PYTHON={built}")
    lmp.expect_error(
        script_with(copied_plugin), rf"built with Python {re.escape(built)} but runs in Python", ranks=(1,), env=ENV
    )
