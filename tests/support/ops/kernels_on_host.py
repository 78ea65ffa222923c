"""The CUDA kernels as a library for the CPU: the same sources, with kernels compiled as loops.

Its operations are torch.ops.nnpal_on_host; results of tests of the arithmetic also hold on a GPU, except for races.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch

from processes import run

SOURCES = Path(__file__).parents[3] / "src" / "ops"
CORE = SOURCES.parent / "core"
FILES = (
    "aev/aev.cpp",
    "aev/aev_cuda.cu",
    "aev/aev_on_cuda.cpp",
    "ensemble/ensemble.cpp",
    "ensemble/ensemble_on_cuda.cpp",
    "networks/networks_cuda.cu",
    "pair_terms/repulsion.cpp",
    "pair_terms/repulsion_cuda.cu",
    "pair_terms/repulsion_on_cuda.cpp",
    "support/device_graph.cpp",
)
OF_CORE = (
    "aev/aev_arguments.cpp",
    "ensemble/ensemble_arguments.cpp",
    "pair_terms/repulsion_arguments.cpp",
    "pair_terms/repulsion_cpu.cpp",
    "support/denormals.cpp",
)
STREAM = """#include "support/device_graph.h"
namespace nnpal { twin::Stream current_stream(const at::Tensor &) { return nullptr; } }
"""


def _compile(command: list[str]) -> None:
    done = run(command)
    assert done.returncode == 0, done.stderr


def build(folder: Path) -> Path:
    """Compile the library, which takes a minute."""
    torch_folder = Path(torch.__file__).parent
    (folder / "stream.cpp").write_text(STREAM)
    # Rename everything, and use the CUDA implementation in place of the CPU implementation
    renamed = ["-Dnnpal=nnpal_on_host", "-DkAEVOnCPU=kAEVOnCUDA", "-DkEnsembleOnCPU=kEnsembleOnCUDA"]
    renamed.append("-DkRepulsionOnCPU=kRepulsionOnCUDA")
    headers = [f"-isystem{torch_folder / 'include' / part}" for part in (".", "torch/csrc/api/include")]

    def compiled(source: Path) -> str:
        target = folder / f"{source.name}.o"
        options = ["-std=c++20", "-O1", "-fPIC", *renamed, *headers, f"-I{SOURCES}", f"-I{CORE}"]
        _compile(["c++", *options, "-x", "c++", "-c", str(source), "-o", str(target)])
        return str(target)

    sources = [folder / "stream.cpp", *(CORE / name for name in OF_CORE), *(SOURCES / name for name in FILES)]
    with ThreadPoolExecutor(2) as pool:
        objects = list(pool.map(compiled, sources))
    library = folder / "libnnpal_on_host.so"
    link = ["-L" + str(torch_folder / "lib"), "-ltorch", "-ltorch_cpu", "-lc10"]
    _compile(["c++", "-shared", "-o", str(library), *objects, *link])
    return library
