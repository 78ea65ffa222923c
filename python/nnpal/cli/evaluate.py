"""The `nnpal evaluate` command."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nnpal.cli.errors import in_words
from nnpal.cli.evaluate_cross import evaluate_cross
from nnpal.cli.evaluate_deviation import evaluate_deviation

if TYPE_CHECKING:
    from ase import Atoms

    from nnpal.evaluation.settings import EvaluateSection


def evaluate(
    model: Annotated[Path, typer.Argument(help="Model file, such as al.nnp.pt.")],
    data: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Labeled configurations, in addition to those of --config. With --cross: further model files. With "
            "--model-deviation: structures, labeled or not."
        ),
    ] = None,
    cross: Annotated[
        bool, typer.Option("--cross", help="Evaluate every model (FILE or NAME=FILE) on every dataset given by --data.")
    ] = False,
    sets: Annotated[
        list[str] | None,
        typer.Option("--data", help="With --cross: a dataset, as FILE or NAME=FILE. Repeat the option for several."),
    ] = None,
    model_deviation: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Write the spread of the members' forces, virials and energies for each structure to FILE, in the "
            "columns of DP-GEN's model_devi.out, and nothing else.",
        ),
    ] = None,
    symbols: Annotated[
        str | None,
        typer.Option(help="With --model-deviation: elements of the LAMMPS atom types of dumps, such as Ni,Al."),
    ] = None,
    trust_lo: Annotated[
        float | None,
        typer.Option(
            help="With --model-deviation: lower bound of max_devi_f, eV/Å (DP-GEN's model_devi_f_trust_lo), to count "
            "accurate, candidate and failed structures."
        ),
    ] = None,
    trust_hi: Annotated[
        float | None,
        typer.Option(help="With --trust-lo: upper bound, eV/Å (model_devi_f_trust_hi). Default: none."),
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="Configuration file (TOML) with tables [evaluate] and, for crystals, [oracle].")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            help="Output folder for summary.json, figures and LAMMPS runs. Default: evaluate, or that of [evaluate]."
        ),
    ] = None,
    units: Annotated[
        str | None, typer.Option(help="Units of data files that do not state them, such as 'eV Å' or metal.")
    ] = None,
    device: Annotated[str | None, typer.Option(help="Device: cpu, cuda or cuda:N. Default: cpu.")] = None,
    uq_force: Annotated[
        bool | None,
        typer.Option(help="Compute uq_force, the spread of the members' forces (default).", show_default=False),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
) -> None:
    """Evaluate a model against reference labels.

    Print errors of energies, forces and stresses, and how well the uncertainty is calibrated. With crystals in
    [evaluate], also compare their relaxed structures with those of the oracle.
    """
    from json import dumps

    from rich.console import Console
    from rich.progress import Progress

    from nnpal.config import validated
    from nnpal.data import Units, read_frames
    from nnpal.evaluation.evaluate import evaluate as run
    from nnpal.evaluation.settings import EvaluateSection
    from nnpal.evaluation.summary import tables
    from nnpal.lammps.process import LmpError

    given: dict[str, Any] = {"output": output, "device": device, "uq_force": uq_force}
    chosen = {name: str(v) if isinstance(v, Path) else v for name, v in given.items() if v is not None}
    try:
        if model_deviation is not None:
            _refuse("with --model-deviation", {
                "--cross": cross or None, "--data": sets, "--config": config, "--output": output,
                "--[no-]uq-force": uq_force, "--json": json or None,
            })  # fmt: skip
            words = None if symbols is None else symbols.replace(",", " ").split()
            evaluate_deviation(
                model, data or [], model_deviation, units=units, symbols=words, device=device,
                trust=(trust_lo, trust_hi),
            )  # fmt: skip
            return
        _refuse("without --model-deviation", {"--symbols": symbols, "--trust-lo": trust_lo, "--trust-hi": trust_hi})
        if cross:
            _refuse("with --cross", {"--config": config, "--[no-]uq-force": uq_force})
            evaluate_cross([model, *(data or [])], sets or [], output or Path("evaluate"), units, device, json)
            return
        if sets:
            raise ValueError("--data requires --cross; without --cross, give the data files after the model file")
        section, frames = _from_file(config) if config else (EvaluateSection(), [])
        section = validated(section.model_dump(mode="json") | chosen, EvaluateSection, source="command line")
        base = config.resolve().parent if config else Path()
        stated = Units.parse(units) if units else None
        frames += [frame for path in data or [] for frame in read_frames(path, units=stated)]
        screen = Console(stderr=True)
        with Progress(console=screen, transient=True, disable=not screen.is_terminal) as progress:
            bar = progress.add_task("configurations", total=len(frames))
            summary = run(model, frames, section, base=base, on_batch=lambda n: progress.advance(bar, n))
    except (OSError, ValueError, LmpError) as error:
        typer.echo(f"nnpal evaluate: {in_words(error)}", err=True)
        raise typer.Exit(1) from error
    if json:
        typer.echo(dumps(summary, indent=1))
        return
    console = Console()
    for table in tables(summary):
        console.print(table, highlight=False, soft_wrap=isinstance(table, str), markup=False)
    console.print(f"Results are in {section.output}.")


def _refuse(when: str, options: dict[str, object]) -> None:
    """Refuse options that would have no effect.

    Arguments:
        options: values of the options by name; None: not given.

    Raises:
        ValueError: one is given; the message names the first.
    """
    for name, value in options.items():
        if value is not None:
            raise ValueError(f"{name} has no effect {when}; remove it")


def _from_file(config: Path) -> tuple[EvaluateSection, list[Atoms]]:
    """Return [evaluate], with its output relative to the file's folder and its oracle from [oracle], and its data."""
    from nnpal.cli.document import read_config
    from nnpal.data.settings import read_files
    from nnpal.oracle.settings import LammpsSection

    document, base = read_config(config), config.resolve().parent
    section = document.evaluate
    files = section.data or (document.data.test if document.data and document.data.test else ())
    update: dict[str, Any] = {"output": base / section.output}
    if not section.oracle and isinstance(document.oracle, LammpsSection) and document.oracle.units == "metal":
        update["oracle"] = tuple(document.oracle.commands)
    return section.model_copy(update=update), read_files(files, base)
