"""Active learning of neural network potentials inside LAMMPS.

The public interface; each name is loaded when it is first used, so that ``import nnpal`` is fast. Energies are in eV,
lengths in Å; results of LAMMPS runs (pulls, MOMT) are in the units of the LAMMPS script.

Model files and their use:

- :func:`export_ensemble`, :func:`export_module`: write a TorchANI model, or custom modules, for ``pair_style nnp``
- :class:`NNPCalculator`: energies, forces, stress and uncertainty of a model file in ASE
- :func:`predict`: the same for many configurations at once
- :func:`load_model`: a model file in torch

From structures to a model:

- :func:`read_frames`, :func:`write_dataset`: structures and labels in files
- :func:`label_frames`: compute labels with an oracle
- :func:`train_ensemble`: train an ensemble
- :func:`run_loop`: run or resume an active-learning workflow

Analysis of steered MD (:mod:`nnpal.smd`):

- :func:`read_pull`, :func:`activation_energy`, :func:`mean_activation_energy`, :func:`find_break`,
  :func:`jarzynski_profile`

Analysis of MOMT (:mod:`nnpal.momt`):

- :func:`read_bias`, :func:`read_trace`, :func:`from_traces`, :func:`thermodynamics`, :func:`free_energy`,
  :func:`transition`

More is in the packages :mod:`nnpal.data`, :mod:`nnpal.label`, :mod:`nnpal.oracle`, :mod:`nnpal.training`,
:mod:`nnpal.evaluation`, :mod:`nnpal.calibration`, :mod:`nnpal.model`, :mod:`nnpal.smd`, :mod:`nnpal.momt`,
:mod:`nnpal.momt.reweighting`, :mod:`nnpal.observables`, :mod:`nnpal.hooks`.
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

from nnpal.runtime.train_extra import needs_train_extra
from nnpal.runtime.version import __version__

if TYPE_CHECKING:
    from nnpal.active_learning.run import run as run_loop
    from nnpal.data import read_frames, write_dataset
    from nnpal.evaluation import predict
    from nnpal.label import label_frames
    from nnpal.model import export_ensemble, load_model
    from nnpal.model.calculator import NNPCalculator
    from nnpal.model.module_export import export_module
    from nnpal.momt import read_bias, read_trace
    from nnpal.momt.reweighting import free_energy, from_traces, thermodynamics, transition
    from nnpal.smd import activation_energy, find_break, jarzynski_profile, mean_activation_energy, read_pull
    from nnpal.training import train_ensemble

__all__ = [
    "NNPCalculator",
    "__version__",
    "activation_energy",
    "export_ensemble",
    "export_module",
    "find_break",
    "free_energy",
    "from_traces",
    "jarzynski_profile",
    "label_frames",
    "load_model",
    "mean_activation_energy",
    "predict",
    "read_bias",
    "read_frames",
    "read_pull",
    "read_trace",
    "run_loop",
    "thermodynamics",
    "train_ensemble",
    "transition",
    "write_dataset",
]

_PLACES = {
    "NNPCalculator": "model.calculator",
    "activation_energy": "smd",
    "export_ensemble": "model",
    "export_module": "model",
    "find_break": "smd",
    "free_energy": "momt.reweighting",
    "from_traces": "momt.reweighting",
    "jarzynski_profile": "smd",
    "label_frames": "label",
    "load_model": "model",
    "mean_activation_energy": "smd",
    "predict": "evaluation",
    "read_bias": "momt",
    "read_frames": "data",
    "read_pull": "smd",
    "read_trace": "momt",
    "run_loop": "active_learning.run:run",
    "thermodynamics": "momt.reweighting",
    "train_ensemble": "training",
    "transition": "momt.reweighting",
    "write_dataset": "data",
}

# TorchANI warns at import that extensions which nnpal does not use are not compiled.
os.environ.setdefault("TORCHANI_NO_WARN_EXTENSIONS", "1")


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, _, original = _PLACES[name].partition(":")
    try:
        globals()[name] = getattr(import_module(f"{__name__}.{module}"), original or name)
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(needs_train_extra(error, f"nnpal.{name}") or str(error), name=error.name) from error
    return globals()[name]


def __dir__() -> list[str]:
    """Return the public names, for tab completion and ``help``."""
    return sorted(__all__)
