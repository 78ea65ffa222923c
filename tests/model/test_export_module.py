"""Custom modules as model files: sound ones give their own numbers, others are refused with the reason."""

from __future__ import annotations

import copy
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from ase import Atoms, units
from ase.build import bulk
from torch import Tensor

from custom_modules import Embedded, Pairs
from nnpal import NNPCalculator, export_module, load_model
from nnpal.geometry.neighbor_graph import atoms_graph
from nnpal.model import ModelFileError
from nnpal.model.module_checks import ModuleCheckError

CUTOFF = 4.0
OF_PAIRS: dict[str, Any] = {"elements": ["Ni", "Nb"], "cutoff": CUTOFF}


def crystal() -> Atoms:
    atoms = bulk("Ni", cubic=True)
    atoms.symbols[1] = "Nb"
    atoms.rattle(0.1, seed=1)
    return atoms


@pytest.mark.parametrize("hops", [1, 2])
def test_a_file_gives_the_numbers_of_its_modules(hops: int, tmp_path: Path) -> None:
    """Energies, forces and stress of members of different kinds, in their unit, with self-energies."""
    members = [Pairs(2, CUTOFF, rounds=hops, seed=1), Pairs(2, CUTOFF, rounds=1, seed=2), Embedded(CUTOFF)]
    before = [copy.deepcopy(member.state_dict()) for member in members]
    alone = {"Nb": -7.0, "Ni": -3.0}
    path = export_module(
        members,
        tmp_path / "m.pt",
        **OF_PAIRS,
        hops=hops,
        energy_unit="kcal/mol",
        self_energies=alone,
        provenance={"a": 1},
    )
    atoms = crystal()
    graph = atoms_graph(atoms, ["Ni", "Nb"], CUTOFF, model="m")
    expected = []
    for member in members:
        energies = copy.deepcopy(member).double()(graph.species, 4, graph.edge_index, graph.edge_vec)
        expected.append(
            (energies.detach() + torch.tensor([-3.0, -7.0])[graph.species]).numpy() * units.kcal / units.mol
        )
    atoms.calc = NNPCalculator(path, dtype=torch.float64)
    np.testing.assert_allclose(atoms.get_potential_energies(), np.mean(expected, 0), rtol=0, atol=1e-12)
    np.testing.assert_allclose(atoms.calc.get_property("uq_energy", atoms), np.std(expected, 0), rtol=0, atol=1e-12)
    step = 1e-4  # Å; the third derivative leaves 1e-9 eV/Å
    moved = []
    for sign in (1, -1):
        other = atoms.copy()
        other.positions[2, 1] += sign * step
        other.calc = atoms.calc
        moved.append(other.get_potential_energy())
    assert atoms.get_forces()[2, 1] == pytest.approx((moved[1] - moved[0]) / (2 * step), abs=1e-7)

    metadata = load_model(path).metadata
    assert (metadata.hops, metadata.kind, metadata.kernel, metadata.n_members) == (hops, "module", "modules", 3)
    assert metadata.provenance["a"] == 1
    assert 0 < metadata.provenance["checks"]["derivative"] < 1e-5
    for member, state in zip(members, before, strict=True):
        assert member.training
        for name, value in member.named_parameters():
            assert value.requires_grad
            assert value.dtype == torch.float32
            assert torch.equal(value, state[name])


def test_one_module_in_double_precision(tmp_path: Path) -> None:
    path = export_module(Embedded(CUTOFF).double(), tmp_path / "m.pt", **OF_PAIRS)
    metadata = load_model(path).metadata
    assert (metadata.n_members, metadata.dtype) == (1, "float64")
    assert load_model(export_module(Embedded(CUTOFF), tmp_path / "m.pt", **OF_PAIRS)).metadata.dtype == "float32"


def test_a_compiled_module(tmp_path: Path) -> None:
    scripted = torch.jit.script(Pairs(2, CUTOFF))
    path = export_module(scripted, tmp_path / "m.pt", **OF_PAIRS)
    assert load_model(path).metadata.n_members == 1
    assert scripted.training


class NotScriptable(Embedded):
    def forward(self, species, n_local: int, edge_index, edge_vec):  # type: ignore[no-untyped-def]
        return torch.from_numpy(np.array(species))


class OfPositions(torch.nn.Module):
    def forward(self, species: Tensor, positions: Tensor) -> Tensor:
        return positions[:, 0] + species


def nan_weights() -> Pairs:
    module = Pairs(2, CUTOFF)
    with torch.no_grad():
        module.weights[1] = math.nan
    return module


def two_precisions() -> list[Embedded]:
    return [Embedded(CUTOFF), Embedded(CUTOFF).double()]


