"""Translation: a distilled set, scaled by the ratio of bond lengths, becomes another metal's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nnpal.data import read_frames
from nnpal.distill import translate
from nnpal.distillation.loop import ORACLE
from nnpal.distillation.train import crystals
from nnpal.driver.data import LEARNT, learnt_so_far, write_learnt
from nnpal.driver.labels import label_in_tasks
from nnpal.driver.reporting import configuration, section, task_failures, versions, write_report
from nnpal.driver.training import TABLES, train_in_tasks
from nnpal.figures.style import MILLI
from nnpal.loop.error import StageError
from nnpal.loop.stage import History, Stage, StageContext
from nnpal.report import Crystal, Page, Table, ending, error_fact, errors_table, labels_used, relax_table


class Translation:
    """See :class:`nnpal.loop.stage.Loop`: one iteration, without any sampling.

    Arguments:
        base_folder: the configuration file's.
    """

    def __init__(self, base_folder: Path) -> None:
        self._stages = (
            Stage(
                "label",
                lambda ctx: _label(ctx, base_folder),
                (*ORACLE, "translation"),
                ("nnpal.distillation.translation",),
            ),
            Stage(
                "train",
                lambda ctx: _train(ctx, base_folder),
                (*TABLES, "crystals"),
                ("nnpal.distillation.translation",),
            ),
            Stage("report", _report, (), ("nnpal.distillation.translation",)),
        )

    def stages(self, iteration: int) -> Sequence[Stage]:
        return self._stages

    def stop(self, history: History) -> str | None:
        return "translated"


def source_files(source: Path) -> list[Path]:
    """Return the data sets of a run's folder, or the data set itself.

    Raises:
        StageError: there are none.
    """
    found = sorted(source.glob(f"iter-*/*/{LEARNT}")) if source.is_dir() else [source]
    if not found or not all(path.is_file() for path in found):
        raise StageError(f"translation.source = {source}: no data set, and no run's folder with {LEARNT} in it")
    return found


def _label(ctx: StageContext, base_folder: Path) -> dict[str, Any]:
    settings = ctx.tables["translation"]
    frames = [frame for path in source_files(base_folder / settings["source"]) for frame in read_frames(path)]
    translated = translate(frames, factor=settings["factor"], symbols=settings["symbols"])
    labelled = label_in_tasks(ctx, base_folder, translated)
    return {"n_source": len(frames), **labelled.facts(), "files": [write_learnt(ctx, labelled.frames)]}


def _train(ctx: StageContext, base_folder: Path) -> dict[str, Any]:
    ensemble, facts = train_in_tasks(ctx, learnt_so_far(ctx))
    facts["self_energies"] = ensemble.result.self_energies
    facts["crystals"] = crystals(ctx, base_folder)
    return facts


def _report(ctx: StageContext) -> dict[str, Any]:
    done = ctx.history[-1]
    tables: list[str | Table] = []
    for found in done["train"]["crystals"].values():
        ours, theirs = (
            [Crystal(name, _number(one["bond"]), _number(one["energy"])) for name, one in found[who].items()]
            for who in ("model", "oracle")
        )
        tables.append(relax_table(theirs, {"translated": ours}))
        tables += found["notes"]
    settings = ctx.tables["translation"]
    page = Page(
        title="Translation of a distilled set",
        subtitle=", ".join(f"{a} becomes {b}" for a, b in settings["symbols"].items())
        + f", lengths times {settings['factor']:.4f}",
        facts=[
            ending("the set is translated", "one iteration"),
            labels_used(done["label"]["n_labelled"], of=done["label"]["n_source"], what="translated"),
            *(
                error_fact(name, MILLI * done["train"][key], "validation data of the best member")
                for name, key in (
                    ("Energy MAE (meV/atom)", "validation_energy_mae"),
                    ("Force MAE (meV/Å)", "validation_force_mae"),
                )
            ),
        ],
        sections=[
            section("Errors", _errors(done["train"])),
            section("Crystals", *(tables or ["No table [crystals] was given."])),
        ],
        failures=task_failures(ctx),
        configuration=configuration(ctx),
        versions=versions(),
    )
    (ctx.folder / "figures").mkdir(exist_ok=True)
    return write_report(ctx, page)


def _errors(train: Mapping[str, Any]) -> Table:
    """Return errors of the best member, by its own split; a translation samples nothing, so it has no test set."""
    names = ("energy_mae", "relative_energy_mae", "force_mae")
    parts = {"training": "train", "validation": "validation"}
    return errors_table(
        {said: {name: train[f"{part}_{name}"] for name in names} for said, part in parts.items()},
        note=f"Member {train['best_member']}, the best of {train['members']}, on its own training and validation data.",
    )


def _number(value: float | None) -> float:
    return float("nan") if value is None else float(value)
