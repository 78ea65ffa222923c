"""A loop of small stages that fail on demand, and a command line that runs it in a separate process.

``TOY_INJECT`` names a place and a fault: ``PLACE=kill`` sends SIGKILL to the driver, ``PLACE=die`` to the process at
that place, ``PLACE=term`` sends SIGTERM to the driver; see :func:`_strike` for others. Places are
``begin:iter-0000/train``, ``end:iter-0000/train``, ``task:iter-0000/explore/1`` (``*`` matches anything), and
``before:N`` and ``after:N`` for the nth time that the manifest is written.
"""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import sys
import time
from contextlib import closing
from fnmatch import fnmatchcase
from pathlib import Path

from nnpal.active_learning.engine.error import GiveUp
from nnpal.active_learning.engine.task import Task
from nnpal.runtime.child_process import Killed

DRIVER = "TOY_DRIVER"
LONG = 10_000.0
"""Seconds, longer than any test waits."""


class Toy:
    """A loop with two tables ([toy] and [train]) and five stages, three of them with tasks."""

    def __init__(self, code=("toy_code",), stop_at=None):
        from nnpal.active_learning.engine.stage import Stage

        self._stop_at = stop_at
        self._stages = [
            Stage("train", train, ("train",), code),
            Stage("explore", explore, ("toy",)),
            Stage("select", select, ("toy",)),
            Stage("label", label, ()),
            Stage("report", report, ()),
        ]

    def stages(self, iteration):
        return self._stages

    def stop(self, history):
        return "steady" if self._stop_at is not None and len(history) > self._stop_at else None


def train(ctx):
    begin(ctx)
    n_data = sum(facts["label"]["n_labels"] for facts in ctx.history if "label" in facts)
    arguments = {"epochs": ctx.tables["train"]["epochs"], "seed": ctx.seed, "n_data": n_data}
    [outcome] = ctx.tasks.run([Task(ctx.folder / "member-0", "toy_loop:fit", arguments, kind="train")])
    (ctx.folder / "model.json").write_text(json.dumps(outcome.result))
    return end(ctx, {"loss": outcome.result["loss"], "n_data": n_data, "files": ["model.json"]})


def explore(ctx):
    begin(ctx)
    model = json.loads(ctx.path(ctx.iteration, "train", "model.json").read_text())
    toy = ctx.tables["toy"]
    tasks = [
        Task(ctx.folder / str(k), "toy_loop:walk", {"seed": ctx.seed + k, "loss": model["loss"], "step": toy["step"]})
        for k in range(toy["n_walks"])
    ]
    outcomes = ctx.tasks.run(tasks)
    found = [outcome.result["x"] for outcome in outcomes if outcome.result is not None]
    (ctx.folder / "found.json").write_text(json.dumps(found))
    failed = [outcome.failure.kind for outcome in outcomes if outcome.failure is not None]
    return end(ctx, {"n_found": len(found), "failed": failed, "files": ["found.json"]})


def select(ctx):
    begin(ctx)
    found = json.loads(ctx.path(ctx.iteration, "explore", "found.json").read_text())
    chosen = sorted(found)[: ctx.tables["toy"]["n_chosen"]]
    (ctx.folder / "chosen.json").write_text(json.dumps(chosen))
    return end(ctx, {"n_chosen": len(chosen), "files": ["chosen.json"]})


def label(ctx):
    """Store labels one by one, as nnpal's label stage does; existing labels are not recomputed."""
    begin(ctx)
    chosen = json.loads(ctx.path(ctx.iteration, "select", "chosen.json").read_text())
    with closing(sqlite3.connect(ctx.run_folder / "labels.sqlite")) as store:
        store.execute("CREATE TABLE IF NOT EXISTS labels (x REAL PRIMARY KEY, energy REAL)")
        for k, x in enumerate(chosen):
            ctx.deadline.check()
            if store.execute("SELECT 1 FROM labels WHERE x = ?", (x,)).fetchone() is None:
                note(ctx.run_folder, f"computed {x}")
                store.execute("INSERT INTO labels VALUES (?, ?)", (x, x * x))
                store.commit()
            _strike(f"label:iter-{ctx.iteration:04d}/{k}", ctx.run_folder)
        energies = [store.execute("SELECT energy FROM labels WHERE x = ?", (x,)).fetchone()[0] for x in chosen]
    return end(ctx, {"n_labels": len(energies), "energy": sum(energies)})


