"""Small MACE models with random weights."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import torch
from ase import Atoms


def mace_model(
    seed: int,
    *,
    e0: tuple[float, float] | list[tuple[float, float]] = (-13.6, -1029.0),
    interactions: int = 2,
    cutoff: float = 4.0,
    atomic_numbers: tuple[int, int] = (1, 6),
    scaled: bool = True,
    repulsion: bool = False,
    heads: list[str] | None = None,
    dtype: str = "float64",
) -> torch.nn.Module:
    """Return a model of hydrogen and carbon, by default with scale and shift, 4 scalar and 4 vector features."""
    import mace.modules as modules
    from e3nn import o3  # after mace, which lets torch.load read e3nn's constants
    from mace.tools.torch_tools import default_dtype

    torch.manual_seed(seed)
    residual = modules.interaction_classes["RealAgnosticResidualInteractionBlock"]
    options = {
        "r_max": cutoff,
        "num_bessel": 4,
        "num_polynomial_cutoff": 5,
        "max_ell": 2,
        "interaction_cls": residual,
        "interaction_cls_first": residual,
        "num_interactions": interactions,
        "num_elements": 2,
        "hidden_irreps": o3.Irreps("4x0e + 4x1o"),
        "MLP_irreps": o3.Irreps("4x0e"),
        "atomic_energies": np.array(e0),
        "avg_num_neighbors": 6.0,
        "atomic_numbers": list(atomic_numbers),
        "correlation": 2,
        "gate": torch.nn.functional.silu,
        "pair_repulsion": repulsion,
        "heads": heads,
    }
    with default_dtype(dtype):
        if not scaled:
            return modules.MACE(**options)
        n = len(heads) if heads else 1
        scale, shift = ([0.7] * n, [0.3] * n) if heads else (0.7, 0.3)
        return modules.ScaleShiftMACE(atomic_inter_scale=scale, atomic_inter_shift=shift, **options)


def by_mace(models: list[torch.nn.Module], atoms: Atoms, **options: Any) -> dict[str, Any]:
    """Return the results of mace-torch's calculator, which freezes the given models."""
    from mace.calculators import MACECalculator

    atoms = atoms.copy()
    atoms.calc = MACECalculator(models=copy.deepcopy(models), default_dtype="float64", **options)
    atoms.get_potential_energy()
    return atoms.calc.results
