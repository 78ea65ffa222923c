"""Find what a user should know of a valid module: jumps at the cutoff, single precision, unneeded hops."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from nnpal.geometry.neighbor_graph import Graph
from nnpal.model.module_checks.checks import SAME
from nnpal.model.module_checks.graphs import closure, lone_atoms
from nnpal.model.module_checks.subject import LEAST_SCALE, Subject, largest

STEP_AT_CUTOFF = 1e-6
"""Relative to the largest energy; float64 sums are exact to 1e-12."""
KINK_AT_CUTOFF = 1e-4
"""Relative to the largest gradient."""
SINGLE = 1e-4
"""Relative to the largest energy or gradient; good networks give 1e-6 to 1e-5, a loader accepts this much."""
_INSIDE = 1.0 - 1e-9
_MOST_PAIRS = 10


def doubts(subject: Subject, in_single: Subject, graph: Graph, rng: np.random.Generator) -> list[str]:
    """Return a warning sentence for each finding."""
    found = [*_at_cutoff(subject, graph, rng), *_in_single(subject, in_single, graph)]
    return [f"{subject.name}: {sentence}" for sentence in found]


def _at_cutoff(subject: Subject, graph: Graph, rng: np.random.Generator) -> Iterator[str]:
    """Compare a pair of atoms just inside the cutoff with one just outside."""
    energies, gradient = subject.gradient(graph)
    alone = subject.energies(lone_atoms(len(subject.elements)))
    n_elements = len(subject.elements)
    pairs = [(i, j) for i in range(n_elements) for j in range(i, n_elements)]
    step = kink = 0.0
    for k in rng.permutation(len(pairs))[:_MOST_PAIRS]:
        direction = rng.normal(size=3)
        vector = torch.from_numpy(direction / np.linalg.norm(direction) * subject.cutoff * _INSIDE)
        species = torch.tensor(pairs[k])
        inside = Graph(species, 2, torch.tensor([[0, 1], [1, 0]]), torch.stack((vector, -vector)))
        of_pair, slope = subject.gradient(inside)
        step, kink = max(step, largest(of_pair - alone[species])), max(kink, largest(slope))
    subject.figures["step at the cutoff"] = step / max(largest(energies), LEAST_SCALE)
    subject.figures["kink at the cutoff"] = kink / max(largest(gradient), LEAST_SCALE)
    if subject.figures["step at the cutoff"] > STEP_AT_CUTOFF:
        yield (
            f"its energy jumps by {step:.3g} eV where a pair of atoms crosses the cutoff of {subject.cutoff} Å, so "
            "dynamics does not conserve energy; multiply messages by a function that is 0 there; where the module's "
            "own cutoff is longer, give that"
        )
    elif subject.figures["kink at the cutoff"] > KINK_AT_CUTOFF:
        yield (
            f"its forces jump by {kink:.3g} eV/Å where a pair of atoms crosses the cutoff of {subject.cutoff} Å, so "
            "dynamics conserves energy less well; use a cutoff function whose slope is 0 there"
        )


def _in_single(subject: Subject, in_single: Subject, graph: Graph) -> Iterator[str]:
    exact, found = subject.gradient(graph), in_single.gradient(graph)
    for what, one, other, unit in zip(("energies", "gradients"), exact, found, ("eV", "eV/Å"), strict=True):
        scale, difference = max(largest(one), LEAST_SCALE), largest(one - other)
        subject.figures[f"{what} in single precision"] = difference / scale
        if not difference <= SINGLE * scale:
            yield (
                f"its {what} in float32 differ from those in float64 by {difference:.3g} {unit} (largest {scale:.3g}), "
                "so single precision may be rejected when the file is loaded; give dtype=torch.float64, or look for "
                "large numbers that cancel"
            )


def needs_all_hops(subject: Subject, graph: Graph) -> bool:
    """Return whether an atom's energy changes if edges for one hop fewer are given."""
    if subject.hops == 1:
        return True
    expected = subject.energies(graph)
    for i in range(len(graph.species)):
        part, _ = closure(graph, torch.tensor([i]), subject.hops - 1)
        if largest(subject.energies(part) - expected[i]) > SAME * max(largest(expected), LEAST_SCALE):
            return True
    return False
