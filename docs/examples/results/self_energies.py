"""Tables S4 and S5: the self-energy of one element that minimizes the MAE of a labeled set, in Hartree.

python self_energies.py NAME=SET NAME=SET ...
"""

from __future__ import annotations

import sys

import numpy as np
from ase.units import Hartree

from nnpal.data import read_frames
from nnpal.training.self_energies import fit_self_energies


def row(name: str, path: str) -> str:
    """Return a line of the table: the self-energy beside the mean energy per atom."""
    frames = read_frames(path)
    (symbol,) = {symbol for frame in frames for symbol in frame.get_chemical_symbols()}
    n_atoms = np.array([[len(frame)] for frame in frames])
    energies = np.array([frame.get_potential_energy() for frame in frames])
    (found,) = fit_self_energies(n_atoms, energies, [symbol])
    per_atom = energies / n_atoms[:, 0]
    return (
        f"| {name} | {symbol} | {len(frames):,} | {found / Hartree:.6f} | {found:.4f} | "
        f"{per_atom.mean():.4f} ± {per_atom.std():.4f} |"
    )


if __name__ == "__main__":
    print("| set | element | configurations | self-energy, Hartree | self-energy, eV | mean and SD of E/N, eV |")
    print("|---|---|---|---|---|---|")
    for argument in sys.argv[1:]:
        print(row(*argument.split("=", 1)))
