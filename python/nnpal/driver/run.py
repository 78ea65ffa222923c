"""Carry out the loop that a configuration file describes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from nnpal.driver.config import RunConfig, read_run_config, resolved_tables
from nnpal.loop.engine import Outcome, run_loop
from nnpal.loop.stage import Loop


def run(
    config_path: Path,
    *,
    redo: bool = False,
    keep: bool = False,
    only: str | None = None,
    log: Callable[[str], None] = print,
) -> Outcome:
    """Begin a run, or go on with it from where it stands.

    Arguments:
        config_path: the configuration file; the run's folder is beside it.
        redo, keep, only, log: see :func:`nnpal.loop.engine.run_loop`.

    Raises:
        nnpal.config.ConfigError, nnpal.label.oracle.OracleError: a configuration that cannot work.
        nnpal.loop.error.LoopError: see :func:`nnpal.loop.engine.run_loop`.
    """
    config = read_run_config(config_path)
    base_folder = config_path.resolve().parent
    tables = resolved_tables(config, base_folder)
    loop = loop_of(config, base_folder)
    return run_loop(
        loop, config_path, tables, base_folder / config.run.folder, redo=redo, keep=keep, only=only, log=log
    )


def loop_of(config: RunConfig, base_folder: Path) -> Loop:
    """Return the loop of a configuration."""
    if config.rare_events is not None:
        from nnpal.rare_events import RareEvents

        section = config.rare_events
        return RareEvents(base_folder, goal=section.goal, patience=section.patience, steady=section.steady)
    if config.distillation is not None:
        from nnpal.distillation import Distillation
        from nnpal.distillation.pools import n_pools

        return Distillation(base_folder, n_pools=n_pools(config.distillation.model_dump()))
    from nnpal.distillation import Translation

    return Translation(base_folder)
