"""What the gate compares a model file with: the members as they were trained."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator

from nnpal.model.aev import AEVS
from nnpal.model.build import build_member
from nnpal.model.description import NetworkDescription
from nnpal.training import EnsembleSettings, LossSettings, Split, TrainedEnsemble, TrainedMember, TrainingSettings
from nnpal.training.plan import Plan
from nnpal.training.release import member_energies
from nnpal.training.result import Result

NETWORK = NetworkDescription(("H", "C", "O"), hidden=(8,), aev=AEVS["ani2x"])


def frame(symbols, seed):
    atoms = Atoms(symbols, np.random.default_rng(seed).uniform(0, 3, (len(Atoms(symbols)), 3)))
    atoms.calc = SinglePointCalculator(atoms, energy=-3.0, forces=np.zeros((len(atoms), 3)))
    return atoms


def test_configurations_of_the_gate_need_not_hold_all_elements():
    """It takes three: of molecules they may well lack an element that others have."""
    member = TrainedMember(0, build_member(NETWORK, 3), Split(np.array([0]), np.array([1])), [], 0, 3)
    plan = Plan(NETWORK, LossSettings(), TrainingSettings(), EnsembleSettings(members=1), "")
    ensemble = TrainedEnsemble(Path(), plan, [member], Result(0, {}, {}, [-13.0, -60.0, -110.0]))
    frames = [frame("CHO", 1), frame("CH4", 2), frame("C2H2", 3)]
    everything, some = (member_energies(ensemble, [member], chosen, torch.float64) for chosen in (frames, frames[1:]))
    assert np.allclose(some, everything[:, 1:], rtol=0, atol=1e-9)  # eV, rounding of sums
    assert abs(some[0, 0] - (-60.0 - 4 * 13.0)) < 5.0
