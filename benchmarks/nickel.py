"""Systems and model of the benchmarks: thermal nickel crystals and an ensemble of networks.

The networks have random weights, which does not affect their speed. Lengths in Å, energies in eV.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from nnpal.model import export_ensemble
from nnpal.model.build import build_member, build_model
from nnpal.model.description import NetworkDescription

LATTICE = 3.52
MASS = 58.693
TEMPERATURE = 600.0  # K
DISPLACEMENT = 0.09  # Å, RMS displacement of each component in nickel near 600 K
CELLS = {4 * n**3: (n, n, n) for n in (2, 3, 4, 6, 8, 10, 14, 20, 30)}  # atoms -> cubic cells along each edge
CELLS[8000] = (20, 10, 10)  # twice the crystal of 4000 atoms, for two ranks
N_MEMBERS = 5
HIDDEN = (224, 192, 160)
AEV_LENGTH = 54


def positions_and_edges(n_atoms: int) -> tuple[np.ndarray, np.ndarray]:
    """Return positions with thermal displacements, [n_atoms, 3], and the edges of the box, [3]."""
    n_cells = np.array(CELLS[n_atoms])
    basis = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
    corners = np.stack(np.meshgrid(*map(np.arange, n_cells), indexing="ij"), -1).reshape(-1, 1, 3)
    perfect = LATTICE * (corners + basis).reshape(-1, 3)
    rng = np.random.default_rng(n_atoms)
    edges = LATTICE * n_cells
    return (perfect + rng.normal(0, DISPLACEMENT, perfect.shape)) % edges, edges


def write_data(path: Path, n_atoms: int) -> None:
    """Write the crystal as a LAMMPS data file with all digits."""
    positions, edges = positions_and_edges(n_atoms)
    lines = ["nickel", "", f"{n_atoms} atoms", "1 atom types", ""]
    lines += [f"0 {edge:.17g} {axis}lo {axis}hi" for axis, edge in zip("xyz", edges, strict=True)]
    lines += ["", "Masses", "", f"1 {MASS}", "", "Atoms # atomic", ""]
    for i, (x, y, z) in enumerate(positions):
        lines.append(f"{i + 1} 1 {x:.17g} {y:.17g} {z:.17g}")
    path.write_text("\n".join(lines) + "\n")


def build_ensemble(n_members: int = N_MEMBERS) -> torch.nn.Module:
    """Return the model as TorchANI modules, float32, without nnpal's export; its members are the first `n_members`."""
    description = NetworkDescription(symbols=("Ni",), hidden=HIDDEN)
    members = [build_member(description, seed) for seed in range(n_members)]
    model = build_model(description, members, self_energies=[0.0])
    return model.requires_grad_(False)


def export(model: torch.nn.Module, path: Path, kernel: str = "fused") -> Path:
    return export_ensemble(model, path, kernel=kernel, dtype=torch.float32)
