"""The `nnpal` command line as click has it: which commands there are, and the options of each."""

from __future__ import annotations

import re
from collections.abc import Sequence

import click
from typer.main import get_command

from nnpal.cli import app

ROOT_COMMAND: click.Command = get_command(app)


def command_named(words: Sequence[str]) -> tuple[click.Command, list[str]]:
    """Return the command that the words after `nnpal` name, and the words that follow its name.

    Raises:
        LookupError: no such command.
    """
    command, rest = ROOT_COMMAND, list(words)
    while hasattr(command, "commands") and rest and not rest[0].startswith("-"):
        if rest[0] not in command.commands:
            raise LookupError(f"nnpal {' '.join(words)}: no command {rest[0]!r}")
        command = command.commands[rest.pop(0)]
    return command, rest


def options_of(command: click.Command) -> list[set[str]]:
    """Return the options of a command, each with all its names: short, long, and the one that denies it."""
    parameters = command.get_params(click.Context(command))
    options = [one for one in parameters if one.param_type_name == "option"]
    return [{*one.opts, *one.secondary_opts} for one in options]


def unknown_options(text: str) -> list[str]:
    """Return the options in `nnpal COMMAND ... --option` that the command lacks, or the command that is none."""
    words = text.split()[1:]
    try:
        command, rest = command_named(words)
    except LookupError as error:
        return [str(error)]
    if command.context_settings.get("ignore_unknown_options"):  # nnpal lmp: they are LAMMPS's
        return []
    given = [match[0] for word in rest if (match := re.match(r"--[\w-]+", word))]
    return [option for option in given if option not in set().union(*options_of(command))]
