"""Batch jobs that tasks run in: which one a task is in, what happened to it, and what to do. Only Slurm is queried."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

JOB = "job.json"
NUMBER = ("SLURM_JOB_ID", "PBS_JOBID", "LSB_JOBID")
"""Variables in which schedulers store the number of a job."""
NAME = ("SLURM_JOB_NAME", "PBS_JOBNAME", "LSB_JOBNAME")
NODE = "SLURMD_NODENAME"
PATIENCE = 30.0
"""Seconds to wait for an answer of the scheduler."""
FIELDS = ("JobName", "State", "ExitCode", "Timelimit", "NodeList")
"""Columns requested from ``sacct``."""


@dataclass(frozen=True)
class BatchJob:
    """A batch job: its number, its name, and the node that a task was on."""

    number: str
    name: str
    node: str

    @property
    def executor(self) -> str:
        """Label of the executor for which Parsl submitted the job."""
        found = re.match(r"parsl\.(.+)\.block-\d+", self.name)
        return found[1] if found else "?"

    def __str__(self) -> str:
        name = re.sub(r"(block-\d+)\.[\d.]+$", r"\1", self.name)  # without the submission time
        return f"batch job {self.number} ({name}, node {self.node})"


def present_job() -> BatchJob | None:
    """Return the batch job that this process runs in, or None."""
    number = _first(NUMBER)
    if number is None:
        return None
    return BatchJob(number, _first(NAME) or "?", os.environ.get(NODE) or socket.gethostname())


def note_job(folder: Path) -> None:
    """Write the present job into a task's folder, for :func:`noted_job` if its worker is lost."""
    job = present_job()
    if job is not None:
        (folder / JOB).write_text(json.dumps(asdict(job)))


def noted_job(folder: Path) -> BatchJob | None:
    """Return the job that the last attempt at a task has recorded, or None."""
    try:
        return BatchJob(**json.loads((folder / JOB).read_text()))
    except (OSError, ValueError, TypeError):  # no file, or an incomplete one
        return None


def forget_job(folder: Path) -> None:
    """Remove the job that an earlier attempt has recorded."""
    (folder / JOB).unlink(missing_ok=True)


def fate(job: BatchJob) -> tuple[str, str]:
    """Return what happened to a job, as the rest of a sentence about it, and what to do; both empty if unknown.

    Slurm reports TIMEOUT or CANCELLED as soon as it signals the job's processes.
    """
    facts = _asked_of_slurm(job.number)
    if facts is None:
        return "", ""
    state = (facts.get("State") or "unknown").split()[0]
    was_requeued = facts.get("Restarts", "0") != "0" and state not in ("TIMEOUT", "OUT_OF_MEMORY")
    if was_requeued or state in ("REQUEUED", "REQUEUE_HOLD", "REQUEUE_FED"):
        state = "NODE_FAIL"
    where = f"of executor {job.executor} in the file that run.executor names"
    table = {
        "TIMEOUT": (
            f"reached its time limit of {facts.get('Timelimit', '?')}",
            f"a task that takes longer than that can never finish; raise walltime {where}, or make its tasks shorter",
        ),
        "CANCELLED": (
            "was cancelled (scancel)",
            "its tasks restart in another job; to stop the run, stop nnpal run itself (Ctrl-C or SIGTERM)",
        ),
        "NODE_FAIL": (
            f"lost a node ({job.node}, or another of its nodes)",
            f'its tasks restart elsewhere; if a node fails again, add "#SBATCH --exclude={job.node}" to '
            f"scheduler_options {where}",
        ),
        "PREEMPTED": ("was preempted by a job of higher priority", "its tasks restart in another job"),
        "OUT_OF_MEMORY": ("ran out of memory", f"raise mem_per_node {where}, or use fewer workers per node"),
        "FAILED": (
            f"failed with exit code {facts.get('ExitCode', '?').split(':')[0]}",
            "its output is in submit_scripts in the newest folder of Parsl's logs",
        ),
        "COMPLETED": ("has ended", "its output is in submit_scripts in the newest folder of Parsl's logs"),
        "RUNNING": (
            "is still running",
            f"one of its processes was killed, often because the node was out of memory; raise mem_per_node {where}, "
            "or use fewer workers per node",
        ),
    }
    return table.get(state, (f"is {state}", ""))


def cancel_left_jobs(parsl_folder: Path) -> list[str]:
    """Cancel the jobs that a killed run has left in Slurm's queue, and return their numbers.

    Their workers would never receive a task. The caller holds the run's lock, so no other process uses them.

    Arguments:
        parsl_folder: the run's folder of Parsl, which has a script with the name of each job.
    """
    names = {path.name for path in parsl_folder.glob("*/submit_scripts/*") if path.suffix not in (".stdout", ".stderr")}
    if not names or shutil.which("squeue") is None:
        return []
    lines = _printed("squeue", "--me", "--noheader", "--format=%i %j") or ""
    found = [words[0] for words in map(str.split, lines.splitlines()) if len(words) == 2 and words[1] in names]
    return found if found and _printed("scancel", *found) is not None else []


def _asked_of_slurm(number: str) -> Mapping[str, str] | None:
    """Return Slurm's fields of a job, from the controller or, once that has forgotten the job, from accounting."""
    text = _printed("scontrol", "show", "job", "--oneliner", number)
    if text is not None:
        facts = dict(re.findall(r"(\S+?)=(\S*)", text))
        if "JobState" in facts:
            return {**facts, "State": facts["JobState"], "Timelimit": facts.get("TimeLimit", "?")}
    text = _printed("sacct", "-X", "--noheader", "--parsable2", f"--format={','.join(FIELDS)}", "--jobs", number)
    lines = [] if text is None else text.splitlines()
    return dict(zip(FIELDS, lines[-1].split("|"), strict=False)) if lines else None


def _printed(*command: str) -> str | None:
    """Return what a command of the scheduler printed, or None if it is not installed, fails or takes too long."""
    with suppress(OSError, subprocess.SubprocessError):
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=PATIENCE).stdout
    return None


def _first(names: tuple[str, ...]) -> str | None:
    return next((os.environ[name] for name in names if os.environ.get(name)), None)
