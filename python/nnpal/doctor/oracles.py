"""Report which programs and packages for labels are installed."""

from __future__ import annotations

import shutil
from collections.abc import Mapping

from nnpal.doctor.outcome import Check
from nnpal.doctor.packages import installed_version

PACKAGES = {"tblite (xTB)": "tblite", "PySCF": "pyscf"}
COMMANDS = {
    "DFTB+": ("dftb+",),
    "ORCA": ("orca",),
    "Quantum ESPRESSO": ("pw.x",),
    "CP2K": ("cp2k_shell", "cp2k_shell.psmp", "cp2k_shell.ssmp", "cp2k.psmp", "cp2k"),
}


def check_oracles(environ: Mapping[str, str]) -> list[Check]:
    """List available and missing oracles; LAMMPS's potentials need none of them."""
    path = environ.get("PATH", "")
    here = [f"{name} {version}" for name, package in PACKAGES.items() if (version := installed_version(package))]
    for name, commands in COMMANDS.items():
        found = next((place for command in commands if (place := shutil.which(command, path=path))), None)
        if found:
            here.append(f"{name} {found}")
    absent = [name for name in (*PACKAGES, *COMMANDS) if not any(one.startswith(name) for one in here)]
    detail = f"here: {', '.join(here) or 'none'}; not here: {', '.join(absent) or 'none'}"
    if installed_version("tblite") is None:
        return [Check("oracles", "warn", detail, "pip install tblite, for GFN1-xTB and GFN2-xTB labels and the demo")]
    return [Check("oracles", "ok", detail)]
