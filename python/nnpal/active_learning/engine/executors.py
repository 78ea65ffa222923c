"""Parsl, used only to run tasks: no memoization, retries or monitoring, and no files outside the run folder.

Parsl's memo keys miss changes of code, and a death by wall time would use up its retries (parsl#1905), so nnpal itself
decides which tasks are finished and which are repeated.
"""

from __future__ import annotations

import atexit
import logging
import os
import re
import runpy
import sys
import sysconfig
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nnpal.active_learning.engine.attempt import execute
from nnpal.active_learning.engine.error import LoopError
from nnpal.runtime.child_process import Guard

if TYPE_CHECKING:
    from parsl import Config, HighThroughputExecutor

KINDS = ("explore", "label", "train")
LOCAL = "local"
APART = "import os, sys; os.setsid(); os.execvp(sys.argv[1], sys.argv[1:])"
"""Python program that runs another one in its own session, where Ctrl-C and signals to this group do not reach it."""
PATIENCE = 5.0
"""Seconds to wait until Parsl's scaling has stopped."""


def check_file(path: Path | None) -> None:
    """Raise if the executor file does not exist.

    Raises:
        LoopError: no such file.
    """
    if path is not None and not path.is_file():
        raise LoopError(f"run.executor = {path}: no such file; expected a Python file that defines config")


def load_config(path: Path | None, n_workers: int) -> tuple[Config, dict[str, Any]]:
    """Return a Parsl configuration, and the resources that each kind of task needs.

    Arguments:
        path: Python file that defines ``config`` and optionally ``resources``, a dict from kind to Parsl's resource
            specification (an ``MPIExecutor`` needs one); None: threads on this machine.
        n_workers: number of threads.

    Raises:
        LoopError: the file defines no Parsl configuration.
    """
    from parsl import Config, ThreadPoolExecutor

    if path is None:
        return Config(executors=[ThreadPoolExecutor(label=LOCAL, max_threads=n_workers)], strategy="none"), {}
    check_file(path)
    sys.path.insert(0, str(path.parent))  # it may import modules next to it
    try:
        found = runpy.run_path(str(path))
    except Exception as error:
        raise LoopError(f"run.executor = {path}: {type(error).__name__}: {error}") from error
    finally:
        sys.path.remove(str(path.parent))
    config, resources = found.get("config"), found.get("resources", {})
    if not isinstance(config, Config):
        raise LoopError(f"run.executor = {path}: config is {config!r}, expected a parsl.Config")
    unknown = set(resources) - set(KINDS)
    if unknown:
        raise LoopError(f"run.executor = {path}: resources has {sorted(unknown)}, expected some of {', '.join(KINDS)}")
    return config, resources


def executor_of(kind: str, labels: list[str], path: Path | None) -> str:
    """Return the label of the executor that runs tasks of ``kind``.

    Raises:
        LoopError: there are several executors, none with that label.
    """
    if kind in labels:
        return kind
    if len(labels) == 1:
        return labels[0]
    raise LoopError(
        f"run.executor = {path}: executors are labeled {', '.join(labels)}, none of them {kind}; "
        f"expected {', '.join(KINDS)}, or one executor for all tasks"
    )


def _own_programs_first() -> None:
    """Let Parsl find its programs next to this Python, even if the environment is not activated."""
    own, path = sysconfig.get_path("scripts"), os.environ.get("PATH", "")
    if own not in path.split(os.pathsep):
        os.environ["PATH"] = os.pathsep.join([own, path])


