"""Look up commands and options of `nnpal` in click, and run command lines of the docs as a shell does."""

from __future__ import annotations

import glob
import os
import re
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

import click
from typer.main import get_command
from typer.testing import CliRunner

from nnpal.cli.app import app
from processes import run

ROOT_COMMAND: click.Command = get_command(app)


def command_named(words: Sequence[str]) -> tuple[click.Command, list[str]]:
    """Return the command named by the words after `nnpal`, and the remaining words.

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
    """Return the options of a command, each with all its names: short, long and negated."""
    parameters = command.get_params(click.Context(command))
    options = [one for one in parameters if one.param_type_name == "option"]
    return [{*one.opts, *one.secondary_opts} for one in options]


def unknown_options(text: str) -> list[str]:
    """Return the options in `nnpal COMMAND ... --option` that the command lacks, or the unknown command."""
    words = text.split()[1:]
    try:
        command, rest = command_named(words)
    except LookupError as error:
        return [str(error)]
    if command.context_settings.get("ignore_unknown_options"):  # nnpal lmp passes them to LAMMPS
        return []
    given = [match[0] for word in rest if (match := re.match(r"--[\w-]+", word))]
    return [option for option in given if option not in set().union(*options_of(command))]


def run_line(line: str) -> str:
    """Run a line of a page in the working folder and return its output; it must succeed.

    nnpal runs in this process, which saves seconds of start-up time; `cd` changes the folder of this process. Patterns
    of file names are expanded, and `>` redirects output to a file.
    """
    command, _, target = line.partition(" > ")
    words = [path for word in shlex.split(command) for path in (sorted(glob.glob(word)) if "*" in word else [word])]
    if words[0] == "nnpal":
        done = CliRunner().invoke(app, words[1:], catch_exceptions=False)
        assert done.exit_code == 0, f"{line}\n{done.output}"
        output = done.stdout
    elif words[0] == "cd":
        os.chdir(words[1])
        output = ""
    else:
        output = _in_shell(line, words)
    if target:
        Path(target).write_text(output)
    return output


def _in_shell(line: str, words: Sequence[str]) -> str:
    assert words[0] in ("python", "cp", "lmp"), f"{line}: run it here, or list it with the reason why not"
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    found = run(words, env={**os.environ, "PATH": path})
    assert found.returncode == 0, f"{line}\n{found.stdout}{found.stderr}"
    return found.stdout
