"""Add a compiled program to a model file of modules."""

from __future__ import annotations

import copy
import os
import platform
import re
import shutil
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from nnpal.model.archive import LoadedModel, load_model, read_module, write_archive
from nnpal.model.compiled.program import layout_of, member_weights
from nnpal.model.compiled.record import PACKAGE, RECORD, CompiledRecord, cpu_instructions, torch_release
from nnpal.model.schnet import schnet_networks
from nnpal.model.zip_records import what_it_says
from nnpal.runtime.places import file_fault

SUFFIX = ".pt2"
FIRST_TORCH = (2, 13)
"""Earlier versions are not tested; the plugin refuses them too."""
SCHNET_HALO = 1.4
"""Speed of the program relative to TorchScript for the same edges (benchmarks/compiled_models.py)."""
_AVX2 = ("avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "abm", "movbe")
_AVX512 = (*_AVX2, "avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl")
"""Features of the levels x86-64-v3 and x86-64-v4 (System V ABI, AMD64 supplement), by their Linux names."""


def compile_model(
    path: str | os.PathLike[str],
    output: str | os.PathLike[str] | None = None,
    *,
    module: torch.nn.Module | None = None,
) -> Path:
    """Write a model file whose members run as one compiled program, for CPUs like this machine's.

    torch.export and AOTInductor compile energies and gradient to one C++ program, with the weights as inputs, so that
    all members share it. The TorchScript module stays in the file: it holds the weights, evaluates tiles of fewer than
    two atoms or edges, and is the reference for the program.

    Arguments:
        path: a model file of kernel ``modules``: SchNet or custom modules.
        output: path of the new file; by default the name of ``path`` with ``.pt2`` in place of ``.pt``.
        module: for a custom model, a member as ``torch.nn.Module``; its weights are ignored, the file's are used.
            TorchScript cannot be traced, and only SchNet's modules can be rebuilt from a file.

    Returns:
        The path of the new file.

    Raises:
        FileNotFoundError: no such file.
        ModelFileError: the file or the new one cannot be used.
        ValueError: there is nothing to compile, members differ in size, ``module`` is missing or does not fit the file,
            torch cannot compile it, or this is not a Linux machine with a C++ compiler and AVX2.
    """
    name = os.fspath(path)
    target = Path(output) if output is not None else _beside(Path(path))
    loaded = load_model(name)
    if fault := file_fault(target):
        raise ValueError(f"{name}: cannot be compiled to {target}: {fault}")
    if target.exists() and target.samefile(path):
        raise ValueError(
            f"{name}: would be replaced by the compiled file, which other machines cannot use; give another name"
        )
    _refuse(loaded, name)
    eager = _eager(loaded, name, module)
    weights = _weights_of_first(loaded, name)
    wanted, own = ({key: tuple(one.shape) for key, one in some.items()} for some in (weights, member_weights(eager)))
    if wanted != own:
        raise ValueError(f"{name}: module has other weights than the file's members: {own}; expected {wanted}")
    march, instructions = _instruction_set(name)
    from nnpal.model.compiled.trace import export_program, member_program  # torch's tracers take a second to import

    program = member_program(eager, list(weights), float(loaded.module.energy_scale))
    try:
        exported = export_program(program, list(weights.values()), loaded.metadata.reference)
        package = _compile(exported, march)
    except Exception as error:  # from the tracer, the compiler or the module itself
        raise ValueError(
            f"{name}: torch.export and AOTInductor cannot compile it ({what_it_says(error)}); use the file as it is"
        ) from error
    record = CompiledRecord(
        torch_version=torch_release(),
        platform=sys.platform,
        machine=platform.machine(),
        instructions=instructions,
        dtype=loaded.metadata.dtype,
        largest_halo=SCHNET_HALO if loaded.metadata.kind == "schnet" else None,
        weights=layout_of(weights),
    )
    module_as_stored, metadata, _ = read_module(name)
    write_archive(module_as_stored, metadata, target, {RECORD: record.to_json().encode(), PACKAGE: package})
    return target


def _beside(path: Path) -> Path:
    return path.with_suffix(SUFFIX) if path.suffix == ".pt" else path.with_name(path.name + SUFFIX)


def _refuse(loaded: LoadedModel, name: str) -> None:
    kernel = loaded.metadata.kernel
    if kernel != "modules":
        reason = (
            "which runs by nnpal's own compiled operations, faster than a compiled program would be"
            if kernel == "fused"
            else "TorchANI's modules, which share their AEVs; export the model with kernel fused, which is compiled"
        )
        raise ValueError(f"{name}: its kernel is {kernel!r}, {reason}; expected a file of SchNet or custom modules")
    if loaded.program is not None:
        raise ValueError(f"{name}: it is compiled already; compile the file that it was made from")


def _instruction_set(name: str) -> tuple[str, list[str]]:
    """Return GCC's -march and the instruction sets that the program may use with it."""
    if tuple(map(int, re.findall(r"\d+", torch_release())[:2])) < FIRST_TORCH:
        raise ValueError(
            f"{name}: torch is {torch.__version__}, expected 2.13 or later to compile; use the file as it is"
        )
    here = cpu_instructions()
    if platform.machine() != "x86_64" or not here.issuperset(_AVX2):
        raise ValueError(
            f"{name}: can be compiled on Linux and x86-64 with AVX2, this is {sys.platform} on {platform.machine()}; "
            "use the file as it is"
        )
    compiler = os.environ.get("CXX", "g++")
    if shutil.which(compiler) is None:
        raise ValueError(f"{name}: there is no C++ compiler {compiler!r}; install g++ or set CXX")
    from torch._inductor.cpu_vec_isa import pick_vec_isa

    if "avx512" in str(pick_vec_isa()).split() and here.issuperset(_AVX512):
        # torch adds flags for instruction sets beyond that level
        beyond = {flag for flag in here if flag.startswith(("avx512", "amx"))}
        return "x86-64-v4", sorted({*_AVX512, *beyond})
    return "x86-64-v3", sorted(_AVX2)


def _eager(loaded: LoadedModel, name: str, module: torch.nn.Module | None) -> torch.nn.Module:
    if module is not None:
        if isinstance(module, torch.jit.ScriptModule):
            raise ValueError(f"{name}: module is a TorchScript module, which cannot be traced; give the Python one")
        return copy.deepcopy(module).cpu().to(loaded.dtype).eval()
    if loaded.metadata.kind != "schnet":
        raise ValueError(
            f"{name}: its modules are of kind {loaded.metadata.kind!r}, which cannot be read back from TorchScript; "
            "call nnpal.model.compile_model(path, module=...) with a member as torch.nn.Module"
        )
    return schnet_networks(loaded).networks[0].to(loaded.dtype).eval()


def _weights_of_first(loaded: LoadedModel, name: str) -> dict[str, Tensor]:
    """Return the parameters and buffers of the first member, after checking that all have the same names and shapes."""
    members = [member_weights(getattr(loaded.module.members, str(k))) for k in range(loaded.metadata.n_members)]
    for k, weights in enumerate(members):
        if layout_of(weights) != layout_of(members[0]):
            raise ValueError(f"{name}: members 0 and {k} have weights of different names or shapes; expected the same")
    return members[0]


def _compile(exported: Any, march: str) -> bytes:
    # One thread: with more, scattered sums would be atomic, slower, and not reproducible. Matrix products are torch's
    # and use the number of threads that the caller sets.
    settings = {"cpp.threads": 1, "cpp.march": march}
    import torch._inductor

    with tempfile.TemporaryDirectory(prefix="nnpal-") as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's own warnings
        package = torch._inductor.aoti_compile_and_package(
            exported, package_path=os.path.join(folder, "model.pt2"), inductor_configs=settings
        )
        return Path(package).read_bytes()
