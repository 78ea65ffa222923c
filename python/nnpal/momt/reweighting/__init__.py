"""Reweighting of MOMT runs: averages, free energies and coexistence at temperatures that were not simulated."""

from nnpal.momt.reweighting.averages import Thermodynamics, average, thermodynamics
from nnpal.momt.reweighting.blocks import Estimate, jackknife, time_blocks
from nnpal.momt.reweighting.mbar import u_kn
from nnpal.momt.reweighting.members import (
    Members,
    members_averages,
    members_coexistence,
    members_free_energy,
    of_frames,
    under_model,
)
from nnpal.momt.reweighting.profiles import Profile, coexistence, dividing_order, free_energy, ln_omega
from nnpal.momt.reweighting.samples import Samples, from_traces
from nnpal.momt.reweighting.transition import (
    Transition,
    free_energy_difference,
    round_trips,
    transition,
    transition_shift,
)
from nnpal.momt.reweighting.weights import covered_range, effective_size, log_weights

__all__ = [
    "Estimate",
    "Members",
    "Profile",
    "Samples",
    "Thermodynamics",
    "Transition",
    "average",
    "coexistence",
    "covered_range",
    "dividing_order",
    "effective_size",
    "free_energy",
    "free_energy_difference",
    "from_traces",
    "jackknife",
    "ln_omega",
    "log_weights",
    "members_averages",
    "members_coexistence",
    "members_free_energy",
    "of_frames",
    "round_trips",
    "thermodynamics",
    "time_blocks",
    "transition",
    "transition_shift",
    "u_kn",
    "under_model",
]
