"""Model files on every instruction set that the processor has: float32 against float64, and the user's choice."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from ase.build import bulk

from nnpal import _core
from nnpal.geometry.edges import Edges, atoms_edges
from nnpal.model import export_ensemble
from nnpal.model.build import build_member, build_model
from nnpal.model.core_model import CoreModel, load_core_model
from nnpal.model.description import NetworkDescription

SETS = _core.instruction_sets()
# Blocks of 64 atoms; below 13 atoms of an element the loops run over features, and tiles are used above 16
SIZES = (13, 32, 47, 64, 150)
# Of the largest number; sums have some hundred terms
ROUNDING = 5e-6


@pytest.fixture(params=SETS)
def instruction_set(request: pytest.FixtureRequest) -> Iterator[str]:
    _core.use_instruction_set(request.param)
    yield request.param
    _core.use_instruction_set(SETS[0])


def edges_of(n_atoms: int, cutoff: float, symbols: tuple[str, ...] = ("Ni",)) -> Edges:
    atoms = bulk("Ni", cubic=True).repeat(4)[:n_atoms]
    atoms.rattle(0.08, seed=n_atoms)
    return atoms_edges(atoms, symbols, cutoff, model="test")


def write(
    path: Path, hidden: tuple[int, ...], activation: str, spread: float = 0.0, symbols: tuple[str, ...] = ("Ni",)
) -> Path:
    """Write a model of two members; rows and columns of weights differ by up to 10^``spread`` in size."""
    description = NetworkDescription(symbols=symbols, hidden=hidden, activation=activation)
    members = [build_member(description, seed) for seed in range(2)]
    generator = torch.Generator().manual_seed(1)
    for member in members:
        for weight in [one for one in member.parameters() if one.ndim == 2]:
            for shape in ((len(weight), 1), (1, weight.shape[1])):
                weight.data *= 10 ** (spread * (torch.rand(shape, generator=generator) - 1))
    return export_ensemble(
        build_model(description, members, self_energies=[0.0] * len(symbols)), path, dtype=torch.float32
    )


def both(path: Path) -> tuple[CoreModel, CoreModel]:
    single, double = (load_core_model(path, dtype=dtype) for dtype in ("float32", "float64"))
    assert single is not None
    assert double is not None
    return single, double


@pytest.mark.parametrize("activation", ["gelu", "celu"])
@pytest.mark.parametrize("hidden", [(224, 192, 160), (33, 17), (7,), (16, 32, 64)], ids=str)
def test_float32_is_float64_but_for_rounding(
    instruction_set: str, hidden: tuple[int, ...], activation: str, tmp_path: Path
) -> None:
    single, double = both(write(tmp_path / "ni.nnp.pt", hidden, activation))
    for n_atoms in SIZES:
        edges = edges_of(n_atoms, single.metadata.cutoff)
        for found, expected in zip(
            single.energies_and_gradients(edges, of_members=True),
            double.energies_and_gradients(edges, of_members=True),
            strict=True,
        ):
            np.testing.assert_allclose(found, expected, rtol=0, atol=ROUNDING * np.abs(expected).max())


def test_weights_of_different_sizes(instruction_set: str, tmp_path: Path) -> None:
    """Rows and columns of weights that differ by up to four decades each."""
    single, double = both(write(tmp_path / "ni.nnp.pt", (64, 48), "gelu", spread=4.0))
    edges = edges_of(64, single.metadata.cutoff)
    found, expected = (model.energies_and_gradients(edges, of_members=False)[1] for model in (single, double))
    np.testing.assert_allclose(found, expected, rtol=0, atol=ROUNDING * np.abs(expected).max())


@pytest.mark.skipif("amx" not in SETS, reason="needs a processor with AMX's tiles for bfloat16")
def test_tiles_are_as_precise_as_vectors(tmp_path: Path) -> None:
    """Three bfloat16 numbers for each float32 number: errors like those of AVX-512, and not the same numbers."""
    single, double = both(write(tmp_path / "ni.nnp.pt", (224, 192, 160), "gelu"))
    edges = edges_of(150, single.metadata.cutoff)
    expected = double.energies_and_gradients(edges, of_members=True)[1]
    found = {}
    for name in ("amx", "avx512"):
        _core.use_instruction_set(name)
        found[name] = single.energies_and_gradients(edges, of_members=True)[1]
    _core.use_instruction_set(SETS[0])
    error = {name: np.sqrt(np.square(one - expected).mean()) for name, one in found.items()}
    assert error["amx"] < 1.5 * error["avx512"]
    assert not np.array_equal(found["amx"], found["avx512"])


@pytest.mark.skipif("amx" not in SETS, reason="needs a processor with AMX's tiles for bfloat16")
@pytest.mark.parametrize(("symbols", "n_atoms"), [(("Ni",), 16), (("Ni", "Nb"), 64)], ids=["few", "absent element"])
def test_vectors_are_used_where_tiles_are_slower(symbols: tuple[str, ...], n_atoms: int, tmp_path: Path) -> None:
    single, _ = both(write(tmp_path / "ni.nnp.pt", (64, 48), "gelu", symbols=symbols))
    edges = edges_of(n_atoms, single.metadata.cutoff, symbols)
    expected = single.energies_and_gradients(edges, of_members=True)[1]
    _core.use_instruction_set("avx512")
    found = single.energies_and_gradients(edges, of_members=True)[1]
    _core.use_instruction_set(SETS[0])
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("loads", ["model.core_model import load_core_model", "model import load_model"])
def test_the_users_choice(loads: str, tmp_path: Path) -> None:
    path = write(tmp_path / "ni.nnp.pt", (16,), "gelu")
    script = f"from nnpal.{loads} as load; load({str(path)!r}); print('loaded')"

    def run(name: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "NNPAL_INSTRUCTION_SET": name}
        return subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True)

    assert run("baseline").stdout == "loaded\n"
    known = ", ".join(SETS)
    assert f"ValueError: NNPAL_INSTRUCTION_SET is 'mmx', expected one of {known}\n" in run("mmx").stderr
