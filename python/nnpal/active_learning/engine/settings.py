"""The table [run] of the configuration file."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt

from nnpal.config import Section


class RunSection(Section):
    """[run]: where a run lives, how much of everything it may use, and where its tasks run."""

    folder: Path = Field(Path("run"), description="the run's folder, relative to the configuration file's")
    iterations: PositiveInt = Field(10, description="at most; the stop rule may end the run sooner")
    labels_per_iteration: PositiveInt | None = Field(
        None, description="new configurations that the oracle labels in one iteration, at most; absent: no limit"
    )
    wall_time_hours: PositiveFloat | None = Field(
        None, description="hours after which the run stops cleanly, for the same command to go on; absent: no limit"
    )
    seed: NonNegativeInt = Field(0, description="every random number follows from it")
    workers: PositiveInt = Field(1, description="tasks at a time on this machine; not used with executor")
    threads: PositiveInt = Field(1, description="of each task (OMP_NUM_THREADS)")
    executor: Path | None = Field(
        None,
        description="Python file that defines a Parsl Config named config, for a cluster, relative to the "
        "configuration file's folder; its executors labeled explore, label and train take the tasks of that kind; "
        "absent: this machine",
    )
    task_timeout_hours: PositiveFloat | None = Field(
        None, description="hours of one attempt at a task, which is then a failed one; absent: no limit"
    )
    max_task_failures: PositiveInt = Field(
        2, description="a task that has failed so often, by an error, a crash or its time limit, is given up"
    )
    max_killed: NonNegativeInt = Field(
        5, description="a task may be killed so often (wall time of the scheduler, a lost node), then it is given up"
    )
    min_free_disk: NonNegativeFloat = Field(0.5, description="GB; with less free on the disk the run does not go on")
