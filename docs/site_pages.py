"""Generate pages of the site from what they describe, in docs/generated/ (not in the repository)."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import click
import key_tables
from typer.main import get_command

from nnpal.active_learning.config import RunConfig
from nnpal.cli.app import app
from nnpal.cli.document import Config

FOLDER = "generated"
LANGUAGES = {".py": "python", ".toml": "toml"}


def write(docs: Path) -> None:
    """Write all pages; unchanged files are kept, so that Sphinx does not read them again."""
    pages = {
        "commands.md": "".join(commands()),
        "toml.md": toml(),
        "scripts.md": "".join(scripts(docs.parent / "lammps_inputs")),
        "examples.md": "".join(examples(docs / "examples")),
        "contributing.md": page_from(docs.parent / "CONTRIBUTING.md", docs / FOLDER),
        "changelog.md": page_from(docs.parent / "CHANGELOG.md", docs / FOLDER),
        "benchmarks.md": "".join(benchmarks(docs.parent / "benchmarks", docs / FOLDER)),
    }
    folder = docs / FOLDER
    folder.mkdir(exist_ok=True)
    for path in sorted((docs / "notebooks").glob("*.ipynb")):
        pages[f"{path.stem}.md"] = "".join(notebook(path, folder))
    for name, text in pages.items():
        target = folder / name
        if not target.exists() or target.read_text() != text:
            target.write_text(text)


def commands() -> Iterator[str]:
    """Yield usage, description and options of every command, as in `--help`."""
    yield "# Commands\n\nEach command and option, as `nnpal COMMAND --help` prints them.\n\n"
    yield from _command(get_command(app), "nnpal")


def _command(command: click.Command, name: str) -> Iterator[str]:
    context = click.Context(command, info_name=name)
    if nested := getattr(command, "commands", None):
        for part, own in nested.items():
            yield from _command(own, f"{name} {part}")
        return
    arguments = [one for one in command.get_params(context) if one.param_type_name == "argument"]
    options = [one for one in command.get_params(context) if one.param_type_name == "option"]
    yield f"## {name}\n\n{(command.help or '').strip()}\n\n"
    yield f"```text\n{name} {' '.join(command.collect_usage_pieces(context))}\n```\n\n"
    if arguments or options:
        yield "| argument or option | meaning |\n|---|---|\n"
    for one in arguments:
        yield f"| `{(one.metavar or one.name)}` | {_cell(getattr(one, 'help', None) or '')} |\n"
    for one in options:
        names = ", ".join([*one.opts, *one.secondary_opts])
        yield f"| `{names}` | {_cell(getattr(one, 'help', None) or '')} |\n"
    yield "\n"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


def toml() -> str:
    """Return the tables of keys for both types of configuration file."""
    single = "\n".join(part for name in Config.model_fields for part in key_tables.parts(Config, name))
    loop = "\n".join(part for name in RunConfig.model_fields for part in key_tables.parts(RunConfig, name))
    return (
        "# TOML keys\n\nEvery key of the configuration files; `nnpal schema` prints the same.\n\n"
        f"## nnpal label, train, evaluate\n\n{single}\n\n## nnpal run\n\n{loop}\n"
    )


def scripts(folder: Path) -> Iterator[str]:
    """Yield the README of lammps_inputs and the text of every script."""
    yield re.sub(r"\]\(([\w.]+)\)", lambda match: f"](#{_anchor(match[1])})", (folder / "README.md").read_text())
    for path in sorted(folder.iterdir()):
        if path.is_file() and path.name != "README.md":
            yield f"\n## {path.name}\n\n```{LANGUAGES.get(path.suffix, 'text')}\n{path.read_text().rstrip()}\n```\n"


def _anchor(title: str) -> str:
    """Return the anchor of a heading on the repository site and on this one."""
    return re.sub(r"[^\w-]", "", title.lower())


def examples(folder: Path) -> Iterator[str]:
    """Yield the names of all files of docs/examples, with links to download them."""
    yield "# Example files\n\nConfigurations and structures that the pages use: the folder `docs/examples`.\n\n"
    for path in sorted(folder.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            yield f"- [{path.relative_to(folder)}](../examples/{path.relative_to(folder)})\n"


def page_from(path: Path, folder: Path) -> str:
    """Return a page from outside of docs/, with links relative to ``folder``."""

    def moved(match: re.Match[str]) -> str:
        target, mark, anchor = match[1].partition("#")
        return f"]({os.path.relpath(path.parent / target, folder)}{mark}{anchor})"

    return re.sub(r"\]\((?!https?:|#)([^)\s]+)\)", moved, path.read_text())


def benchmarks(folder: Path, target: Path) -> Iterator[str]:
    """Yield the page of the benchmarks, with links to download their results."""
    yield page_from(folder / "README.md", target)
    yield "\n## Results\n\nThe folder `benchmarks/results`:\n\n"
    for path in sorted((folder / "results").glob("*.json")):
        yield f"- [{path.name}]({os.path.relpath(path, target)})\n"


def notebook(path: Path, folder: Path) -> Iterator[str]:
    """Yield the cells of a notebook as a page, with the stored outputs."""
    shutil.copy(path, folder)
    for number, cell in enumerate(json.loads(path.read_text())["cells"]):
        text = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            yield f"{text}\n\n"
            continue
        yield f"```python\n{text}\n```\n\n"
        for output in cell["outputs"]:
            if "text" in output:
                yield f"```text\n{''.join(output['text']).rstrip()}\n```\n\n"
            if picture := output.get("data", {}).get("image/png"):
                name = f"{path.stem}_{number}.png"
                (folder / name).write_bytes(base64.b64decode("".join(picture)))
                yield f"![Figure of the cell above]({name})\n\n"
    yield f"[Download this notebook]({path.name})\n"