class Executors:
    """A running Parsl; :meth:`close` shuts it down.

    Arguments:
        folder: folder for Parsl's own files.
        path, n_workers: see :func:`load_config`.
        alive: file whose removal tells tasks that they are no longer needed; see
            :func:`nnpal.active_learning.engine.attempt.execute`.
    """

    def __init__(self, folder: Path, path: Path | None, n_workers: int, alive: Path) -> None:
        config, self._resources = load_config(path, n_workers)
        from parsl import DataFlowKernel, HighThroughputExecutor

        self._path = path
        self._folder = folder
        config.run_dir = str(folder)
        config.retries, config.memoizer = 0, None
        config.monitoring, config.usage_tracking = None, 0
        config.initialize_logging = False
        for executor in config.executors:
            if isinstance(executor, HighThroughputExecutor):  # its interchange must survive our signals
                words = executor.interchange_launch_cmd
                executor.interchange_launch_cmd = [sys.executable, "-ISc", APART, *words]
                _keep_waiting_blocks(executor)
                _let_forgotten_jobs_end(executor.provider)
        self._close_log = _log_to(folder / "parsl.log")
        try:
            _own_programs_first()
            self._kernel = DataFlowKernel(config)
        except Exception as error:
            self._close_log()
            raise LoopError(f"run.executor = {path}: Parsl did not start: {type(error).__name__}: {error}") from error
        self._labels = [executor.label for executor in config.executors]
        servers = {executor.label: getattr(executor, "interchange_proc", None) for executor in config.executors}
        self._servers = {label: server for label, server in servers.items() if server is not None}
        # they would not notice the end of this process (parsl#3663)
        self._guard = Guard(alive, [server.pid for server in self._servers.values()])
        self._apps: dict[str, Callable[..., Future[dict[str, Any]]]] = {}

    def submit(self, kind: str, *arguments: Any) -> Future[dict[str, Any]]:
        """Have :func:`nnpal.active_learning.engine.attempt.execute` called by the executor for ``kind``.

        Raises:
            LoopError: there is no executor for it.
        """
        from parsl import python_app

        if kind not in self._apps:
            label = executor_of(kind, self._labels, self._path)
            self._apps[kind] = python_app(execute, data_flow_kernel=self._kernel, executors=[label], cache=False)
        more = {"parsl_resource_specification": self._resources[kind]} if kind in self._resources else {}
        return self._apps[kind](*arguments, **more)

    def check(self) -> None:
        """Detect a dead interchange, for which Parsl would wait forever (parsl#3374).

        Raises:
            LoopError: the interchange process of an executor has ended.
        """
        for label, server in self._servers.items():
            if server.poll() is not None:
                raise LoopError(
                    f"executor {label}: its interchange process ended with exit code {server.returncode}; "
                    f"Parsl's logs are in {self._folder}"
                )

    def close(self) -> None:
        """Shut Parsl down and release blocks on a cluster, even when interrupted."""
        shut_down = False
        try:
            if all(server.poll() is None for server in self._servers.values()):
                self._cancel_blocks(only_failed=True)  # Parsl keeps those of an executor that it gave up
                self._kernel.cleanup()
                shut_down = True
        finally:
            if not shut_down:
                self._let_go()
            self._close_log()
            self._guard.dismiss()  # last: it ends the interchange if this process is killed before

    def _let_go(self) -> None:
        """Release blocks without the interchange, for whose answer Parsl's own cleanup would wait forever."""
        from parsl.utils import Timer

        atexit.unregister(self._kernel.atexit_cleanup)
        Timer.close(self._kernel.job_status_poller, PATIENCE)  # no new blocks; its own close() queries the interchange
        self._cancel_blocks()
        for server in self._servers.values():
            server.kill()
            server.wait()

    def _cancel_blocks(self, *, only_failed: bool = False) -> None:
        """Release the blocks of all executors, or of those that Parsl gave up because their blocks failed."""
        from parsl.executors.status_handling import BlockProviderExecutor

        for executor in self._kernel.executors.values():
            if not isinstance(executor, BlockProviderExecutor) or executor.provider is None:
                continue
            if executor.bad_state_is_set or not only_failed:
                running = [block for block, status in dict(executor.status_facade).items() if not status.terminal]
                executor.provider.cancel([executor.blocks_to_job_id[block] for block in running])


def _keep_waiting_blocks(executor: HighThroughputExecutor) -> None:
    """Keep all blocks when Parsl's ``htex_auto_scale`` asks to remove 0 blocks.

    With fewer tasks than a block has workers, it asks every few seconds to remove 0 blocks, and the executor cancels
    all blocks that have no worker yet: queued jobs would be cancelled and resubmitted forever (parsl#3696).
    """
    scale_in = executor.scale_in

    def scale_in_some(blocks: int, max_idletime: float | None = None) -> list[str]:
        return scale_in(blocks, max_idletime) if blocks > 0 else []

    executor.scale_in = scale_in_some  # type: ignore[method-assign]


def _let_forgotten_jobs_end(provider: object) -> None:
    """Let Parsl treat jobs that Slurm has forgotten as ended, if it uses ``squeue`` (without accounting).

    ``squeue`` fails if the controller knows none of the jobs (they ended more than MinJobAge ago); Parsl then keeps
    their last state, considers them running forever and submits no others. The second command fails only if the
    controller does.
    """
    from parsl.providers import SlurmProvider

    if isinstance(provider, SlurmProvider) and provider._cmd.startswith("squeue"):
        provider._cmd += " || squeue --noheader --name=none"


def why_given_up(error: BaseException) -> str | None:
    """Return why Parsl has given up an executor whose batch jobs failed; None for other errors."""
    from parsl.executors.errors import BadStateException

    if not isinstance(error, BadStateException):
        return None
    whole = re.sub(r"\s*\n\s*", " ", error.reason.rpartition("Error ")[2].partition(":")[2]).strip()
    return f"Parsl gave up executor {error.executor.label} because its last batch jobs failed; the last one: {whole}"


def is_lost(error: BaseException) -> bool:
    """Return whether a task's worker or node was lost, as at a scheduler's wall time."""
    from parsl.executors.high_throughput.errors import ManagerLost, WorkerLost

    return isinstance(error, ManagerLost | WorkerLost)


def search_paths() -> list[str]:
    """Return the module search paths of this Python outside its environment, which other processes do not know."""
    own = (sys.prefix, sys.base_prefix)
    entries = dict.fromkeys(os.path.abspath(entry) for entry in sys.path)
    return [entry for entry in entries if not any(Path(entry).is_relative_to(place) for place in own)]


class _QuietFile(logging.FileHandler):
    """A log file that drops lines when the disk is full; the run itself reports the full disk."""

    def handleError(self, record: logging.LogRecord) -> None:
        pass


def _log_to(path: Path) -> Callable[[], None]:
    """Send Parsl's log only to a file; return a function that undoes this."""
    path.parent.mkdir(parents=True, exist_ok=True)
    logger = logging.getLogger("parsl")
    level, propagate = logger.level, logger.propagate
    handler = _QuietFile(path, delay=True)
    handler.setFormatter(logging.Formatter("%(asctime)s %(name)s %(levelname)s %(message)s"))
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False

    def undo() -> None:
        logger.removeHandler(handler)
        logger.setLevel(level)
        logger.propagate = propagate
        with suppress(OSError):  # a full disk, at the last flush
            handler.close()

    return undo
