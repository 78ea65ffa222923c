"""Short shell scripts in place of pw.x, cp2k and orca, for tests of how nnpal runs them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nnpal.label import CalculatorOracle

PW = "Program PWSCF v.9.9 starts"
ESPRESSO = "ase.calculators.espresso:Espresso"


def program(folder: Path, name: str, lines: str) -> str:
    """Write a shell script that runs ``lines`` and return its path."""
    path = folder / name
    path.write_text(f"#!/bin/sh\n{lines}\n")
    path.chmod(0o755)
    return str(path)


def espresso(folder: Path, lines: str = f"echo {PW}", *, content: str = "pseudo", **options: Any) -> CalculatorOracle:
    """Return a Quantum ESPRESSO oracle with a stub for pw.x and a pseudopotential file with this content."""
    (folder / "pseudo").mkdir(exist_ok=True)
    (folder / "pseudo" / "Al.UPF").write_text(content)
    profile = {"command": program(folder, "pw.x", lines), "pseudo_dir": "{folder}/pseudo"}
    given = {"pseudopotentials": {"Al": "Al.UPF"}, **options}
    return CalculatorOracle(ESPRESSO, given, profile=profile, folder=folder)