def report(ctx):
    begin(ctx)
    (ctx.folder / "report.txt").write_text("".join(f"{facts['train']['loss']}\n" for facts in ctx.history))
    return end(ctx, {"files": ["report.txt"]})


def fit(folder, epochs, seed, n_data):
    """Train, from a checkpoint if there is one; a task."""
    checkpoint = folder / "checkpoint"
    done = int(checkpoint.read_text()) if checkpoint.exists() else 0
    for epoch in range(done, epochs):
        time.sleep(0.01)
        checkpoint.write_text(str(epoch + 1))
        _strike_task(folder)
    note(folder.parents[2], f"task {_place(folder)}")
    return {"loss": (seed % 1000) / (1 + epochs + n_data)}


def walk(folder, seed, loss, step):
    """Walk for 20 ms; a task."""
    time.sleep(0.02)
    _strike_task(folder)
    note(folder.parents[2], f"task {_place(folder)}")
    return {"x": step * ((seed * 16807) % 1013) + loss}


def begin(ctx):
    note(ctx.run_folder, f"begin {_place(ctx.folder)}")
    _strike(f"begin:{_place(ctx.folder)}", ctx.run_folder)


def end(ctx, facts):
    _strike(f"end:{_place(ctx.folder)}", ctx.run_folder)
    return facts


def note(run_folder, text):
    """Record an action, for tests to count."""
    with (run_folder / "calls.txt").open("a") as file:
        file.write(f"{text}\n")


def _place(folder):
    parts = folder.parts
    start = max(k for k, part in enumerate(parts) if part.startswith("iter-"))
    return "/".join(parts[start:])


def _strike_task(folder):
    _strike(f"task:{_place(folder)}", folder)


def _strike(place, folder):
    where, _, what = os.environ.get("TOY_INJECT", "").partition("=")
    if not fnmatchcase(place, where):
        return
    if what == "kill":
        os.kill(int(os.environ[DRIVER]), signal.SIGKILL)
        time.sleep(LONG)  # a task whose driver was killed must not reach the next line
        (folder / "outlived").touch()
    elif what == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    elif what == "die once":
        if not (folder / "died").exists():
            (folder / "died").touch()
            os.kill(os.getpid(), signal.SIGKILL)
    elif what == "term":
        os.kill(int(os.environ[DRIVER]), signal.SIGTERM)
    elif what == "abort":
        os.abort()
    elif what == "raise":
        raise ArithmeticError("the walk exploded")
    elif what == "raise once":
        if not (folder / "raised").exists():
            (folder / "raised").touch()
            raise ArithmeticError("the walk exploded")
    elif what == "give up":
        raise GiveUp(f"the walk of {folder.resolve()} ends at once / always")
    elif what == "lose a program":
        raise Killed("lmp was killed")
    elif what == "hang once":
        if not (folder / "hung").exists():
            (folder / "hung").touch()
            time.sleep(LONG)
    elif what == "hang":
        time.sleep(LONG)
    elif what == "full":
        with open("/dev/full", "w") as file:
            file.write("x")
    elif what == "exit":
        sys.exit(0)
    else:
        raise AssertionError(what)


def _strike_at_writing():
    """Inject faults before and after the manifest is written."""
    from nnpal.active_learning.engine import engine, manifest

    whole, n = manifest.write_manifest, 0

    def write(*arguments):
        nonlocal n
        n += 1
        _strike(f"before:{n}", arguments[0])
        whole(*arguments)
        _strike(f"after:{n}", arguments[0])

    engine.write_manifest = manifest.write_manifest = write


def main(config_path, run_folder, *flags):
    from nnpal.active_learning.engine.engine import run_loop
    from nnpal.active_learning.engine.error import LoopError
    from nnpal.config.toml import tomllib

    os.environ[DRIVER] = str(os.getpid())
    _strike_at_writing()
    tables = tomllib.loads(Path(config_path).read_text())
    options = {flag.removeprefix("--"): True for flag in flags if flag in ("--redo", "--keep")}
    if "--only" in flags:
        options["only"] = flags[flags.index("--only") + 1]
    try:
        outcome = run_loop(Toy(**tables.get("loop", {})), config_path, tables, Path(run_folder), **options)
    except LoopError as error:
        print(f"nnpal run: {error}", file=sys.stderr)
        return 1
    print(f"{outcome.state}: {outcome.reason}; {outcome.command}")
    return outcome.exit_code


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
