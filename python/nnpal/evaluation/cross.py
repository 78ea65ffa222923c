"""Evaluate every model on every dataset, to see how well they transfer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from textwrap import wrap
from typing import TypedDict

import numpy as np
from ase import Atoms
from matplotlib.axes import Axes

from nnpal import __version__
from nnpal.data import content_hash
from nnpal.evaluation.labels import Labels, read_labels
from nnpal.evaluation.metrics import compare
from nnpal.evaluation.prediction import predict
from nnpal.figures.figure import Figure, write_figure
from nnpal.model import read_metadata
from nnpal.runtime.json_files import write_json

MAES = {"energy_mae": "energy MAE (meV/atom)", "force_mae": "force MAE (meV/Å)"}
NAME_WIDTH = 20
"""Largest number of characters per line of a name in the figure."""


class CrossModel(TypedDict):
    """A model file; ``dataset_hash`` is the hash of its training and validation data, if known."""

    name: str
    path: str
    elements: list[str]
    n_members: int
    dataset_hash: str | None


class CrossSet(TypedDict):
    """A dataset, and the hash of its structures and labels."""

    name: str
    n_frames: int
    n_atoms: int
    dataset_hash: str


class CrossErrors(TypedDict):
    """Errors of a model's ensemble on a set, meV/atom and meV/Å; ``own``: the model was trained on this set."""

    model: str
    data: str
    own: bool
    energy_mae: float
    energy_rmse: float
    energy_mean: float
    force_mae: float
    force_rmse: float


class CrossSummary(TypedDict):
    """Contents of ``cross.json``; errors are sorted by model, then by set."""

    nnpal: str
    models: list[CrossModel]
    sets: list[CrossSet]
    errors: list[CrossErrors]
    figures: list[str]


def cross_evaluate(
    models: Mapping[str, Path],
    sets: Mapping[str, Sequence[Atoms]],
    output: Path,
    *,
    device: str = "cpu",
    on_batch: Callable[[int], None] | None = None,
) -> CrossSummary:
    """Evaluate each model on each set, and write ``cross.json`` and the figure (PNG, PDF, CSV) to ``output``.

    A set is marked as a model's own if its hash equals that of the model's training and validation data, complete and
    in the same order. A subset or superset of these data is not recognized.

    Arguments:
        models: model files by name.
        sets: labeled configurations by name.
        device: cpu, cuda or cuda:N.
        on_batch: called with the number of configurations after every batch.

    Raises:
        ValueError: no models or no sets, a set without labels, or one with elements that a model lacks.
        FileNotFoundError, nnpal.model.ModelFileError: a model file cannot be used.
    """
    if not models or not sets:
        raise ValueError(f"{len(models)} models and {len(sets)} datasets, expected at least one of each")
    metadata = {name: read_metadata(path) for name, path in models.items()}
    labels = {name: _labels(name, frames) for name, frames in sets.items()}
    for model, known in metadata.items():
        for data, found in labels.items():
            if unknown := sorted(set(found.symbols.tolist()) - set(known.elements)):
                raise ValueError(
                    f"dataset {data} holds {', '.join(unknown)}, model {model} ({models[model]}) supports "
                    f"only {', '.join(known.elements)}; remove one of them"
                )
    hashes = {name: content_hash(frames) for name, frames in sets.items()}
    errors: list[CrossErrors] = []
    for model, path in models.items():
        for data, frames in sets.items():
            predictions = predict(path, frames, members=False, uq_force=False, device=device, on_batch=on_batch)
            found_errors = compare(predictions, labels[data]).errors()
            errors.append(
                {
                    "model": model,
                    "data": data,
                    "own": metadata[model].dataset_hash == hashes[data],
                    "energy_mae": found_errors["energy_mae"],
                    "energy_rmse": found_errors["energy_rmse"],
                    "energy_mean": found_errors["energy_mean"],
                    "force_mae": found_errors["force_mae"],
                    "force_rmse": found_errors["force_rmse"],
                }
            )
    files = write_figure(output, cross_figure(list(models), list(sets), errors))
    summary: CrossSummary = {
        "nnpal": __version__,
        "models": [
            {
                "name": name,
                "path": str(models[name]),
                "elements": list(known.elements),
                "n_members": known.n_members,
                "dataset_hash": known.dataset_hash,
            }
            for name, known in metadata.items()
        ],
        "sets": [
            {
                "name": name,
                "n_frames": len(labels[name].n_atoms),
                "n_atoms": int(labels[name].n_atoms.sum()),
                "dataset_hash": hashes[name],
            }
            for name in sets
        ],
        "errors": errors,
        "figures": [str(files.png)],
    }
    write_json(output / "cross.json", summary, sort_keys=False)
    return summary


