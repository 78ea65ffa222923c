"""Complete evaluation: errors, calibration, relaxed crystals, figures and summary."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from ase import Atoms

from nnpal import __version__
from nnpal.evaluation.calibration import calibrations
from nnpal.evaluation.crystals import relax_table
from nnpal.evaluation.figures import save_figures
from nnpal.evaluation.labels import read_labels
from nnpal.evaluation.metrics import accuracy
from nnpal.evaluation.prediction import predict
from nnpal.evaluation.settings import EvaluateSection
from nnpal.evaluation.summary import Summary
from nnpal.model import read_metadata
from nnpal.oracle.lammps_commands import files_in, with_paths
from nnpal.runtime.json_files import write_json
from nnpal.runtime.places import require_folder


def evaluate(
    model: Path,
    frames: Sequence[Atoms],
    settings: EvaluateSection,
    *,
    base: Path = Path(),
    on_batch: Callable[[int], None] | None = None,
) -> Summary:
    """Evaluate a model and write ``summary.json``, figures, CSV files and LAMMPS runs to ``settings.output``.

    Arguments:
        model: a model file.
        frames: labeled configurations; may be empty if there are structures to relax.
        settings: [evaluate] of the configuration file; its ``data`` is not used.
        base: folder to which files in ``settings.oracle`` are relative.
        on_batch: called with the number of configurations after every batch.

    Returns:
        The contents of ``summary.json``.

    Raises:
        ValueError: nothing to do, or configurations or structures that cannot be used.
        FileNotFoundError, nnpal.model.ModelFileError: the model file cannot be used.
        nnpal.lammps.process.LmpError: ``lmp`` fails.
    """
    if not frames and not settings.structures:
        raise ValueError("nothing to evaluate; give labeled data, or structures to relax in the configuration file")
    metadata = read_metadata(model)
    output = settings.output
    require_folder("evaluate.output", output)
    output.mkdir(parents=True, exist_ok=True)
    summary: Summary = {
        "nnpal": __version__,
        "settings": settings.model_dump(mode="json"),
        "model": {
            "path": str(model),
            "elements": metadata.elements,
            "n_members": metadata.n_members,
            "dtype": metadata.dtype,
            "dataset_hash": metadata.dataset_hash,
        },
    }
    if frames:
        labels = read_labels(frames)
        predictions = predict(model, frames, uq_force=settings.uq_force, device=settings.device, on_batch=on_batch)
        found = calibrations(predictions, labels, seed=settings.seed) if metadata.n_members > 1 else []
        summary["accuracy"] = accuracy(predictions, labels)
        summary["calibration"] = [each.to_json() for each in found]
        summary["figures"] = [str(path) for path in save_figures(output, frames, predictions, labels, found)]
    if settings.structures:
        commands = [line for line in settings.oracle if line.partition("#")[0].strip()]
        files = files_in(commands, base, "evaluate.oracle")
        summary["relaxed"] = {
            table.element: table.to_json()
            for table in relax_table(
                model,
                [with_paths(command, files) for command in commands],
                [structure.structure() for structure in settings.structures],
                output / "relax",
                device=settings.device,
            )
        }
    write_json(output / "summary.json", summary, sort_keys=False)
    return summary
