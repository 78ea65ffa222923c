"""Try `pair_style nnp` in `lmp` and in LAMMPS inside Python; if it fails, find out why."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from nnpal.doctor.outcome import FIRST_INSTALL, REINSTALL, Check
from nnpal.doctor.plugin_file import PluginFile, build_for, how_to_rebuild, read_plugin
from nnpal.doctor.probe import Outcome, run, run_lammps

# A model file that does not exist: only nnpal's library reports it.
ABSENT_MODEL = "nnpal-doctor-absent.nnp.pt"

LMP_SCRIPT = f"""
plugin list
pair_style nnp {ABSENT_MODEL}
"""

PYTHON_PROGRAM = f"""
try:
    from mpi4py import MPI
except ImportError:
    pass
from lammps import lammps
instance = lammps(cmdargs=["-screen", "none", "-log", "none", "-nocite"])
try:
    instance.command("pair_style nnp {ABSENT_MODEL}")
except Exception as error:
    print(error)
"""


@dataclass(frozen=True)
class Lmp:
    """An `lmp` command and its result for `LMP_SCRIPT`.

    Attributes:
        path: the first `lmp` on PATH.
        of_environment: whether it belongs to the Python environment of nnpal.
        outcome: exit status and output.
    """

    path: Path
    of_environment: bool
    outcome: Outcome

    @property
    def plugin_folders(self) -> list[Path]:
        """Return the folders whose plugins it loaded, or tried to load."""
        loaded = re.findall(r"^Loaded \d+ plugins from (.*)$", self.outcome.output, re.MULTILINE)
        failed = re.findall(r"^Open of file (\S+)/[^/\s]+ failed:", self.outcome.output, re.MULTILINE)
        return [Path(folder) for folder in dict.fromkeys([*loaded, *failed])]

    @property
    def plugin_file(self) -> PluginFile | None:
        """Return nnpal's plugin that it loaded, or tried to load; None if there was none."""
        found = (read_plugin(folder) for folder in self.plugin_folders)
        return next((plugin for plugin in found if plugin is not None), None)

    @property
    def rebuild(self) -> str:
        """Return the command that rebuilds its plugins: pip for the lammps package, else cmake."""
        return how_to_rebuild(self.path, of_environment=self.of_environment, loaded=self.plugin_file)

    @property
    def lacks_plugin_package(self) -> bool:
        """Return whether it was compiled without the package PLUGIN, so that it cannot load any plugin."""
        return "Unknown command: plugin" in self.outcome.output

    @property
    def version(self) -> int | None:
        """Return LAMMPS's version date as a number, None if the banner has none."""
        return banner_version(self.outcome.output)


def ask_lmp(environ: Mapping[str, str], scripts: Path) -> Lmp | None:
    """Run the first `lmp` on PATH; return None if there is none.

    Arguments:
        environ: environment variables for the search and the run.
        scripts: folder of this Python environment's commands.
    """
    found = shutil.which("lmp", path=environ.get("PATH", ""))
    if found is None:
        return None
    path = Path(found)
    of_environment = path.parent.resolve() == scripts.resolve()
    return Lmp(path, of_environment, run_lammps([found], LMP_SCRIPT, environ))


def lammps_error(output: str) -> str | None:
    """Return the text after `ERROR:`, without LAMMPS's source line; None if there is none."""
    error = re.search(r"^ERROR(?: on proc \d+)?: *(.*?)(?: \(\S+:\d+\))?$", output, re.MULTILINE)
    return error.group(1) if error else None


def runs_nnp(output: str) -> bool:
    """Return whether nnpal's library was loaded: nothing else reports `ABSENT_MODEL`."""
    error = lammps_error(output) or ""
    return error.startswith("pair_style nnp:") and ABSENT_MODEL in error


def banner_version(output: str) -> int | None:
    """Convert the banner `LAMMPS (22 Jul 2025 - Update 4)` to 20250722."""
    banner = re.search(r"LAMMPS \((\d{1,2} [A-Z][a-z]{2} \d{4})", output)
    if banner is None:
        return None
    return int(datetime.strptime(banner.group(1), "%d %b %Y").strftime("%Y%m%d"))


