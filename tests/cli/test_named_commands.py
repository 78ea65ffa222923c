"""Commands and options that messages name exist: a fix that a message names can be typed."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from nnpal_commands import ROOT_COMMAND, command_named, options_of

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "python" / "nnpal"
# Files whose messages are those of one command, which need not name it; others name it beside the option
OWN_COMMANDS = {
    "cli/calibrate.py": [["calibrate"]],
    "cli/compile.py": [["compile"]],
    "cli/data.py": [["data", name] for name in ("convert", "check", "info", "split")],
    "cli/evaluate.py": [["evaluate"]],
    "cli/evaluate_cross.py": [["evaluate"]],
    "cli/evaluate_deviation.py": [["evaluate"]],
    "cli/schema.py": [["schema"]],
    "cli/run.py": [["run"], ["status"]],
    "smd/analysis.py": [["smd", "report"]],
    "smd/free_energy.py": [["smd", "report"]],
    "cli/members.py": [["momt", "report"], ["smd", "report"]],
    "cli/momt.py": [["momt", "report"]],
    "cli/momt_series.py": [["momt", "series"]],
    "cli/smd.py": [["smd", "report"]],
}
# Options of other programs: (file, option): whose
OTHERS = {
    ("active_learning/engine/task.py", "--watched"): "python -m nnpal.active_learning.engine.task",
    ("active_learning/engine/attempt.py", "--watched"): "python -m nnpal.active_learning.engine.task",
    ("active_learning/sampling/tasks.py", "--ntasks"): "srun",
    ("active_learning/engine/stale_stages.py", "--redo"): "the command that the caller gives, nnpal run CONFIG",
    ("active_learning/engine/stale_stages.py", "--keep"): "the command that the caller gives, nnpal run CONFIG",
    ("active_learning/engine/batch_jobs.py", "--me"): "squeue or sacct",
    ("active_learning/engine/batch_jobs.py", "--noheader"): "squeue or sacct",
    ("active_learning/engine/batch_jobs.py", "--format"): "squeue or sacct",
    ("active_learning/engine/batch_jobs.py", "--parsable2"): "squeue or sacct",
    ("active_learning/engine/batch_jobs.py", "--jobs"): "squeue or sacct",
    ("active_learning/engine/batch_jobs.py", "--exclude"): "sbatch",
    ("active_learning/engine/executors.py", "--noheader"): "squeue",
    ("active_learning/engine/executors.py", "--name"): "squeue",
    ("data/read.py", "--formats"): "ase info",
    ("cli/app.py", "--help"): "every command's",
    ("doctor/plugin_file.py", "--build"): "cmake",
}
NO_MESSAGES = {"active_learning/report/css.py"}
WORDS = {"data", "smd", "momt"}  # groups: the name of the command follows


def messages() -> Iterator[tuple[str, str]]:
    """Yield file and text of each text in the package, adjoining pieces and f-strings as one; {} for what is filled in.

    Docstrings are left out.
    """
    for path in sorted(PACKAGE.rglob("*.py")):
        tree = ast.parse(path.read_text())
        inside: set[ast.AST] = set()
        for node in ast.walk(tree):
            body = getattr(node, "body", None)
            if isinstance(body, list) and body and isinstance(body[0], ast.Expr):
                inside.add(body[0].value)
            if isinstance(node, ast.JoinedStr):
                inside.update(ast.walk(node))
                parts = [part.value if isinstance(part, ast.Constant) else "{}" for part in node.values]
                yield path.relative_to(PACKAGE).as_posix(), "".join(map(str, parts))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in inside:
                yield path.relative_to(PACKAGE).as_posix(), node.value


MESSAGES = [(file, text) for file, text in messages() if file not in NO_MESSAGES]


def commands_in(text: str) -> list[list[str]]:
    """Return the commands that a text names, as `nnpal run` or `nnpal data convert`; words of prose are none."""
    found = []
    for match in re.finditer(r"\bnnpal ((?:data|smd|momt) \w+|\w+)", text):
        words = match[1].split()
        if words[0] in ROOT_COMMAND.commands:  # type: ignore[attr-defined]
            found.append(words)
    return found


def test_texts_are_found():
    assert len(MESSAGES) > 1000
    assert any("nnpal label --retry-failed" in text for _, text in MESSAGES)


def test_options_in_messages_exist():
    wrong = []
    for file, text in MESSAGES:
        if "pip install" in text or re.fullmatch(r"-[-\w/]+", text):  # pip's, and declarations of options
            continue
        for option in re.findall(r"(?<![\w-])--[a-z][\w-]*", text):
            if (file, option) in OTHERS:
                continue
            commands = commands_in(text) or OWN_COMMANDS.get(file, [])
            known = [names for words in commands for names in options_of(command_named(words)[0])]
            if not any(option in names for names in known):
                wrong.append(f"{file}: {option} in {text!r}: of {commands or 'no command'}")
    assert wrong == []


def test_excuses_are_needed():
    for file, option in OTHERS:
        assert any(file == at and option in text for at, text in MESSAGES), f"{file}: {option}: gone"
    for file in OWN_COMMANDS:
        assert (PACKAGE / file).is_file()


@pytest.mark.parametrize("suffix", ["py", "cpp", "h", "cu"])
def test_commands_in_instructions_exist(suffix: str):
    """What stands between backticks, or after `run:`, is typed by people."""
    folder = PACKAGE if suffix == "py" else ROOT / "src"
    for path in folder.rglob(f"*.{suffix}"):
        text = path.read_text()
        for words in re.findall(r"(?:`|run: |next: )nnpal ((?:data |smd |momt )?[a-z]+)", text):
            command_named(words.split())


def test_a_wrong_option_is_found():
    assert commands_in("see nnpal data convert --lammps-units metal; nnpal was built") == [["data", "convert"]]
    names = set().union(*options_of(command_named(["label"])[0]))
    assert "--retry-failed" in names
    assert "--energy-unit" not in names
    with pytest.raises(LookupError, match="no command 'info'"):
        command_named(["momt", "info"])
