"""What `nnpal run` itself takes of an iteration with many tasks: processor time, memory, sizes of files, time to resume.

    python benchmarks/driver_scale.py [--quick] [--output benchmarks/results/driver_scale.json]

A loop of one iteration whose tasks are fakes of known durations (explorations 0.2 s, labels 0.02 s), through Parsl's
worker processes as on a cluster: 25 to 200 explorations, 1,250 to 10,000 labels, each a task of its own. Processor
time is the driver's alone, without workers and Parsl's interchange; memory is its largest resident set. Resuming is the
same command on the finished run, and on one whose last label is missing. Each size is run in a process of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import driver_scale_tasks
from rich.console import Console
from rich.table import Table

from nnpal.active_learning.engine import executors
from nnpal.active_learning.engine.engine import run_loop
from nnpal.active_learning.engine.manifest import MANIFEST
from nnpal.active_learning.engine.stage import Facts, Stage, StageContext
from nnpal.active_learning.engine.status import status
from nnpal.active_learning.engine.task import RESULT, Task

SIZES = (1250, 2500, 5000, 10000)
LABELS_PER_EXPLORATION = 50
WORKERS = 8
EXECUTORS = f"""
from parsl.config import Config
from parsl.executors import HighThroughputExecutor
from parsl.providers import LocalProvider

config = Config(
    executors=[
        HighThroughputExecutor(
            label="fakes", address="127.0.0.1", cores_per_worker=0.01, max_workers_per_node={WORKERS},
            provider=LocalProvider(init_blocks=1, max_blocks=1),
        )
    ],
    strategy="none",
)
"""


class Loop:
    """Explorations, then labels, with facts of a real loop's sizes."""

    def __init__(self, n_labels: int) -> None:
        self._n_labels = n_labels

    def stages(self, iteration: int) -> list[Stage]:
        n_explorations = self._n_labels // LABELS_PER_EXPLORATION
        return [
            Stage(name, lambda ctx, n=n: work(ctx, n))
            for name, n in (("explore", n_explorations), ("label", self._n_labels))
        ]

    def stop(self, history: object) -> None:
        return None


def work(ctx: StageContext, n: int) -> Facts:
    """Do n tasks, and find as many numbers for each as a real stage does for a label."""
    name = ctx.folder.name
    outcomes = ctx.tasks.run([Task(ctx.folder / f"{k:05d}", name, {"k": k}, kind=name) for k in range(n)])
    assert all(outcome.result is not None for outcome in outcomes)
    return {kind: [k / n for k in range(n)] for kind in ("energy_uq", "energy_error", "force_uq", "force_error")}


def run_once(folder: Path, n_labels: int) -> dict[str, float]:
    """Carry the loop out, or resume it, and return what this process took."""
    executors.execute = driver_scale_tasks.execute  # type: ignore[assignment]
    (folder / "executors.py").write_text(EXECUTORS)
    (folder / "loop.toml").touch()
    tables = {"run": {"iterations": 1, "executor": "executors.py", "min_free_disk": 0.0}}
    cpu, wall = time.process_time(), time.perf_counter()
    run_loop(Loop(n_labels), folder / "loop.toml", tables, folder / "run", log=lambda _: None)
    return {
        "cpu_s": time.process_time() - cpu,
        "wall_s": time.perf_counter() - wall,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6,  # Linux counts in KiB
    }


def apart(folder: Path, n_labels: int) -> dict[str, float]:
    """Do that in a process of its own."""
    path = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, __file__, "--inside", str(folder), "--labels", str(n_labels)]
    done = subprocess.run(
        command, env={**os.environ, "PYTHONPATH": path}, check=True, stdout=subprocess.PIPE, text=True
    )
    return dict(json.loads(done.stdout))


def measure(n_labels: int) -> dict[str, Any]:
    """Return the figures of one size."""
    n_tasks = n_labels + n_labels // LABELS_PER_EXPLORATION
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
            "tasks": n_tasks,
            "cpu_s": first["cpu_s"],
            "cpu_ms_per_task": 1e3 * first["cpu_s"] / n_tasks,
            "wall_s": first["wall_s"],
            "peak_mb": first["peak_mb"],
            "manifest_kb": size / 1e3,
            "log_kb": (folder / "run/run.log").stat().st_size / 1e3,
            "status_cpu_s": told,
            "finished_again_cpu_s": again["cpu_s"],
            "one_label_missing_cpu_s": resumed["cpu_s"],
        }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inside", type=Path)
    parser.add_argument("--labels", type=int)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    options = parser.parse_args()
    if options.inside is not None:
        print(json.dumps(run_once(options.inside, options.labels)))
    else:
        for size in options.sizes:
            print(measure(size), flush=True)
