"""Models that cannot be exported: each refusal names the culprit, and no file is left behind."""

from __future__ import annotations

import errno
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torchani.aev import AEVComputer, ANIAngular, ANIRadial, Radial
from torchani.arch import ANI, ANIq, simple_aniq
from torchani.nn import ANINetworks, AtomicNetwork, Ensemble
from torchani.potentials import LennardJones, NNPotential, RepulsionXTB
from torchani.sae import SelfEnergy

import nnpal.model.fused_module as fused_module
from broken_files import record_bytes
from ensembles import (
    atomic_network,
    dispersive_ensemble,
    metal_aev_computer,
    one_element_ensemble,
    organic_ensemble,
    repulsive_ensemble,
)
from nnpal.model import ModelFileError, export_ensemble, load_model


class LinearRadial(Radial):
    """A radial term that is not ANI's."""

    tensors = ["scale"]  # noqa: RUF012 - as TorchANI declares it

    def compute(self, distances: torch.Tensor) -> torch.Tensor:
        return self.scale * distances


def with_two_repulsions() -> ANI:
    plain = organic_ensemble()
    potentials = {name: RepulsionXTB(plain.symbols, cutoff=5.1) for name in ("repulsion_xtb", "another")}
    parts = (plain.symbols, plain.aev_computer, plain.neural_networks, plain.energy_shifter)
    return ANI(*parts, potentials=potentials)


def with_lennard_jones() -> ANI:
    plain = one_element_ensemble("Ar")
    potentials = {"lj": LennardJones(("Ar",), eps=[0.01], sigma=[3.4], cutoff=6.0)}
    parts = (plain.symbols, plain.aev_computer, plain.neural_networks, plain.energy_shifter)
    return ANI(*parts, potentials=potentials)


def with_networks_in_another_order() -> ANI:
    """TorchANI evaluates atoms of H by the network of C, without a word."""
    plain = organic_ensemble(("H", "C"))
    member = plain.neural_networks.members[1]
    swapped = ANINetworks({symbol: member.atomics[symbol] for symbol in ("C", "H")})
    networks = Ensemble([plain.neural_networks.members[0], swapped])
    return ANI(plain.symbols, plain.aev_computer, networks, plain.energy_shifter)


def with_a_repulsion_of_other_elements() -> ANI:
    plain = organic_ensemble(("H", "C"))
    parts = (plain.symbols, plain.aev_computer, plain.neural_networks, plain.energy_shifter)
    return ANI(*parts, potentials={"repulsion_xtb": RepulsionXTB(("C", "H"), cutoff=5.1)})


def with_self_energies_of_other_elements() -> ANI:
    plain = organic_ensemble(("H", "C"))
    alone = SelfEnergy(("C", "H"), [-38.0, -0.5])
    return ANI(plain.symbols, plain.aev_computer, plain.neural_networks, alone)


def with_merged_charges() -> ANIq:
    return simple_aniq(("H", "C"), "wb97x-631gd", 2, merge_charge_networks=True, repulsion=False)


def with_a_term_of_its_own() -> ANI:
    standard = metal_aev_computer()
    computer = AEVComputer(LinearRadial(cutoff=6.9, scale=[1.0]), standard.angular, num_species=1)
    networks = ANINetworks({"Al": atomic_network((computer.out_dim, 8, 1), "gelu", scale=1.0)})
    return ANI(("Al",), computer, networks, SelfEnergy(("Al",), [0.0]))


class OtherAngular(ANIAngular):
    """Not ANI's own, though it looks so."""


def with_another_angular_term() -> ANI:
    model = one_element_ensemble()
    standard = model.aev_computer
    angular = OtherAngular(12.5, 14.1, [0.8], [0.4], 3.5)
    computer = AEVComputer(standard.radial, angular, num_species=1)
    return ANI(("Al",), computer, model.neural_networks, SelfEnergy(("Al",), [0.0]))


def with_nan() -> ANI:
    """What a diverged training leaves."""
    model = one_element_ensemble()
    with torch.no_grad():
        model.neural_networks.members[1].atomics["Al"].layers[0].weight[0, 0] = torch.nan
    return model


def without_active_members() -> ANI:
    model = one_element_ensemble()
    model.set_active_members([])
    return model


