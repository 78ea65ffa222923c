"""Run the loop of a configuration file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from nnpal.active_learning.config import RunConfig, read_run_config, resolved_tables
from nnpal.active_learning.engine.engine import Outcome, run_loop
from nnpal.active_learning.engine.manifest import read_manifest
from nnpal.active_learning.engine.stage import Loop, Unwatched, Watch
from nnpal.active_learning.plan import Plan, plan_of
from nnpal.runtime.places import folder_fault


def run(
    config_path: Path,
    *,
    redo: bool = False,
    keep: bool = False,
    only: str | None = None,
    log: Callable[[str], None] = print,
    watch: Watch = Unwatched,
) -> Outcome:
    """Start or resume a run, after all checks of its configuration.

    Arguments:
        config_path: configuration file; the run folder is relative to its folder.
        redo, keep, only, log, watch: see :func:`nnpal.active_learning.engine.engine.run_loop`.

    Returns:
        The outcome of the run.

    Raises:
        nnpal.config.ConfigError: the configuration cannot work; nothing is written then.
        nnpal.active_learning.engine.error.LoopError: see :func:`nnpal.active_learning.engine.engine.run_loop`.

    Example:
        >>> from pathlib import Path
        >>> from nnpal import run_loop
        >>> outcome = run_loop(Path("rare_events.toml"), log=print)
        finished: all 2 iterations are done
        >>> outcome.state
        'finished'
    """
    config, base_folder, _ = _checked(config_path)
    tables = resolved_tables(config, base_folder)
    loop = loop_of(config, base_folder)
    folder = base_folder / config.run.folder
    return run_loop(loop, config_path, tables, folder, redo=redo, keep=keep, only=only, log=log, watch=watch)


def check(config_path: Path) -> Plan:
    """Check the configuration without running or writing anything, and return the plan of the run.

    Raises:
        nnpal.config.ConfigError: the configuration cannot work; the error contains all faults.
        nnpal.active_learning.engine.error.LoopError, nnpal.label.StoreError: the run folder contains something else.
    """
    config, base_folder, n_source = _checked(config_path)
    return plan_of(config, base_folder, loop_of(config, base_folder), n_source)


def _checked(config_path: Path) -> tuple[RunConfig, Path, int | None]:
    """Return the configuration, its folder, and the number of configurations to translate."""
    from nnpal.active_learning.checks import CheckError, Fault, faults, read_given

    config = read_run_config(config_path)
    base_folder = config_path.resolve().parent
    if why := folder_fault(base_folder / config.run.folder):
        raise CheckError(config_path, [Fault("run.folder", str(config.run.folder), why)])
    is_new = not read_manifest(base_folder / config.run.folder).entries
    given = read_given(config, base_folder, is_new=is_new)
    if found := faults(given):
        raise CheckError(config_path, found)
    return config, base_folder, None if given.source is None else given.source[1]


def loop_of(config: RunConfig, base_folder: Path) -> Loop:
    """Return the loop of a configuration."""
    if config.rare_events is not None:
        from nnpal.active_learning.rare_events import RareEvents

        return RareEvents(config, base_folder)
    if config.distillation is not None:
        from nnpal.active_learning.distillation import Distillation

        return Distillation(config, base_folder)
    from nnpal.active_learning.distillation import Translation

    return Translation(config, base_folder)