def _labels(name: str, frames: Sequence[Atoms]) -> Labels:
    try:
        return read_labels(frames)
    except ValueError as error:
        raise ValueError(f"dataset {name}: {error}") from error


def cross_figure(models: Sequence[str], sets: Sequence[str], errors: Sequence[CrossErrors]) -> Figure:
    """Return a figure of energy and force MAE of models (rows) on sets (columns), own sets framed: Figure S2."""

    def draw(*panels: Axes) -> None:
        for axes, (key, title) in zip(panels, MAES.items(), strict=True):
            values = np.array([one[key] for one in errors]).reshape(len(models), len(sets))  # type: ignore[literal-required]
            shown = np.log10(np.maximum(values, 1e-6))
            axes.imshow(shown, cmap="cividis", aspect="auto")
            middle = 0.5 * (shown.min() + shown.max())
            for (i, j), value in np.ndenumerate(values):
                color = "white" if shown[i, j] <= middle else "black"
                text = f"{value:.0f}" if value >= 100 else f"{value:.3g}"
                axes.text(j, i, text, ha="center", va="center", color=color, fontsize=8)
            for place, one in enumerate(errors):
                if one["own"]:
                    i, j = divmod(place, len(sets))
                    box = (
                        [j - 0.46, j + 0.46, j + 0.46, j - 0.46, j - 0.46],
                        [i - 0.44, i - 0.44, i + 0.44, i + 0.44, i - 0.44],
                    )
                    axes.plot(*box, color="#D55E00", linewidth=2.0)
            axes.set_xticks(range(len(sets)), [_wrapped(name) for name in sets], rotation=30, ha="right")
            axes.set_yticks(range(len(models)), [_wrapped(name) for name in models])
            axes.set(title=title, xlabel="dataset")
            axes.spines[:].set_visible(False)
        panels[0].set_ylabel("model")

    names = [key for key in CrossErrors.__annotations__ if key not in ("model", "data", "own")]
    return Figure(
        name="cross",
        title="Models on the data of the others",
        caption="Mean absolute errors of each model (rows) on each dataset (columns); framed: the model's own "
        "training and validation data.",
        alt="; ".join(f"{e['model']} on {e['data']}: {e['energy_mae']:.3g} meV/atom" for e in errors),
        columns={
            "model": [e["model"] for e in errors],
            "data": [e["data"] for e in errors],
            "own": [int(e["own"]) for e in errors],
            **{_unit(name): [e[name] for e in errors] for name in names},  # type: ignore[literal-required]
        },
        draw=draw,
        grid=(1, 2),
        size=(7.0, 1.2 + 0.3 * _lines(sets) + max(0.45, 0.15 * _lines(models)) * len(models)),
    )


def _wrapped(name: str) -> str:
    """Wrap a name, to leave room for the panels."""
    return "\n".join(wrap(name, NAME_WIDTH))


def _lines(names: Sequence[str]) -> int:
    """Return the number of additional lines of the longest name."""
    return max(_wrapped(name).count("\n") for name in names)


def _unit(name: str) -> str:
    return f"{name}_{'meV_atom' if name.startswith('energy') else 'meV_angstrom'}"