def for_inference() -> ANI:
    return organic_ensemble(activation="celu").to_infer_model()


def switched_off() -> ANI:
    model = one_element_ensemble()
    model.set_enabled("nnp", False)
    return model


def with_a_second_network() -> ANI:
    """TorchANI adds up both; a file holds one."""
    plain, other = one_element_ensemble(), one_element_ensemble(seed=1)
    second = NNPotential(other.aev_computer, other.neural_networks)
    return ANI(
        plain.symbols, plain.aev_computer, plain.neural_networks, plain.energy_shifter, potentials={"second": second}
    )


def with_two_outputs() -> ANI:
    computer = metal_aev_computer()
    networks = ANINetworks({"Al": AtomicNetwork((computer.out_dim, 8, 2), bias=True)})
    return ANI(("Al",), computer, networks, SelfEnergy(("Al",), [0.0]))


class Unscriptable(torch.nn.Module):
    """An activation that Python alone can evaluate."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.tanh(eval("x"))


def with_an_activation_of_python() -> ANI:
    model = one_element_ensemble()
    for member in model.neural_networks.members:
        member.atomics["Al"].activation = Unscriptable()
    return model


MODELS = {
    "a second network": (with_a_second_network, ValueError, r"potential 'second' \(NNPotential\).*set_enabled"),
    "two outputs": (with_two_outputs, ValueError, "gives 16 values for 8 atoms; expected networks with one output"),
    "not scriptable": (with_an_activation_of_python, ValueError, r"cannot be compiled by TorchScript \(.*eval"),
    "two repulsions": (
        with_two_repulsions,
        ValueError,
        r"potential 'another' \(RepulsionXTB\).*besides another one.*loses its repulsion at short.*set_enabled",
    ),
    "a dispersion without a cutoff": (
        lambda: dispersive_ensemble(cutoff=math.inf),
        ValueError,
        r"potential 'dispersion_d3' \(TwoBodyDispersionD3\) without a cutoff.*dispersion_cutoff=8\.0.*loses its D3 "
        r"dispersion.*dispersion/d3 of LAMMPS is a different model.*set_enabled\('dispersion_d3', False\) only if",
    ),
    "another potential": (
        with_lennard_jones,
        ValueError,
        r"potential 'lj' \(LennardJones\), which an exported file cannot hold; .*loses that part of its energy",
    ),
    "networks in another order": (
        with_networks_in_another_order,
        ValueError,
        "networks of member 1 are for C, H in this order, but its elements are H, C.*same symbols",
    ),
    "a repulsion of other elements": (
        with_a_repulsion_of_other_elements,
        ValueError,
        "potential 'repulsion_xtb' are for C, H in this order, but its elements are H, C",
    ),
    "self-energies of other elements": (with_self_energies_of_other_elements, ValueError, "self-energies are for C, H"),
    "charges of the same networks": (
        with_merged_charges,
        ValueError,
        "networks are in a MergedChargesNNPotential.*expected NNPotential, or SeparateChargesNNPotential",
    ),
    "another radial term": (with_a_term_of_its_own, ValueError, "radial terms are LinearRadial, expected ANIRadial"),
    "another angular term": (with_another_angular_term, ValueError, "angular terms are OtherAngular, expected ANIAng"),
    "nan among the weights": (with_nan, ValueError, "not finite on a cluster.*weights contain nan"),
    "no active members": (without_active_members, ValueError, r"no active members.*set_active_members"),
    "networks for inference": (for_inference, ValueError, r"networks are \w+, expected.*to_infer_model"),
    "networks switched off": (switched_off, ValueError, r"set_enabled\('nnp', True\)"),
    "no ANI model": (lambda: torch.nn.Linear(2, 1), TypeError, r"model is a Linear, expected torchani\.arch\.ANI"),
}


@pytest.mark.parametrize("name", MODELS)
def test_models_that_do_not_fit(name: str, tmp_path: Path) -> None:
    build, kind, message = MODELS[name]
    with pytest.raises(kind, match=message):
        export_ensemble(build(), tmp_path / "model.pt")
    assert list(tmp_path.iterdir()) == []


def test_a_potential_that_is_switched_off_is_no_obstacle(tmp_path: Path) -> None:
    model = repulsive_ensemble()
    model.set_enabled("repulsion_xtb", False)
    metadata = load_model(export_ensemble(model, tmp_path / "model.pt")).metadata
    assert (metadata.elements, metadata.pair_terms) == (["H", "C", "N", "O"], ())


ARGUMENTS: dict[str, tuple[dict[str, Any], str]] = {
    "kernel": ({"kernel": "fast"}, "kernel is 'fast', expected one of.*'fused', 'torchani'"),
    "energy_unit": ({"energy_unit": "kcal/mol"}, "energy_unit is 'kcal/mol', expected one of.*hartree.*ev"),
    "dtype": ({"dtype": torch.float16}, "dtype is torch.float16, expected torch.float32 or torch.float64"),
}


@pytest.mark.parametrize("name", ARGUMENTS)
def test_arguments_out_of_range(name: str, tmp_path: Path) -> None:
    arguments, message = ARGUMENTS[name]
    with pytest.raises(ValueError, match=message):
        export_ensemble(one_element_ensemble(), tmp_path / "model.pt", **arguments)
    assert list(tmp_path.iterdir()) == []


def test_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"folder .*nowhere does not exist"):
        export_ensemble(one_element_ensemble(), tmp_path / "nowhere" / "model.pt")


def test_a_failed_export_leaves_the_old_file(tmp_path: Path) -> None:
    path = export_ensemble(one_element_ensemble(), tmp_path / "model.pt")
    before = path.read_bytes()
    with pytest.raises(TypeError, match="provenance does not fit into JSON"):
        export_ensemble(one_element_ensemble(seed=1), path, provenance={"when": object()})
    with pytest.raises(ValueError, match="provenance does not fit into JSON"):
        export_ensemble(one_element_ensemble(seed=1), path, provenance={"loss": float("nan")})
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = export_ensemble(one_element_ensemble(), tmp_path / "model.pt")
    before = path.read_bytes()

    def half_of_it(temporary: Path, content: bytes) -> None:
        with temporary.open("wb") as file:
            file.write(content[: len(content) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", half_of_it)
    with pytest.raises(OSError, match=rf"{path}: no space left on its disk \(it needs [\d,]+ bytes"):
        export_ensemble(one_element_ensemble(seed=1), path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_fails_its_own_check_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Export loads what it wrote: here the kernel's weights are other ones than TorchANI's."""
    path = export_ensemble(one_element_ensemble(), tmp_path / "model.pt")
    before = path.read_bytes()
    packed = fused_module.packed

    def of_another_model(members: list[torch.nn.Module]) -> Any:
        weights, *others = packed(members)
        return weights * (1 + 1e-3), *others

    monkeypatch.setattr(fused_module, "packed", of_another_model)
    with pytest.raises(ModelFileError, match=r"model\.pt: not written.*in float32: self-check fails, energies"):
        export_ensemble(one_element_ensemble(seed=1), path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_every_precision_is_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights off by 1e-7 are rounding in single precision, and wrong in double."""
    packed = fused_module.packed
    monkeypatch.setattr(fused_module, "packed", lambda members: (packed(members)[0] * (1 + 3e-7), *packed(members)[1:]))
    with pytest.raises(ModelFileError, match=r"model\.pt: not written.*in float64: self-check fails"):
        export_ensemble(one_element_ensemble(), tmp_path / "model.pt")
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_loses_a_bit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = Path.write_bytes

    def damaged(path: Path, whole: bytes) -> None:
        content = bytearray(whole)
        content[int(np.flatnonzero(record_bytes(whole))[1000])] ^= 1
        write(path, content)

    monkeypatch.setattr(Path, "write_bytes", damaged)
    with pytest.raises(ModelFileError, match=r"model\.pt: not written.*damaged"):
        export_ensemble(one_element_ensemble(), tmp_path / "model.pt")
    assert list(tmp_path.iterdir()) == []


def test_standard_terms_are_what_the_message_says() -> None:
    """The refusal of LinearRadial is not a refusal of everything."""
    computer = metal_aev_computer()
    assert type(computer.radial) is ANIRadial
    assert type(computer.angular) is ANIAngular
