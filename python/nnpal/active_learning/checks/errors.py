"""Checks of limits in error units, which need a calibrated model."""

from __future__ import annotations

from collections.abc import Iterator

from nnpal.active_learning.checks.given import Fault, Given
from nnpal.active_learning.engine.manifest import read_manifest
from nnpal.active_learning.engine.stage import stage_folder
from nnpal.active_learning.plan import first_data
from nnpal.active_learning.sampling import SMDSection
from nnpal.active_learning.shared.error_limits import HOW_TO_FIX
from nnpal.active_learning.shared.facts import MODEL, TrainFacts
from nnpal.calibration.calibrate import LEAST_ATOMS, LEAST_FRAMES
from nnpal.model.files import read_metadata


def error_limits(given: Given) -> Iterator[Fault]:
    """Yield limits in eV/Å if the run's last model has no calibration, or the first model cannot get one."""
    keys = _limits(given)
    if not keys:
        return
    run_folder = given.base_folder / given.config.run.folder
    why: str | None
    trained = [entry for entry in read_manifest(run_folder).entries if entry.stage == TrainFacts.stage]
    if trained:
        model = stage_folder(run_folder, trained[-1].iteration, TrainFacts.stage) / MODEL
        if not model.is_file() or read_metadata(model).calibration is not None:
            return
        why = f"{model} has no calibration, so it provides no errors in eV/Å"
    elif (why := _too_few(given)) is None:
        return
    for key, value in keys.items():
        yield Fault(key, value, why, HOW_TO_FIX)


def _limits(given: Given) -> dict[str, float]:
    config = given.config
    found = {
        "rare_events.error_above": None if config.rare_events is None else config.rare_events.error_above,
        "distillation.error_above": None if config.distillation is None else config.distillation.error_above,
        "explore.max_error": config.explore.max_error if isinstance(config.explore, SMDSection) else None,
    }
    return {key: value for key, value in found.items() if value is not None}


def _too_few(given: Given) -> str | None:
    """Return why the first training cannot give a calibration, or None if it may.

    Each member leaves out ``validation_fraction`` of the data; together they leave out at most the sum of these.
    """
    config, ensemble = given.config, given.config.ensemble
    table = "initial" if config.rare_events is not None else "explore"
    atoms = next((atoms for key, atoms in given.structures.items() if key.partition(".")[0] == table), None)
    if atoms is None:  # reported by another check
        return None
    n = first_data(config)
    n_unlearned = min(n, ensemble.members * round(ensemble.validation_fraction * n))
    n_atoms = n_unlearned * len(atoms)
    if n_unlearned >= LEAST_FRAMES and n_atoms >= LEAST_ATOMS:
        return None
    return (
        f"the first data are {n} configurations of {len(atoms)} atoms at most, of which {n_unlearned}, {n_atoms} atoms "
        f"in all, can be in the validation set of a member (ensemble.members = {ensemble.members}, "
        "validation_fraction = "
        f"{ensemble.validation_fraction:g}); a calibration needs {LEAST_FRAMES} of {LEAST_ATOMS} atoms"
    )
