"""Measure the overhead of `nnpal run` for many tasks: CPU time, memory, files, time to resume.

    python benchmarks/driver_scale.py [--quick] [--output benchmarks/results/driver_scale.json]

A loop of one iteration with fake tasks of known duration (explorations 0.2 s, labels 0.02 s) on eight Parsl worker
processes, as on a cluster: 25 to 200 explorations and 1,250 to 10,000 labels, each a separate task (nnpal's own stages
put 50 labels in a task). CPU time is that of the driver, without workers and Parsl's interchange; memory is its largest
resident set, and the part that the loop adds to Python and its modules. Resuming is the same command on the finished
run, and on one whose last label is missing. Each of these runs in a separate process. Last, the CPU time of the driver
in the labeling stage, on configurations of 14 atoms in tasks of 50 whose labels cost nothing. Printed ratios compare
the last size with the one before, half of it; a linear cost gives 2.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, cast

import numpy as np
from ase import Atoms
from pydantic import TypeAdapter
from rich.console import Console
from rich.table import Table

import driver_scale_tasks
from nnpal.active_learning.engine import executors
from nnpal.active_learning.engine.deadline import Deadline
from nnpal.active_learning.engine.engine import run_loop
from nnpal.active_learning.engine.manifest import MANIFEST
from nnpal.active_learning.engine.runner import TaskRunner
from nnpal.active_learning.engine.stage import Facts, Stage, StageContext
from nnpal.active_learning.engine.status import status
from nnpal.active_learning.engine.task import RESULT, Task
from nnpal.active_learning.settings import LoopLabelSection
from nnpal.active_learning.shared.label_frames import Labeling, label_in_tasks
from nnpal.oracle.settings import OracleSection, oracle_from
from record import write_record

SIZES, QUICK = (1250, 2500, 5000, 10000), (100, 200)
LABELS_PER_EXPLORATION = 50
N_FACTS = 4
"""Numbers per label that a stage keeps in the manifest: uncertainties and errors."""
EXECUTORS = """
from parsl.config import Config
from parsl.executors import HighThroughputExecutor
from parsl.providers import LocalProvider

fakes = HighThroughputExecutor(
    label="fakes", address="127.0.0.1", cores_per_worker=0.01, max_workers_per_node=8,
    provider=LocalProvider(init_blocks=1, max_blocks=1),
)
config = Config(executors=[fakes], strategy="none")
"""
COLUMNS = {
    "labels": ".0f",
    "cpu_s": ".2f",
    "cpu_ms_per_task": ".2f",
    "wall_s": ".1f",
    "peak_mb": ".0f",
    "added_mb": ".0f",
    "manifest_kb": ".0f",
    "status_cpu_ms": ".1f",
    "finished_again_cpu_ms": ".1f",
    "one_missing_cpu_s": ".2f",
    "label_stage_cpu_s": ".2f",
}


class Loop:
    """A loop of explorations, then labels."""

    def __init__(self, n_labels: int) -> None:
        self._numbers = {"explore": n_labels // LABELS_PER_EXPLORATION, "label": n_labels}

    def stages(self, iteration: int) -> list[Stage]:
        return [Stage(name, self._work) for name in self._numbers]

    def stop(self, history: object) -> None:
        return None

    def _work(self, ctx: StageContext) -> Facts:
        name = ctx.folder.name
        n = self._numbers[name]
        outcomes = ctx.tasks.run([Task(ctx.folder / f"{k:05d}", name, {"k": k}, kind=name) for k in range(n)])
        if not all(outcome.result for outcome in outcomes):
            raise SystemExit(f"driver_scale: a task of {name} has no result")
        return {f"fact_{number}": [k / n for k in range(n)] for number in range(N_FACTS)}


def run_once(folder: Path, n_labels: int) -> dict[str, float]:
    """Run or resume the loop; return time, s, and memory, MB, of this process."""
    executors.execute = driver_scale_tasks.execute
    (folder / "executors.py").write_text(EXECUTORS)
    (folder / "loop.toml").touch()
    tables = {"run": {"iterations": 1, "executor": "executors.py", "min_free_disk": 0.0}}
    cpu, wall, memory = time.process_time(), time.perf_counter(), peak_mb()
    run_loop(Loop(n_labels), folder / "loop.toml", tables, folder / "run", log=lambda _: None)
    return {
        "cpu_s": time.process_time() - cpu,
        "wall_s": time.perf_counter() - wall,
        "peak_mb": peak_mb(),
        "added_mb": peak_mb() - memory,
    }


def peak_mb() -> float:
    """Return the largest resident set of this process so far, MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6  # Linux counts in KiB


