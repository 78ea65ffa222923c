"""The CPU's sources for 64-bit Arm, where a compiler for it is at hand (Debian: g++-aarch64-linux-gnu, qemu-user)."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

import lammps
from processes import run

COMPILER = shutil.which("aarch64-linux-gnu-g++")
SOURCES = Path(__file__).parents[2] / "src" / "ops"
CORE = SOURCES.parent / "core"
LAMMPS = Path(lammps.__file__).parent / "include" / "lammps"
ARITHMETIC = ("aev/aev_cpu.cpp", "networks/networks_cpu.cpp", "training/training_cpu.cpp")
OF_CUDA = (SOURCES / "cuda.cmake").read_text()
ALL = sorted(path.relative_to(SOURCES).as_posix() for path in SOURCES.rglob("*.cpp"))
ON_TENSORS = [name for name in ALL if name not in OF_CUDA]
PLAIN = [path.relative_to(CORE).as_posix() for path in sorted(CORE.rglob("*.cpp")) if not path.stem.endswith("_cpu")]
OPTIONS = ["-std=c++20", "-Wall", "-Wextra", "-Wno-unused-parameter", "-Werror"]

EMULATOR = shutil.which("qemu-aarch64")
PROGRAM = Path(__file__).parents[1] / "support" / "ops" / "core_alone.cpp"
OF_PROGRAM = (
    *("aev/aev_arguments.cpp", "ensemble/ensemble_arguments.cpp", "ensemble/ensemble_cpu.cpp"),
    "ensemble/packed_weights.cpp",
    *("support/denormals.cpp", "support/edge_order.cpp", "support/instruction_sets.cpp"),
    *ARITHMETIC,
)
# Of the largest number; sums are the same but for rounding, and in float32 there are some hundred terms
SAME = 2e-6

pytestmark = pytest.mark.skipif(COMPILER is None, reason="needs aarch64-linux-gnu-g++")


def compile_for_arm(source: Path, *options: str) -> None:
    # Of LAMMPS the core needs the reader of JSON, a header
    command = [str(COMPILER), *OPTIONS, f"-I{SOURCES}", f"-I{CORE}", f"-isystem{LAMMPS}", *options, str(source)]
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


@pytest.mark.slow
@pytest.mark.skipif(EMULATOR is None, reason="needs qemu-aarch64")
def test_numbers(tmp_path: Path) -> None:
    """An ensemble by the core alone, in both precisions, for Arm in an emulator and for this processor."""
    isa = ["-DNNPAL_ISA=baseline", "-DNNPAL_VECTOR_BYTES=16", "-fno-math-errno", "-fno-trapping-math", "-Wno-psabi"]
    sources = [str(PROGRAM), *(str(CORE / name) for name in OF_PROGRAM)]
    found = {}
    for compiler, emulator in ((str(COMPILER), [str(EMULATOR)]), ("g++", [])):
        program = tmp_path / compiler.replace("/", "_")
        built = run([compiler, *OPTIONS, "-O2", "-static", *isa, f"-I{CORE}", *sources, "-o", str(program)])
        assert built.returncode == 0, built.stderr
        ran = run([*emulator, str(program)])
        assert ran.returncode == 0, ran.stderr
        found[compiler] = np.array(ran.stdout.split(), dtype=float)
    on_arm, here = found.values()
    assert len(here) > 1000
    assert np.abs(here).max() > 0.1
    assert np.abs(on_arm - here).max() < SAME * np.abs(here).max()
