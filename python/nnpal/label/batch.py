"""Labeling of a batch from input files to output files, as in ``nnpal label``."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ase import Atoms

from nnpal.data import DatasetError, Limits, check_frames, write_dataset
from nnpal.data.dataset_file import is_dataset
from nnpal.label.labeling import Failure, LabelReport, Progress, label_frames
from nnpal.label.settings import LabelSection
from nnpal.label.store import LabelStore
from nnpal.oracle.protocol import Oracle
from nnpal.runtime.files import aside
from nnpal.runtime.locks import Writer
from nnpal.runtime.places import begins_with, require_file, require_folder

COLUMNS = ("index", "source", "tag", "tries", "reason")


@dataclass(frozen=True)
class Batch:
    """Result of a batch.

    Attributes:
        report: see :class:`nnpal.label.labeling.LabelReport`; without the labels that were excluded.
        put_aside: configurations excluded because their labels are outside the limits.
        output: dataset, or None if nothing was labeled.
        content_hash: content hash of the dataset.
        failures: CSV file of failed or excluded configurations, or None.
    """

    report: LabelReport
    put_aside: list[Failure]
    output: Path | None
    content_hash: str
    failures: Path | None


def run_batch(
    frames: Sequence[Atoms],
    oracle: Oracle,
    section: LabelSection,
    base_folder: Path,
    on_progress: Callable[[Progress], None] | None = None,
) -> Batch:
    """Label configurations; write the dataset, and a CSV file of configurations without a label if there are any.

    Raises:
        ValueError: the oracle or the store cannot be used, or the output's name is not that of a dataset.
        nnpal.runtime.locks.HeldError: another process writes the same output.
        nnpal.runtime.disk_full.DiskFullError: the disk is full; labels computed so far are in the store.
    """
    output, failures = base_folder / section.output, base_folder / section.failures_file()
    if output.suffix != ".h5":
        raise ValueError(f"label.output: {section.output}, expected a name ending in .h5")
    _require_places(section, base_folder, output, failures)
    with Writer(output):
        return _run(frames, oracle, section, base_folder / section.store, output, failures, on_progress)


def _require_places(section: LabelSection, base_folder: Path, output: Path, failures: Path) -> None:
    """Refuse files that cannot be written, and existing files of another kind that would be overwritten."""
    for path in (output, failures):
        require_folder("label", path.parent)
        path.parent.mkdir(parents=True, exist_ok=True)
    require_file("label.output", output, _is_dataset, "dataset of nnpal")
    require_file("label.failures", failures, _is_failures, "list of failures of nnpal label")
    require_file("label.store", base_folder / section.store)
    names = [file if isinstance(file, str) else file.path for file in section.input]
    read = {(base_folder / name).resolve(): name for name in names}
    for key, path in (("output", output), ("failures", failures), ("store", base_folder / section.store)):
        if path.resolve() in read:
            raise ValueError(f"label.{key}: {path} is read, as label.input; give another name")


def _is_dataset(path: Path) -> bool:
    try:
        return is_dataset(path)
    except DatasetError:
        return False


def _is_failures(path: Path) -> bool:
    return begins_with(path, ",".join(COLUMNS).encode())


def _run(
    frames: Sequence[Atoms],
    oracle: Oracle,
    section: LabelSection,
    store_path: Path,
    output: Path,
    failures: Path,
    on_progress: Callable[[Progress], None] | None,
) -> Batch:
    with LabelStore(store_path) as store:
        report = label_frames(
            frames,
            oracle,
            store,
            n_workers=section.workers,
            timeout=section.timeout,
            threads=section.threads,
            retry_failed=section.retry_failed,
            on_progress=on_progress,
        )
    kept, put_aside = _within(report, len(frames), section.limits.limits())
    missing = sorted([*report.failed, *put_aside], key=lambda failure: failure.index)
    if missing:
        _write_failures(failures, missing, frames)
    elif failures.is_file() and _is_failures(failures):
        failures.unlink()  # from an earlier run
    content = write_dataset(output, kept, provenance=_provenance(oracle, report)) if kept else ""
    return Batch(report, put_aside, output if kept else None, content, failures if missing else None)


def _within(report: LabelReport, n_frames: int, limits: Limits) -> tuple[list[Atoms], list[Failure]]:
    """Split labels into those within the limits and the others."""
    failed = {failure.index for failure in report.failed}
    indices = [index for index in range(n_frames) if index not in failed]
    faults: dict[int, list[str]] = {}
    for finding in check_frames(report.labeled, limits=limits):
        if finding.severity == "error":
            faults.setdefault(finding.index, []).append(
                f"{finding.kind}: {finding.value}, expected {finding.expected} (label.limits)"
            )
    kept = [frame for k, frame in enumerate(report.labeled) if k not in faults]
    return kept, [Failure(indices[k], "; ".join(reasons), 1) for k, reasons in faults.items()]


def _write_failures(path: Path, failures: Sequence[Failure], frames: Sequence[Atoms]) -> None:
    with aside(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for failure in failures:
            info = frames[failure.index].info
            writer.writerow([failure.index, info.get("source", ""), info.get("tag", ""), failure.tries, failure.reason])


def _provenance(oracle: Oracle, report: LabelReport) -> dict[str, Any]:
    """Return the oracle's identity for every rung that gave a label."""
    rungs = {str(rung): {"labels": n, **oracle.identity(rung)} for rung, n in sorted(report.rungs.items())}
    return {"made by": "nnpal label", "oracle, by rung": rungs}