def check_pair_style(lmp: Lmp | None, scripts: Path, plugin: Path | None) -> Check:
    """Check that `lmp` runs `pair_style nnp`; if not, report the reason.

    This explains LAMMPS's `ERROR: Unrecognized pair style 'nnp'`.
    """
    name = "lmp: pair_style nnp"
    if lmp is None:
        cure = f"activate the environment (PATH needs {scripts}), or pip install lammps mpich"
        return Check(name, "fail", "no lmp on PATH", cure)
    if runs_nnp(lmp.outcome.output):
        return Check(name, "ok", f"{lmp.path} runs it")
    reason, cure = _why_not(lmp, scripts, plugin)
    return Check(name, "fail", f"{lmp.path} does not run it: {reason}", cure)


def _why_not(lmp: Lmp, scripts: Path, plugin: Path | None) -> tuple[str, str]:
    output = lmp.outcome.output
    error = lammps_error(output)
    if error is None:
        return _why_silent(lmp, scripts)
    if lmp.lacks_plugin_package:
        return (
            "this LAMMPS was compiled without the PLUGIN package (as Debian's is)",
            f"use {scripts / 'lmp'}, or compile LAMMPS with -D PKG_PLUGIN=yes",
        )
    rebuild = lmp.rebuild
    if error.startswith("pair_style nnp:"):
        return error, REINSTALL if "--force-reinstall" in error else rebuild  # as the plugin's message says
    failed = re.search(r"^Open of file (\S*nnp\S*) failed: *(.*)$", output, re.MULTILINE)
    if failed:
        reason = failed.group(2) + _why_undefined(failed.group(2))
        return f"opening {failed.group(1)} failed: {reason}", rebuild
    if plugin is None:
        return "nnpal's plugin is not compiled", FIRST_INSTALL
    if not lmp.of_environment:
        return (
            f"it is another LAMMPS than {scripts / 'lmp'} and does not know nnpal's plugin",
            f"put {scripts} first on PATH; to use this LAMMPS, {build_for(lmp.path)}; if it is this LAMMPS's version "
            f"and MPI that nnpal was installed for, export LAMMPS_PLUGIN_PATH={plugin}",
        )
    loaded = re.search(r"^Loaded \d+ plugins from.*$", output, re.MULTILINE)
    said = loaded.group(0) if loaded else "it was told of no plugin folder"
    return said, REINSTALL


def _why_undefined(reason: str) -> str:
    """Explain an undefined symbol of Open MPI; return "" for any other reason."""
    symbol = re.search(r"undefined symbol: (\w+)", reason)
    if symbol is None:
        return ""
    if symbol[1].startswith("_ZN3MPI"):
        return " (the C++ bindings of Open MPI, which LAMMPS does not load: an earlier nnpal compiled the plugin)"
    if symbol[1].startswith("ompi_"):
        return " (the plugin was compiled with Open MPI's headers, and this LAMMPS runs on another MPI)"
    return ""


def check_plugin_file(lmp: Lmp | None) -> list[Check]:
    """Report which plugin file `lmp` loads and what it was built with."""
    if lmp is None or lmp.plugin_file is None:
        return []
    return [Check("lmp: plugin file", "ok", str(lmp.plugin_file))]


def _why_silent(lmp: Lmp, scripts: Path) -> tuple[str, str]:
    """Explain an `lmp` that ended before LAMMPS printed an error."""
    output = lmp.outcome.output
    reason = lmp.outcome.last_line
    if "libmpi" in output:
        return reason, "pip install mpich, and start LAMMPS with its lmp command"
    if not lmp.of_environment:
        return reason, f"put {scripts} first on PATH"
    return reason, f"if the reason above names nnpal, {REINSTALL}; else reinstall lammps and mpich"


def check_python_driven(outcome: Outcome) -> Check:
    """Check LAMMPS inside Python by the output of `PYTHON_PROGRAM`."""
    name = "Python: pair_style nnp"
    if runs_nnp(outcome.output):
        return Check(name, "ok", "lammps.lammps() runs it")
    if "libmpi" in outcome.output:
        cure = "import mpi4py.MPI before lammps; pip install mpich mpi4py"
        return Check(name, "fail", outcome.last_line, cure)
    error = lammps_error(outcome.output)
    if error is not None:
        return Check(name, "fail", error, "fix the faults above first; they cause this one")
    return Check(name, "fail", outcome.last_line, "pip install lammps mpich mpi4py")


def ask_python(python: str, environ: Mapping[str, str]) -> Outcome:
    """Start LAMMPS inside Python in a separate process."""
    return run([python, "-c", PYTHON_PROGRAM], environ)