def apart(folder: Path, n_labels: int) -> dict[str, float]:
    """Run or resume the loop in a separate process, whose workers find the modules of this folder."""
    path = os.pathsep.join(filter(None, [str(Path(__file__).parent), os.environ.get("PYTHONPATH")]))
    command = [sys.executable, __file__, "--inside", str(folder), "--labels", str(n_labels)]
    done = subprocess.run(
        command, env={**os.environ, "PYTHONPATH": path}, check=True, stdout=subprocess.PIPE, text=True
    )
    return dict(json.loads(done.stdout))


def engine_costs(n_labels: int) -> dict[str, float]:
    """Return the cost of a loop of one size, and of resuming it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        first = apart(folder, n_labels)
        begin = time.process_time()
        status(folder / "run")
        told = time.process_time() - begin
        again = apart(folder, n_labels)
        manifest = folder / "run" / MANIFEST
        size = manifest.stat().st_size
        found = json.loads(manifest.read_text())
        manifest.write_text(json.dumps({**found, "entries": found["entries"][:1], "finished": None}))
        (folder / f"run/iter-0000/label/{n_labels - 1:05d}/{RESULT}").unlink()
        resumed = apart(folder, n_labels)
    return {
        "labels": n_labels,
        "explorations": n_labels // LABELS_PER_EXPLORATION,
        **first,
        "cpu_ms_per_task": 1e3 * first["cpu_s"] / (n_labels + n_labels // LABELS_PER_EXPLORATION),
        "manifest_kb": size / 1e3,
        "status_cpu_ms": 1e3 * told,
        "finished_again_cpu_ms": 1e3 * again["cpu_s"],
        "one_missing_cpu_s": resumed["cpu_s"],
    }


def label_stage_cost(n_labels: int) -> float:
    """Return the CPU time of the driver in the labeling stage, s."""
    table = {"kind": "ase", "calculator": "ase.calculators.lj:LennardJones", "options": {}}
    section: OracleSection = TypeAdapter(OracleSection).validate_python(table)
    rng = np.random.default_rng(0)
    base = 3 * rng.normal(size=(14, 3))
    frames = [Atoms("C4H10", base + rng.normal(scale=0.05, size=(14, 3))) for _ in range(n_labels)]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        stage = folder / "iter-0000/label"
        stage.mkdir(parents=True)
        labels = driver_scale_tasks.FakeLabels(oracle_from(section, folder))
        tasks = cast(TaskRunner, labels)
        ctx = StageContext(folder, stage, 0, {}, [{}], 1, tasks, Deadline(), lambda _: None)
        begin = time.process_time()
        found = label_in_tasks(ctx, Labeling(section, LoopLabelSection(), folder), frames)
        seconds = time.process_time() - begin - labels.cpu_s
    if found.n_labeled != n_labels:
        raise SystemExit(f"driver_scale: {found.n_labeled} labels, expected {n_labels}")
    return seconds


def main(options: argparse.Namespace) -> None:
    rows: list[dict[str, Any]] = []
    for size in QUICK if options.quick else SIZES:
        rows.append({**engine_costs(size), "label_stage_cpu_s": label_stage_cost(size)})
        print(json.dumps(rows[-1]), file=sys.stderr, flush=True)
    table = Table(*COLUMNS)
    for row in rows:
        table.add_row(*(format(row[name], form) for name, form in COLUMNS.items()))
    table.add_row("ratio", *(f"{rows[-1][name] / rows[-2][name]:.2f}" for name in list(COLUMNS)[1:]))
    Console(width=180).print(table)
    write_record(
        options.output, "driver_scale", ("nnpal", "parsl"), {"seconds": driver_scale_tasks.SECONDS, "rows": rows}
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="two small sizes")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results" / "driver_scale.json")
    parser.add_argument("--inside", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--labels", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.inside is None:
        main(given)
    else:
        print(json.dumps(run_once(given.inside, given.labels)))
