"""Compiled model files in `pair_style nnp`: TorchScript's numbers, or a clear error before the program runs."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from compiled_files import NOT_HERE, Passing, passing_model, with_program
from lmp_runner import Lmp
from lmp_single_point import single_point
from lmp_systems import System, fcc
from nnpal.model import ModelFileError, compile_model, load_model
from nnpal.model.archive import read_module
from nnpal.model.compiled.record import PACKAGE
from torchani_reference import ExportedModel

PRECISION = r"compiled for CPUs and float64: use device cpu and precision double, or the file that it was compiled from"


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> ExportedModel:
    path = passing_model(tmp_path_factory.mktemp("plain") / "al.nnp.pt")
    return ExportedModel(path, torch.nn.Identity(), ("Al",), 3)


def script_with(lmp: Lmp, model: Path, options: str = "") -> str:
    fcc("Al", 4.05, 2).write(lmp.folder / "data")
    return f"units metal\nread_data data\npair_style nnp {model} {options}\npair_coeff * * Al\nrun 0\n"


@pytest.mark.parametrize("case", ["torch", "processor", "key", "weights", "package"])
def test_files_for_elsewhere(plain: ExportedModel, lmp: Lmp, case: str) -> None:
    changes, message = NOT_HERE[case]
    path = with_program(plain.path, lmp.folder / "al.nnp.pt2", **changes)
    lmp.expect_error(script_with(lmp, path), rf"pair_style nnp: model .*al\.nnp\.pt2: .*{message}", ranks=(2,))


@pytest.mark.slow  # about a minute and a half: the C++ compiler's
def test_equal_to_torchscript(plain: ExportedModel, lmp: Lmp) -> None:
    path = compile_model(plain.path, lmp.folder / "al.nnp.pt2", module=Passing(1, 3.6, 2, 7))
    compiled = dataclasses.replace(plain, path=path)
    bulk = fcc("Al", 4.05, 3)
    alone = System(bulk.elements, bulk.types[:1], bulk.positions[:1], bulk.cell)
    for system, options, n_ranks in (
        (bulk, "precision double", 1),
        (bulk, "precision double", 2),
        (bulk, "members 2 device cpu", 1),
        (alone, "precision double", 1),  # no edges: evaluated by TorchScript
    ):
        a, b = (single_point(lmp, model, system, options=options, n_ranks=n_ranks) for model in (plain, compiled))
        for name in ("energy", "virial", "summary", "forces", "atomic_energies", "uq_energy", "uq_force"):
            x, y = np.asarray(getattr(a, name)), np.asarray(getattr(b, name))
            np.testing.assert_allclose(y, x, rtol=1e-10, atol=1e-10 * max(1e-3, np.abs(x).max()), err_msg=name)
    lmp.expect_error(script_with(lmp, path, "precision single"), PRECISION, ranks=(2,))
    # It is the program that runs: that of a module with another cutoff, and weights of the same shapes, is found out
    other = passing_model(lmp.folder / "other.nnp.pt", cutoff=3.5)
    wrong = with_program(other, lmp.folder / "other.nnp.pt2", package=read_module(path)[2][PACKAGE])
    lmp.expect_error(script_with(lmp, wrong), r"other\.nnp\.pt2: its self-check fails", ranks=(1,))
    with pytest.raises(ModelFileError, match="self-check fails"):
        load_model(wrong)
