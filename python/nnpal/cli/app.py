"""The `nnpal` command. Only this module prints and sets exit codes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from nnpal import __version__
from nnpal.cli.calibrate import calibrate
from nnpal.cli.compile import compile
from nnpal.cli.data import app as data_app
from nnpal.cli.errors import in_words
from nnpal.cli.evaluate import evaluate
from nnpal.cli.facts import print_facts
from nnpal.cli.label import label
from nnpal.cli.momt import app as momt_app
from nnpal.cli.run import run, status
from nnpal.cli.schema import schema
from nnpal.cli.smd import app as smd_app
from nnpal.cli.train import export, train
from nnpal.cli.upgrade import upgrade
from nnpal.runtime.train_extra import needs_train_extra


class Commands(TyperGroup):
    """All commands; those that need torch report if it is not installed."""

    def invoke(self, context: Any) -> Any:
        try:
            return super().invoke(context)
        except ModuleNotFoundError as error:
            sentence = needs_train_extra(error, f"nnpal {context.invoked_subcommand}")
            if not sentence:
                raise
            typer.echo(sentence, err=True)
            raise typer.Exit(1) from error


app = typer.Typer(
    help="Active learning of neural network potentials inside LAMMPS.",
    cls=Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # with markup, help texts lose words in square brackets, the names of TOML tables
)
app.add_typer(data_app, name="data")
app.command()(label)
app.command()(train)
app.command()(export)
app.command()(evaluate)
app.command()(calibrate)
app.command()(compile)
app.command()(upgrade)
app.command()(run)
app.command()(status)
app.command()(schema)
app.add_typer(momt_app, name="momt")
app.add_typer(smd_app, name="smd")


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"nnpal {__version__}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Active learning of neural network potentials inside LAMMPS."""


@app.command()
def demo(
    what: Annotated[
        str,
        typer.Argument(
            help="Demo to run. butane: a complete active-learning workflow. aluminum: sample, train one ensemble and "
            "write the model file al.nnp.pt."
        ),
    ] = "butane",
    output: Annotated[Path, typer.Option(help="Output folder.")] = Path("demo-output"),
    seed: Annotated[
        int | None, typer.Option(help="Random seed for the whole demo. Default: the seed of the demo's own settings.")
    ] = None,
) -> None:
    """Run a small, complete example.

    The demo butane is active learning of bond breaking in n-butane. The demo aluminum trains a potential, runs it in
    LAMMPS and compares it with the reference potential.
    """
    from rich.console import Console

    from nnpal.active_learning.engine.error import LoopError
    from nnpal.demo.butane import run_butane
    from nnpal.demo.run import run_demo
    from nnpal.demo.settings import DemoSettings
    from nnpal.lammps.process import LmpError

    if what not in ("butane", "aluminum", "aluminium"):
        typer.echo(f"nnpal demo: {what!r}: expected butane or aluminum", err=True)
        raise typer.Exit(1)
    try:
        if what == "butane":
            raise typer.Exit(run_butane(output, Console(), seed).exit_code)
        run_demo(output, DemoSettings() if seed is None else DemoSettings(seed=seed), Console())
    except (LmpError, LoopError, ValueError, OSError) as error:
        typer.echo(f"nnpal demo: {in_words(error)}\nnnpal demo: run `nnpal doctor` to check the installation", err=True)
        raise typer.Exit(1) from error


@app.command()
def doctor(
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Check this installation and suggest fixes. The exit code is 1 if a check fails."""
    from rich.console import Console

    from nnpal.doctor import diagnose
    from nnpal.doctor import table as report

    checks = diagnose()
    if json:
        typer.echo(report.to_json(checks))
    else:
        Console(soft_wrap=False).print(report.to_table(checks))
    if not report.is_well(checks):
        raise typer.Exit(1)


@app.command(
    name="lmp",
    # pass all options except --help on to LAMMPS, also -h
    context_settings={
        "allow_extra_args": True,
        "ignore_unknown_options": True,
        "allow_interspersed_args": False,
        "help_option_names": ["--help"],
    },
    options_metavar="[-in FILE] [any option of lmp]...",
)
def lmp(context: typer.Context) -> None:
    """Run LAMMPS inside this Python process.

    It takes the command-line options of lmp. Use it where lmp cannot load this Python for fix python/hook, and to debug
    hooks.
    """
    from nnpal.lammps.in_process import run_in_process

    raise typer.Exit(run_in_process(context.args))


@app.command()
def info(
    model: Annotated[Path, typer.Argument(help="Model file, such as al.nnp.pt.")],
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Verify a model file and print its metadata."""
    import dataclasses
    from json import dumps

    from nnpal.calibration.summary import recipe_lines, sentences
    from nnpal.model import ModelFileError, read_metadata
    from nnpal.model.compiled.record import read_compiled

    try:
        found, compiled = read_metadata(model), read_compiled(model)
        metadata = dataclasses.asdict(found)
    except (OSError, ModelFileError) as error:
        typer.echo(f"nnpal info: {in_words(error)}", err=True)
        raise typer.Exit(1) from error
    reference = metadata.pop("reference")
    metadata["reference"] = f"{len(reference['species'])} atoms, verified every time the file is loaded"
    if compiled is not None:
        metadata["compiled"] = {
            "torch": compiled.torch_version,
            "machine": f"{compiled.platform}, {compiled.machine}",
            "instructions": " ".join(compiled.instructions),
        }
    if json:
        typer.echo(dumps(metadata, indent=2))
        return
    if found.calibration is not None:
        lines = (*recipe_lines(found.calibration, found.elements), *sentences(found.calibration))
        metadata["calibration"] = "\n".join(lines)
    print_facts(metadata, {"cutoff": "cutoff (Å)", "n_members": "members", "kind": "kind of networks"})
