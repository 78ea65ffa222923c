"""Jarzynski's free energy and the mean work in the report, and their reliability."""

from __future__ import annotations

from ase import units

from nnpal.active_learning.rare_events.told import Told
from nnpal.active_learning.report import Figure
from nnpal.active_learning.report.free_energy import FreeEnergyCurve, free_energy
from nnpal.active_learning.sampling import read_rows_of_pull
from nnpal.active_learning.sampling.ending import COMPLETE
from nnpal.smd import jarzynski_profile
from nnpal.smd.analysis import few_pulls_note


def free_energies(told: Told) -> tuple[list[Figure], list[str]]:
    """Return figures of ΔF(λ) of the last ensemble and the oracle at the first rate, and notes; needs two pulls."""
    kT = units.kB * told.pulls.temperature
    curves, notes = [], []
    folders = {"ensemble": told.folders("ensemble", told.rate), "oracle": told.oracle_folders(told.rate)}
    for who, own in folders.items():
        read = [read_rows_of_pull(folder) for folder in own]
        whole = [pull for pull, ended in read if ended == COMPLETE and len(pull.step) > 1]
        if len(whole) < 2:
            continue
        target, found = jarzynski_profile(whole, kT)
        curves.append(FreeEnergyCurve(who, target, found.value, found.error, found.mean_work, len(whole)))
        note = few_pulls_note(float(found.n_effective[-1]), len(whole))
        if note is not None:
            notes.append(f"{who.capitalize()}: {note}.")
    return ([free_energy(curves)] if curves else []), notes
