"""The table [run] of the configuration file."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt

from nnpal.config import Section


class RunSection(Section):
    """[run]: run folder, limits, and where tasks run."""

    folder: Path = Field(Path("run"), description="run folder, relative to the folder of the configuration file")
    iterations: PositiveInt = Field(
        10, description="largest number of iterations; the stopping criterion may end the run earlier"
    )
    labels_per_iteration: PositiveInt | None = Field(
        None, description="largest number of new configurations labeled in one iteration; absent: no limit"
    )
    wall_time_hours: PositiveFloat | None = Field(
        None,
        description="wall time, h, after which the run stops cleanly; the same command resumes it; absent: no limit",
    )
    seed: NonNegativeInt = Field(0, description="random seed of the whole run")
    workers: PositiveInt = Field(
        1, description="number of tasks run at the same time on this machine; not used with executor"
    )
    threads: PositiveInt = Field(1, description="threads of each task (OMP_NUM_THREADS)")
    executor: Path | None = Field(
        None,
        description="Python file with a Parsl Config named config, for a cluster, relative to the folder of the "
        "configuration file; its executors labeled explore, label and train run the tasks of that type; absent: run "
        "tasks on this machine",
    )
    task_timeout_hours: PositiveFloat | None = Field(
        None, description="time limit of one attempt at a task, h; a longer attempt counts as failed; absent: no limit"
    )
    max_task_failures: PositiveInt = Field(
        2, description="number of failures (error, crash or time limit) after which a task is given up"
    )
    max_killed: NonNegativeInt = Field(
        5,
        description="number of times a task may be killed (wall time of the scheduler, lost node) before it is "
        "given up",
    )
    min_free_disk: NonNegativeFloat = Field(0.5, description="free disk space, GB, below which the run stops")
