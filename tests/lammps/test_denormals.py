"""Denormal numbers in pair_style nnp: the kernel of torch's own operations flushes them, in LAMMPS and Python."""

from __future__ import annotations

import pytest
import torch

from broken_models import write_with_denormal
from lmp_runner import Lmp
from lmp_systems import fcc
from nnpal.model import ModelFileError, load_model
from nnpal.model.ops import load_ops


@pytest.mark.parametrize("n_threads", [1, 2])
def test_kernel_torchani_in_lammps(lmp: Lmp, n_threads: int) -> None:
    """A model whose self-check fails where they are not flushed, since its energies are then 0.01 eV an atom off."""
    fcc("Al", 4.05, 2).write(lmp.folder / "data")
    model = write_with_denormal(lmp.folder / "denormal.nnp.pt")
    lmp(f"units metal\nread_data data\npair_style nnp {model} threads {n_threads}\npair_coeff * * Al\nrun 0\n")


def test_kernel_torchani_in_python(lmp: Lmp) -> None:
    path = write_with_denormal(lmp.folder / "denormal.nnp.pt")
    load_model(path)
    load_ops()
    torch.ops.nnpal.keep_denormals(True)
    try:
        with pytest.raises(ModelFileError, match="differ"):
            load_model(path)
    finally:
        torch.ops.nnpal.keep_denormals(False)
