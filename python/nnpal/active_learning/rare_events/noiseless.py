"""Pulls without initial velocities and noise, which show the bias of a model instead of random scatter.

At 0 K the activation energy is a smooth function of the potential, so a few pulls resolve a difference of some tenths
of a kcal/mol, for which dozens of random pulls at the same rate are needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from nnpal.active_learning.engine.runner import TaskOutcome
from nnpal.active_learning.engine.task import Task
from nnpal.active_learning.rare_events.facts import Iteration, NoiselessFacts
from nnpal.active_learning.sampling import SMD_TASK, SMDSection, plan_noiseless, read_smd
from nnpal.active_learning.sampling.plan import ForceField
from nnpal.lammps.units import REAL
from nnpal.smd import activation_energy

NOISELESS = "noiseless"


def noiseless_tasks(
    section: SMDSection, force_field: ForceField, folder: Path, base_folder: Path, seed: int
) -> list[Task]:
    """Return the pulls as tasks; with equal seeds the oracle and the ensemble have equal constant forces."""
    plan = plan_noiseless(section, force_field, folder, base_folder, seed)
    return [Task(folder / name, SMD_TASK, arguments) for name, arguments in plan.items()]


def noiseless_facts(section: SMDSection, outcomes: Sequence[TaskOutcome]) -> NoiselessFacts | None:
    """Return activation energies, None for pulls that ended early or were given up; None if none were requested."""
    if not outcomes:
        return None
    found: list[float | None] = []
    for outcome in outcomes:
        run = None if outcome.failure is not None else read_smd(outcome.folder)
        found.append(activation_energy(run.pull) if run is not None and run.complete and len(run.step) else None)
    return NoiselessFacts(rate=section.fastest, activation_energy=tuple(found))


def noiseless_differences(history: Sequence[Iteration], done: Iteration) -> list[float | None]:
    """Return E_a of the ensemble minus that of the oracle for each noiseless pull of the oracle, kcal/mol.

    None if one of the two ended early, or the ensemble has no such pull. Empty if there are none, or only at another
    rate, as after a change that was kept.
    """
    first = history[0].initial
    theirs = None if first is None else first.noiseless
    found = [_difference(*pair) for pair in _pairs(done.explore.noiseless, theirs)]
    return [*found, *[None] * (len(theirs.activation_energy) - len(found))] if theirs is not None and found else []


def is_biased(ours: NoiselessFacts | None, theirs: NoiselessFacts | None, goal: float) -> bool:
    """Return whether the mean error of the noiseless pulls exceeds the goal, kcal/mol, or an ensemble pull ended early.

    A pull that ended early under the oracle contains no information about the ensemble.
    """
    pairs = [pair for pair in _pairs(ours, theirs) if pair[1] is not None]
    found = [_difference(*pair) for pair in pairs]
    known = [value for value in found if value is not None]
    return len(known) < len(found) or bool(known and abs(sum(known) / len(known)) > goal)


def _pairs(ours: NoiselessFacts | None, theirs: NoiselessFacts | None) -> list[tuple[float | None, float | None]]:
    """Return pairs of activation energies of pulls with equal forces, eV; different rates are not paired."""
    if ours is None or theirs is None or ours.rate != theirs.rate:
        return []
    return list(zip(ours.activation_energy, theirs.activation_energy, strict=False))


def _difference(ours: float | None, theirs: float | None) -> float | None:
    return None if ours is None or theirs is None else REAL.energy * (ours - theirs)
