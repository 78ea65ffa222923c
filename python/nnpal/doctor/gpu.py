"""Check whether torch can use an NVIDIA GPU, and if not, why."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass

from nnpal.doctor.outcome import REINSTALL, Check
from nnpal.doctor.probe import Outcome, run

TORCH_PROGRAM = """
import json, torch
available = torch.cuda.is_available()
n_devices = torch.cuda.device_count() if available else 0
names = [torch.cuda.get_device_name(i) for i in range(n_devices)]
try:
    from nnpal.model.ops import load_ops
    load_ops()
    operations = torch.ops.nnpal.devices()
except (ImportError, RuntimeError):
    operations = None
print(json.dumps({"cuda": torch.version.cuda, "available": available, "devices": names, "operations": operations}))
"""


@dataclass(frozen=True)
class Cuda:
    """CUDA support of torch and of nnpal's operations.

    Attributes:
        built_with: CUDA version that torch was built with, None for a CPU build.
        available: whether torch can use a GPU now.
        devices: names of the GPUs.
        operations: device types for which nnpal's operations were compiled; None if they cannot be loaded.
    """

    built_with: str | None
    available: bool
    devices: tuple[str, ...]
    operations: tuple[str, ...] | None = None


def ask_torch(python: str, environ: Mapping[str, str]) -> Outcome:
    """Import torch in a separate process and print its CUDA support."""
    return run([python, "-c", TORCH_PROGRAM], environ)


def read_cuda(outcome: Outcome) -> Cuda | None:
    """Parse the output of `TORCH_PROGRAM`; return None if torch was not imported."""
    if outcome.returncode != 0:
        return None
    said = json.loads(outcome.last_line)
    operations = said["operations"]
    return Cuda(
        said["cuda"], said["available"], tuple(said["devices"]), None if operations is None else tuple(operations)
    )


def check_torch_import(outcome: Outcome) -> Check:
    """Check that torch's libraries can be loaded."""
    if outcome.returncode != 0:
        cure = "pip install --force-reinstall torch"
        return Check("import torch", "fail", outcome.last_line, cure)
    return Check("import torch", "ok", "its libraries load")


def check_cuda(cuda: Cuda | None, *, has_driver: bool) -> list[Check]:
    """Check that `device cuda` works, or report that this is a CPU installation."""
    if cuda is None:
        return []
    if cuda.available:
        detail = f"CUDA {cuda.built_with}: {', '.join(cuda.devices)}"
        return [Check("CUDA", "ok", detail)]
    if cuda.built_with is not None:
        detail = f"torch is built with CUDA {cuda.built_with} but finds no GPU"
        cure = "see the output of nvidia-smi: no GPU, CUDA_VISIBLE_DEVICES empty, or a driver too old"
        return [Check("CUDA", "warn", detail, cure)]
    if has_driver:
        cure = "install a CUDA build of torch, then rebuild nnpal (docs/install.md)"
        return [Check("CUDA", "warn", "this machine has an NVIDIA driver, torch is CPU-only", cure)]
    return [Check("CUDA", "ok", "CPU-only torch, and no NVIDIA driver: device auto means cpu")]


def check_operations(cuda: Cuda | None, nvcc: str | None) -> list[Check]:
    """Report the device types of nnpal's operations, if torch has CUDA.

    Arguments:
        cuda: CUDA support of torch and the operations.
        nvcc: path of CUDA's compiler, or None.
    """
    if cuda is None or cuda.built_with is None or cuda.operations is None:
        return []
    if "cuda" in cuda.operations:
        return [Check("CUDA operations", "ok", "compiled for CPU and CUDA")]
    detail = "nnpal was built without nvcc: models of kernel fused, the default, run only on the CPU"
    found = f"nvcc is now {nvcc}" if nvcc else f"set CUDACXX to the nvcc of CUDA {cuda.built_with}"
    return [Check("CUDA operations", "warn", detail, f"{found}; then {REINSTALL}")]


def find_driver(environ: Mapping[str, str]) -> bool:
    """Return whether an NVIDIA driver is installed, by running its command."""
    return shutil.which("nvidia-smi", path=environ.get("PATH", "")) is not None