REFUSED: dict[str, tuple[Any, dict[str, Any], type[Exception], str]] = {
    "no module": ([], {}, ValueError, "modules is empty"),
    "something else": ([Embedded(CUTOFF), "x.pt"], {}, TypeError, r"modules\[1\] is a str"),
    "not scriptable": (
        NotScriptable(CUTOFF),
        {},
        ValueError,
        r"NotScriptable cannot be compiled .*np",
    ),
    "other arguments": (OfPositions(), {}, ValueError, r"forward\(Tensor, Tensor\) -> Tensor, expected forward"),
    "nan": ([Embedded(CUTOFF), nan_weights()], {}, ModuleCheckError, r"member 1 \(Pairs\) fails .* not finite"),
    "precisions": (two_precisions(), {}, ValueError, "weights in .*float32.*float64.*; give dtype"),
    "dtype": (Embedded(CUTOFF), {"dtype": torch.float16}, ValueError, "dtype is torch.float16"),
    "elements as a text": (Embedded(CUTOFF), {"elements": "NiNb"}, ValueError, "the text 'NiNb'"),
    "no elements": (Embedded(CUTOFF), {"elements": []}, ValueError, "elements is empty"),
    "unknown element": (Embedded(CUTOFF), {"elements": ["Ni", "Xx"]}, ValueError, "holds 'Xx'"),
    "no element": (Embedded(CUTOFF), {"elements": ["X"]}, ValueError, "holds 'X'"),
    "element twice": (Embedded(CUTOFF), {"elements": ["Ni", "Nb", "Ni"]}, ValueError, "'Ni' twice"),
    "cutoff 0": (Embedded(CUTOFF), {"cutoff": 0.0}, ValueError, "cutoff is 0.0, expected"),
    "cutoff as a text": (Embedded(CUTOFF), {"cutoff": "4.0"}, ValueError, "cutoff is '4.0', expected a length"),
    "cutoff nan": (Embedded(CUTOFF), {"cutoff": math.nan}, ValueError, "cutoff is nan"),
    "hops 0": (Embedded(CUTOFF), {"hops": 0}, ValueError, "hops is 0, expected a whole number"),
    "hops 17": (Embedded(CUTOFF), {"hops": 17}, ValueError, "hops is 17, expected .* to 16"),
    "hops 1.5": (Embedded(CUTOFF), {"hops": 1.5}, ValueError, "hops is 1.5"),
    "unit": (Embedded(CUTOFF), {"energy_unit": "kcal"}, ValueError, "kcal"),
    "kind": (Embedded(CUTOFF), {"kind": "mine"}, ValueError, "kind is 'mine', expected one of"),
    "self-energies lack": (Embedded(CUTOFF), {"self_energies": {"Ni": 0.0}}, ValueError, "self_energies lacks Nb"),
    "self-energies hold": (
        Embedded(CUTOFF),
        {"self_energies": {"Ni": 0.0, "Nb": 0.0, "Al": 0.0}},
        ValueError,
        "self_energies holds Al",
    ),
    "self-energies nan": (
        Embedded(CUTOFF),
        {"self_energies": {"Ni": 0.0, "Nb": math.inf}},
        ValueError,
        "self_energies of Nb is inf",
    ),
    "self-energies as texts": (
        Embedded(CUTOFF),
        {"self_energies": {"Ni": 0.0, "Nb": "1"}},
        ValueError,
        "self_energies of Nb is '1', expected a finite number",
    ),
    "wrapper": (
        [Embedded(CUTOFF), torch.nn.DataParallel(Embedded(CUTOFF))],
        {},
        ValueError,
        r"member 1 \(DataParallel\) is a wrapper .* its attribute module",
    ),
    "lazy": (torch.nn.LazyLinear(1), {}, ValueError, "LazyLinear holds weights without a shape .* call it once"),
    "provenance": (Embedded(CUTOFF), {"provenance": {"a": object()}}, TypeError, "provenance does not fit into JSON"),
    "more elements than it knows": (
        Pairs(1, CUTOFF),
        {},
        ModuleCheckError,
        r"check of its answer: for \d+ atoms.*raises .*index 1.*more elements than the module knows",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_bad_arguments(case: str, tmp_path: Path) -> None:
    modules, changed, error, message = REFUSED[case]
    with pytest.raises(error, match=message):
        export_module(modules, tmp_path / "m.pt", **{**OF_PAIRS, **changed})
    assert not list(tmp_path.iterdir())


def test_a_class_without_a_file(tmp_path: Path) -> None:
    """TorchScript reads the source."""
    names: dict[str, Any] = {"torch": torch, "__name__": "typed"}
    exec(
        "class Typed(torch.nn.Module):\n    def forward(self, x: torch.Tensor) -> torch.Tensor:\n        return x\n",
        names,
    )
    with pytest.raises(ValueError, match=r"Typed cannot be compiled.*must be in a file"):
        export_module(names["Typed"](), tmp_path / "m.pt", **OF_PAIRS)


class Greek(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.σ = 2.0

    def forward(self, species: Tensor, n_local: int, edge_index: Tensor, edge_vec: Tensor) -> Tensor:
        return self.σ * edge_vec.sum() * torch.ones(n_local, dtype=edge_vec.dtype)


def test_names_that_torchscript_writes_and_cannot_read(tmp_path: Path) -> None:
    with pytest.raises(
        ValueError, match=r"Greek: TorchScript writes it .* cannot read it back.*names of ASCII letters"
    ):
        export_module(Greek(), tmp_path / "m.pt", **OF_PAIRS)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"folder .*nowhere does not exist"):
        export_module(Embedded(CUTOFF), tmp_path / "nowhere" / "m.pt", **OF_PAIRS)


FAULTS = {
    "changes its input": "answer.*changes species",
    "changes edge vectors": r"answer.*changes edge_vec; .*clone\(\) first",
    "works in place": r"answer.*raises .*in-place.*edge_vec changed in place \(clone\(\) first\)",
    "makes float32": "answer.*in float64 it (raises|gives).*dtype",
    "gives all atoms": r"answer.*1 of them centers.*return energies\[:n_local\]",
    "gives columns": r"answer.*shape \(\d+, 1\), expected one torch.float64",
    "divides by neighbors": "answer.*2 of them centers, and 0 edges.*not finite.*division by the number of neighbors",
    "is constant": "derivative.*no way from the energies back to edge_vec",
    "drops": "repetition.*dropout",
    "detaches": "derivative.*eV/Å.*detach",
    "rounds": "derivative.*eV/Å.*float32 inside",
    "sees direction": "rotation.*components of edge_vec",
    "sees chirality": "inversion.*odd number of vectors",
    "uses indices": "order of atoms.*index",
    "counts places": "order of edges.*place in the list",
    "subtracts the mean": "extensivity.*mean",
    "keeps one edge of a pair": "periodic images.*pair of atoms",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_modules_that_do_not_keep_the_contract(fault: str, tmp_path: Path) -> None:
    module = Pairs(2, CUTOFF, fault=fault)
    with pytest.raises(ModuleCheckError, match=f"(?s)Pairs fails the check of its {FAULTS[fault]}"):
        export_module(module, tmp_path / "m.pt", **OF_PAIRS)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("rounds", "hops"), [(2, 1), (3, 2), (4, 2)])
def test_more_rounds_than_hops(rounds: int, hops: int, tmp_path: Path) -> None:
    """What would be wrong in LAMMPS alone, and there only where a rank's edges end."""
    with pytest.raises(ModuleCheckError, match=f"check of its halo.*more message-passing steps than hops={hops}"):
        export_module(Pairs(2, CUTOFF, rounds=rounds), tmp_path / "m.pt", **OF_PAIRS, hops=hops)
    assert export_module(Pairs(2, CUTOFF, rounds=rounds), tmp_path / "m.pt", **OF_PAIRS, hops=rounds).exists()


@pytest.mark.parametrize(
    ("fault", "hops", "message"),
    [
        ("steps", 1, r"energy jumps by 0\.\d+ eV where a pair of atoms crosses the cutoff of 4.0 Å"),
        ("kinks", 1, r"forces jump by 0\.\d+ eV/Å where a pair"),
        ("", 2, r"need no more than hops=1, and hops=2 costs time"),
    ],
)
def test_what_is_warned_of(fault: str, hops: int, message: str, tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match=message):
        export_module(Pairs(2, CUTOFF, fault=fault), tmp_path / "m.pt", **OF_PAIRS, hops=hops)


def test_numbers_that_cancel(tmp_path: Path) -> None:
    """The warning comes before the loader refuses what single precision gives."""
    module = Pairs(2, CUTOFF, fault="cancels")
    with (
        pytest.warns(UserWarning, match="energies in float32 differ.*give dtype=torch.float64"),
        pytest.raises(ModelFileError, match="the new file cannot be loaded in float32"),
    ):
        export_module(module, tmp_path / "m.pt", **OF_PAIRS)
    with pytest.warns(UserWarning, match="energies in float32 differ"):
        assert export_module(module, tmp_path / "m.pt", **OF_PAIRS, dtype=torch.float64).exists()
