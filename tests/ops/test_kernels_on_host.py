"""The kernels written for GPUs, run as loops on the CPU, against the CPU's own. Compiles them first: a minute."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

import kernels_on_host
from ops_structures import DTYPES
from ops_twins import (
    STRUCTURES,
    Twin,
    aev_results,
    assert_nan_comes_through,
    assert_repulsion_agrees,
    assert_room_gets_no_repulsion,
    assert_room_is_passed_over,
    assert_twins_agree,
    cpu,
    ensemble_results,
    structure,
)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def twin(tmp_path_factory: pytest.TempPathFactory) -> Twin:
    torch.ops.load_library(str(kernels_on_host.build(tmp_path_factory.mktemp("kernels_on_host"))))
    return Twin(torch.ops.nnpal_on_host, "cpu")


@pytest.mark.parametrize("is_sorted", [True, False], ids=["sorted", "in any order"])
@pytest.mark.parametrize("precision", DTYPES)
@pytest.mark.parametrize("name", STRUCTURES)
def test_aev(twin: Twin, name: str, precision: str, is_sorted: bool) -> None:
    case, dtype = structure(name), DTYPES[precision]
    results = [aev_results(one, case, dtype, is_sorted=is_sorted) for one in (cpu(), twin)]
    assert_twins_agree(*results, precision)


def test_more_near_neighbors_than_are_staged() -> None:
    """The case is what its name says, so that the other path of the kernels is tested."""
    case = structure("more near neighbors than are staged")
    near = case.graph.edge_vec.norm(dim=1) < case.aev.angular_cutoff
    assert int(torch.bincount(case.graph.edge_index[0][near]).max()) > 64


@pytest.mark.parametrize("activation", ["gelu", "celu"])
@pytest.mark.parametrize("precision", DTYPES)
@pytest.mark.parametrize("hidden", [(20, 12), (33, 16, 5, 3), (7,), ()], ids=str)
@pytest.mark.parametrize("name", STRUCTURES)
def test_ensemble(twin: Twin, name: str, hidden: tuple[int, ...], precision: str, activation: str) -> None:
    case = structure(name)
    description = replace(case.description, hidden=hidden, activation=activation)
    results = [ensemble_results(one, case, description, precision) for one in (cpu(), twin)]
    assert_twins_agree(*results, precision)


@pytest.mark.parametrize("cutoff_function", ["cosine", "smooth"])
@pytest.mark.parametrize("activation", ["gelu", "celu"])
def test_nan_comes_through(twin: Twin, activation: str, cutoff_function: str) -> None:
    assert_nan_comes_through(twin, activation, cutoff_function)


def test_room_is_passed_over(twin: Twin) -> None:
    assert_room_is_passed_over(twin)


def test_repulsion(twin: Twin) -> None:
    assert_repulsion_agrees(twin)
    assert_room_gets_no_repulsion(twin)
