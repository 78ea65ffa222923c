"""Plugins of a wheel find the Python of the environment that they are installed in, not the one of the build."""

from __future__ import annotations

import re
import shutil
import sys
import sysconfig
from pathlib import Path

import pytest

from hook_scripts import ENV, al_start
from lmp_runner import Lmp
from nnpal import _build_info
from nnpal.lammps.plugin_folder import plugin_dir


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    """A virtual environment that has this one's packages, and plugins whose build's Python is gone."""
    prefix = tmp_path / "environment"
    python = f"python{sys.version_info.major}.{sys.version_info.minor}"
    packages = prefix / "lib" / python / "site-packages"
    plugins = packages / "nnpal" / "_plugins"
    plugins.mkdir(parents=True)
    for name in ("pyhookplugin.so", "libnnpal_hook.so"):
        content = (Path(plugin_dir()) / name).read_bytes()
        for path in (sys.executable, _build_info.PYTHON_LIBRARY):
            gone = b"/no".ljust(len(path), b"\0")
            content = content.replace(path.encode() + b"\0", gone + b"\0")
        (plugins / name).write_bytes(content)
    (packages / "of_the_tests.pth").write_text(f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n")
    (prefix / "bin").mkdir()
    (prefix / "bin" / python).symlink_to(Path(sys.executable).resolve())
    shutil.copy(Path(sys.prefix) / "pyvenv.cfg", prefix)
    return prefix


def test_hook_runs_in_the_environment_of_the_plugin(lmp: Lmp, environment: Path) -> None:
    if _build_info.PYTHON_LIBRARY == "NONE":
        pytest.skip("this Python has no shared library")
    (lmp.folder / "where.py").write_text(
        "import sys\n\n\nclass Where:\n    def setup(self, context):\n        context.log(f'prefix {sys.prefix}')\n"
    )
    (plugin,) = environment.glob("lib/*/site-packages/nnpal/_plugins/pyhookplugin.so")
    load = f"plugin unload fix python/hook\nplugin load {plugin}\n"
    text = lmp(load + al_start() + "fix w all python/hook where:Where\nrun 0\n", env=ENV).text
    found = re.search(r"^prefix (.*)$", text, re.M)
    assert found
    assert found[1] == str(environment)
