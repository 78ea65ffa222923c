"""Run all checks of one member."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from nnpal.model.denormals import denormals_flushed
from nnpal.model.module_checks.checks import CHECKS
from nnpal.model.module_checks.doubts import doubts, needs_all_hops
from nnpal.model.module_checks.graphs import closure, cluster, lone_atoms
from nnpal.model.module_checks.subject import Forward, Subject


@dataclass(frozen=True)
class Passed:
    """Results of the checks of a valid member.

    Attributes:
        figures: largest difference in each check, relative to the largest value compared.
        doubts: warnings for the user.
        needs_all_hops: whether one hop fewer would change energies.
    """

    figures: dict[str, float]
    doubts: list[str]
    needs_all_hops: bool


def check_member(
    member: torch.jit.ScriptModule,
    name: str,
    *,
    elements: Sequence[str],
    cutoff: float,
    hops: int,
    energy_scale: float,
    seed: int = 0,
) -> Passed:
    """Check that a module satisfies the contract, on random clusters of all elements.

    Arguments:
        member: scripted module with the contract's ``forward``; it is not changed.
        name: name of the member in messages.
        elements: chemical symbols in the order of the element index.
        cutoff: cutoff of the edges, Å.
        hops: declared number of message-passing steps.
        energy_scale: eV per unit of its energies.
        seed: random seed of clusters and directions.

    Raises:
        ModuleCheckError: names the check, the numbers and the usual causes.
    """
    exact = Subject(
        name, _scaled(copy.deepcopy(member).double(), energy_scale), torch.float64, tuple(elements), cutoff, hops
    )
    single = replace(exact, forward=_scaled(copy.deepcopy(member).float(), energy_scale), dtype=torch.float32)
    rng = np.random.default_rng(seed)
    # the profiling executor would recompile for every graph
    with torch.jit.optimized_execution(False), denormals_flushed():
        graph = cluster(elements, cutoff, hops, rng)
        for subject in (exact, single):
            for example in (graph, closure(graph, torch.tensor([0]), hops)[0], lone_atoms(len(elements))):
                subject.energies(example)
        for check in CHECKS:
            check(exact, graph, rng)
        return Passed(exact.figures, doubts(exact, single, graph, rng), needs_all_hops(exact, graph))


def _scaled(member: torch.jit.ScriptModule, scale: float) -> Forward:
    def forward(species: Tensor, n_local: int, edge_index: Tensor, edge_vec: Tensor) -> Tensor:
        found = member(species, n_local, edge_index, edge_vec)
        return found * scale if isinstance(found, Tensor) else found

    return forward
