"""Texts for messages: how to give what a file does not state, in a configuration file, to `nnpal data`, in Python."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


def units(path: object, energy: str, length: str) -> str:
    """Return a hint how to give the units of energy and length of a file."""
    return (
        f'give them, e.g. {{ path = "{Path(str(path)).name}", units = "{energy} {length}" }} in a configuration file, '
        f"nnpal data convert --energy-unit {energy} --length-unit {length}, "
        f"nnpal evaluate --units '{energy} {length}', or units=Units('{energy}', '{length}') in Python"
    )


def unit_style(path: object) -> str:
    """Return a hint how to give the unit style of the LAMMPS run that wrote a file."""
    return (
        "give the unit style of the LAMMPS run, e.g. "
        f'{{ path = "{Path(str(path)).name}", units = "metal" }} in a configuration file, '
        "nnpal data convert --lammps-units metal, nnpal evaluate --units metal, "
        "or units=Units.lammps('metal') in Python"
    )


STRUCTURES = "read structures without labels (labeled=False in Python, nnpal data convert --structures)"


def symbols(names: Sequence[str]) -> str:
    """Return a hint how to give symbols, e.g. `Ni Al` or `hc=H`."""
    toml = ", ".join(f'"{name}"' for name in names)
    return f"symbols = [{toml}] in a configuration file or in Python, nnpal data convert --symbols {','.join(names)}"
