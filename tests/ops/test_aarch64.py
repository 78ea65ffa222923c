"""The CPU's sources for 64-bit Arm, where a compiler for it is at hand (Debian: g++-aarch64-linux-gnu)."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from processes import run

COMPILER = shutil.which("aarch64-linux-gnu-g++")
SOURCES = Path(__file__).parents[2] / "src" / "ops"
CORE = SOURCES.parent / "core"
ARITHMETIC = ("aev/aev_cpu.cpp", "networks/networks_cpu.cpp", "training/training_cpu.cpp")
OF_CUDA = (SOURCES / "cuda.cmake").read_text()
ALL = sorted(path.relative_to(SOURCES).as_posix() for path in SOURCES.rglob("*.cpp"))
ON_TENSORS = [name for name in ALL if name not in OF_CUDA]
PLAIN = [path.relative_to(CORE).as_posix() for path in sorted(CORE.rglob("*.cpp")) if not path.stem.endswith("_cpu")]
OPTIONS = ["-std=c++20", "-Wall", "-Wextra", "-Wno-unused-parameter", "-Werror"]

pytestmark = pytest.mark.skipif(COMPILER is None, reason="needs aarch64-linux-gnu-g++")


def compile_for_arm(source: Path, *options: str) -> None:
    command = [str(COMPILER), *OPTIONS, f"-I{SOURCES}", f"-I{CORE}", *options, str(source)]
    found = run(command)
    assert found.returncode == 0, found.stderr


@pytest.mark.parametrize("name", ARITHMETIC)
def test_arithmetic(name: str, tmp_path: Path) -> None:
    """To machine code, on the registers that every such processor has."""
    isa = ["-DNNPAL_ISA=baseline", "-DNNPAL_VECTOR_BYTES=16"]
    target = tmp_path / "object.o"
    compile_for_arm(
        CORE / name, "-O3", "-fno-math-errno", "-fno-trapping-math", "-Wno-psabi", *isa, "-c", "-o", str(target)
    )
    assert target.stat().st_size > 10_000


@pytest.mark.parametrize("name", PLAIN)
def test_sources_without_torch(name: str) -> None:
    compile_for_arm(CORE / name, "-fsyntax-only")


@pytest.mark.slow
@pytest.mark.parametrize("name", ON_TENSORS)
def test_sources_on_tensors(name: str) -> None:
    headers = Path(torch.__file__).parent / "include"
    compile_for_arm(
        SOURCES / name, "-fsyntax-only", f"-isystem{headers}", f"-isystem{headers / 'torch/csrc/api/include'}"
    )
