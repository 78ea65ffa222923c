"""A plugin that meets another torch or LAMMPS than it was built with says so, and how to fix it.

The plugin's file holds both versions as marked text, so a copy with other digits stands for one
built elsewhere; and a folder `torch` beside the package is where a changed torch would lie.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from lmp_runner import Lmp
from lmp_systems import fcc
from nnpal import _build_info
from nnpal.lammps.plugin_folder import plugin_dir
from torchani_reference import ExportedModel

CURE = "pip install --no-build-isolation"


@pytest.fixture
def copied_plugin(tmp_path: Path) -> Path:
    """Return nnpplugin.so in a folder laid out as site-packages is."""
    folder = tmp_path / "site-packages" / "nnpal" / "lammps"
    folder.mkdir(parents=True)
    for library in Path(plugin_dir()).glob("*.so"):
        shutil.copy(library, folder)
    return folder / "nnpplugin.so"


def script_with(lmp: Lmp, plugin: Path, model: Path) -> str:
    fcc("Al", 4.05, 2).write(lmp.folder / "data")
    return f"""plugin unload pair nnp
plugin load {plugin}
units metal
read_data data
pair_style nnp {model}
pair_coeff * * Al
run 0
"""


def rewrite_version(plugin: Path, marker: str, version: str) -> None:
    """Replace the recorded version by one of the same length."""
    content = plugin.read_bytes()
    found = re.search(marker.encode() + rb"=([^\0]+)\0", content)
    assert found, f"{plugin.name} holds no {marker}"
    assert len(found[1]) == len(version)
    plugin.write_bytes(content.replace(found[0], f"{marker}={version}\0".encode()))


def test_whole_copy_works(lmp: Lmp, copied_plugin: Path, al_model: ExportedModel) -> None:
    """The tests below change one thing in this copy."""
    assert "3 of 3 members" in lmp(script_with(lmp, copied_plugin, al_model.path)).text


def test_built_for_another_lammps(lmp: Lmp, copied_plugin: Path, al_model: ExportedModel) -> None:
    built, running = "20010101", _build_info.LAMMPS_VERSION
    rewrite_version(copied_plugin, "NNPAL_BUILT_LAMMPS", built)
    text = lmp.expect_error(
        script_with(lmp, copied_plugin, al_model.path),
        f"built for LAMMPS {built} but runs in LAMMPS {running}",
    )
    assert CURE in text


def test_built_with_another_torch(
    lmp: Lmp, copied_plugin: Path, al_model: ExportedModel, al_torchani_model: Path
) -> None:
    found = _build_info.TORCH_VERSION
    built = re.sub(r"\d", "1", found)
    rewrite_version(copied_plugin.with_name("libnnpal_pair.so"), "NNPAL_BUILT_TORCH", built)
    lmp(script_with(lmp, copied_plugin, al_model.path))  # which needs none
    text = lmp.expect_error(
        script_with(lmp, copied_plugin, al_torchani_model),
        r"its kernel is 'torchani', which needs libtorch, but .*"
        rf"built with torch {re.escape(built)} but finds torch {re.escape(found)}",
    )
    assert CURE in text
    assert "undefined symbol" not in text


def test_torch_changed_after_the_build(
    lmp: Lmp, copied_plugin: Path, al_model: ExportedModel, al_torchani_model: Path
) -> None:
    torch_folder = copied_plugin.parents[2] / "torch"
    torch_folder.mkdir()
    (torch_folder / "version.py").write_text("__version__ = '9.8.7+cpu'\n")
    lmp(script_with(lmp, copied_plugin, al_model.path))
    text = lmp.expect_error(
        script_with(lmp, copied_plugin, al_torchani_model),
        rf"built with torch {re.escape(_build_info.TORCH_VERSION)} but finds torch 9\.8\.7\+cpu",
    )
    assert CURE in text


def test_no_library_of_torch(lmp: Lmp, copied_plugin: Path, al_model: ExportedModel, al_torchani_model: Path) -> None:
    """A model on a CPU runs; what needs libtorch says so."""
    for name in ("libnnpal_torch_model.so", "libnnpal_ops.so"):
        copied_plugin.with_name(name).unlink()
    assert "3 of 3 members" in lmp(script_with(lmp, copied_plugin, al_model.path)).text
    lmp.expect_error(
        script_with(lmp, copied_plugin, al_torchani_model),
        r"its kernel is 'torchani', which needs libtorch, but cannot load .*libnnpal_torch_model\.so.*nnpal doctor",
        ranks=(1,),
    )


def test_library_missing_beside_the_plugin(lmp: Lmp, copied_plugin: Path, al_model: ExportedModel) -> None:
    for library in copied_plugin.parent.glob("*.so"):
        if library != copied_plugin:
            library.unlink()
    lmp.expect_error(script_with(lmp, copied_plugin, al_model.path), r"cannot load .*\.so.*nnpal doctor", ranks=(1,))
