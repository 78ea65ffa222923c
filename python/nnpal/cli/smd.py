"""The `nnpal smd` commands."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nnpal.cli.errors import in_words
from nnpal.cli.members import Device, Factor, Frames, Model, Symbols, calibration_text, evaluate_members, require_both

if TYPE_CHECKING:
    from rich.console import Console

    from nnpal.observables import MembersEstimate
    from nnpal.smd import Pull
    from nnpal.smd.analysis import MeanEnergy, Report

app = typer.Typer(help="Analyze steered molecular dynamics (SMD) runs.", no_args_is_help=True)


@app.callback()
def main() -> None:
    """Analyze steered molecular dynamics (SMD) runs."""


@app.command()
def report(
    files: Annotated[
        list[Path],
        typer.Argument(help="One file per pull: output of the SMD hook or of fix print, or a LAMMPS log file."),
    ],
    temperature: Annotated[float, typer.Option(help="Temperature of the pulls, in K.")],
    window: Annotated[
        float,
        typer.Option(
            help="Interval in λ (length units of the pull) over which the force is averaged to locate the bond rupture."
        ),
    ] = 0.2,
    units: Annotated[str | None, typer.Option(help="Units of files that do not state them: metal, real or lj.")] = None,
    fix: Annotated[
        str | None, typer.Option(help="ID of the fix to read, for log files with output of several fixes.")
    ] = None,
    equivalent_atoms: Annotated[
        bool,
        typer.Option(
            "--equivalent-atoms", help="Average over pulls of different atoms that symmetry makes equivalent."
        ),
    ] = False,
    member: Annotated[
        list[str] | None,
        typer.Option(
            help="Pulls under a single ensemble member: a file or a quoted pattern, such as 'm0.*.txt'. Repeat the "
            "option for each member."
        ),
    ] = None,
    against: Annotated[
        list[str] | None,
        typer.Option(
            help="Reference pulls to compare with, such as pulls under an oracle: a file or a quoted pattern, such as "
            "'oracle.*.txt'. May be repeated. If there are as many as FILES, they are paired in the order "
            "of their names, as pulls with equal seeds."
        ),
    ] = None,
    unpaired: Annotated[
        bool, typer.Option("--unpaired", help="With --against: do not pair the pulls, because their seeds differ.")
    ] = False,
    model: Model = None,
    frames: Frames = None,
    symbols: Symbols = None,
    device: Device = "cpu",
    factor: Factor = None,
    output: Annotated[
        Path | None,
        typer.Option(help="Output folder for figures (PNG, PDF), their data (CSV) and summary.json."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON, including ΔF(λ).")] = False,
) -> None:
    """Analyze pulls of steered MD.

    Print the activation energy and breaking distance of each pull, and ΔF of all pulls by Jarzynski's equality.

    With --member (separate pulls under each member), or with --model and --frames (members evaluated along the pulls
    in FILES), add an error bar of the activation energy from the ensemble members to the statistical one. With
    --against, print the difference between the activation energies of these and of other pulls, with its 95 %
    confidence interval. With --output, draw work functions and ΔF, each rate by itself.
    """
    from json import dumps

    from rich.console import Console

    from nnpal.runtime.places import require_folder
    from nnpal.smd import along_pulls, own_pulls
    from nnpal.smd.against import energies_against
    from nnpal.smd.against import in_words as difference_in_words
    from nnpal.smd.analysis import make_report, units_of
    from nnpal.smd.reading import read_pull

    try:
        if output is not None:
            require_folder("--output", output)
        pulls = [read_pull(path, fix) for path in files]
        has_frames = require_both(model, frames, len(files), "pulls")
        members = None
        if member:
            if has_frames:
                raise ValueError(
                    "--member cannot be combined with --model and --frames: both give the same error bar; give one"
                )
            members = own_pulls(_pulls_of_members(pulls, member, fix), factor)
        elif model is not None and frames and has_frames:
            style = units_of(pulls[0], units)
            steps, energies, known = evaluate_members(model, frames, style, symbols, device, factor)
            members = along_pulls(pulls, steps, energies, window, known)
        result = make_report(pulls, temperature, window, units, equivalent_atoms, members)
        if unpaired and not against:
            raise ValueError("--unpaired requires --against: give reference pulls with --against, or remove --unpaired")
        others = _pulls_against(against or [], fix)
        # a shell may sort FILES differently from the files of a quoted pattern
        ours, others = (sorted(some, key=lambda pull: pull.name) for some in (pulls, others))
        difference = energies_against(ours, others, unpaired=unpaired) if others else None
        summary = result.to_json() | ({} if difference is None else {"against": difference.to_json()})
        if output is not None:
            _save(output, summary, ours, others, result.kT, units, equivalent_atoms)
    except (OSError, ValueError) as error:
        typer.echo(f"nnpal smd report: {in_words(error)}", err=True)
        raise typer.Exit(1) from error
    if json:
        typer.echo(dumps(summary, indent=2))
    else:
        console = Console()
        _print(result, console, units_of(pulls[0], units))
        if difference is not None:
            text = f"minus that of {len(others)} reference pulls (--against): {difference_in_words(difference)}"
            console.print(f"activation energy {text}", highlight=False, soft_wrap=True, markup=False)
        if output is not None:
            console.print(f"Figures are in {output}.", highlight=False, soft_wrap=True, markup=False)


def _save(
    output: Path,
    summary: dict[str, Any],
    pulls: list[Pull],
    others: list[Pull],
    kT: float,
    units: str | None,
    equivalent_atoms: bool,
) -> None:
    """Write figures and the summary, which names them."""
    from nnpal.figures.figure import write_figure
    from nnpal.runtime.json_files import write_json
    from nnpal.smd.analysis import units_of
    from nnpal.smd.figures import free_energies, work_functions
    from nnpal.smd.protocols import protocols

    style = units_of(pulls[0], units)
    ours, theirs = (protocols(some, kT, equivalent_atoms) for some in (pulls, others))
    drawn = [draw(ours, style, theirs) for draw in (work_functions, free_energies)]
    summary["figures"] = [str(write_figure(output, figure).png) for figure in drawn]
    write_json(output / "summary.json", summary, sort_keys=False)


def _pulls_against(patterns: list[str], fix: str | None) -> list[Pull]:
    """Return the reference pulls to compare with.

    Raises:
        ValueError: no file matches a pattern.
    """
    from glob import glob

    from nnpal.smd.reading import read_pull

    found = []
    for pattern in patterns:
        paths = sorted(glob(pattern))
        if not paths:
            raise ValueError(
                f"--against {pattern}: no such file; give a file or a quoted pattern such as 'oracle.*.txt'"
            )
        found += [read_pull(path, fix) for path in paths]
    return found


def _pulls_of_members(ensemble: list[Pull], patterns: list[str], fix: str | None) -> list[list[Pull]]:
    """Return the pulls of each member: as many as those of the ensemble, with the same protocol.

    Raises:
        ValueError: no file or another number of files matches a pattern, or spring, rate or start differ.
    """
    from glob import glob

    from nnpal.smd.free_energy import check_one_protocol
    from nnpal.smd.reading import read_pull

    groups = []
    for pattern in patterns:
        paths = sorted(glob(pattern))
        if not paths:
            raise ValueError(f"--member {pattern}: no such file; give a file or a quoted pattern such as 'm0.*.txt'")
        if len(paths) != len(ensemble):
            raise ValueError(
                f"--member {pattern}: {len(paths)} files, but {len(ensemble)} pulls of the ensemble; give the same "
                "number, with the same seeds; quote the pattern, or the shell expands it to pulls of the ensemble"
            )
        groups.append([read_pull(path, fix) for path in paths])
    check_one_protocol([ensemble[0], *(pull for group in groups for pull in group)], equivalent_atoms=True)
    return groups


def _print(result: Report, console: Console, style: str) -> None:
    from rich.table import Table

    from nnpal.figures.style import ENERGY, LENGTH

    energy, length = ENERGY[style], LENGTH[style]
    table = Table(box=None, pad_edge=False)
    heads = (f"activation energy,\n{energy}", f"breaking distance,\n{length}", f"largest force,\n{energy}/{length}")
    for name in ("pull", *heads, "broken"):
        is_pull = name == "pull"  # a long path takes several lines, numbers take one
        table.add_column(name, justify="left" if is_pull else "right", no_wrap=not is_pull, overflow="fold")
    for pull in result.pulls:
        numbers = (pull.activation_energy, pull.at.d, pull.at.force)
        table.add_row(pull.name, *(f"{value:.4f}" for value in numbers), "yes" if pull.at.broken else "no")
    console.print(table)
    if result.mean is not None:
        console.print(
            f"activation energy {_mean(result.mean, len(result.pulls))}, in {energy}", highlight=False, soft_wrap=True
        )
    if result.mean is not None and result.mean.members is not None:
        console.print(_worth(result.mean.members), highlight=False, soft_wrap=True, markup=False)
    p = result.profile
    if p:
        top = int(p["free_energy"].argmax())
        for label, i in (("largest", top), ("last", -1)):
            console.print(
                f"ΔF(λ), {label}: {p['free_energy'][i]:.4f} ± {p['error'][i]:.4f} at λ = {p['lambda'][i]:.4f} "
                f"(bias {p['bias'][i]:+.4f}, second cumulant {p['second_cumulant'][i]:.4f}, "
                f"{p['n_effective'][i]:.1f} effective pulls), in {energy}, λ in {length}",
                highlight=False,
                soft_wrap=True,
            )
    for note in result.notes:
        console.print(f"note: {note}", highlight=False, soft_wrap=True, markup=False)


def _mean(mean: MeanEnergy, n_pulls: int) -> str:
    text = f"{mean.value:.4f}"
    if mean.statistical is not None:
        text += f" ± {mean.statistical:.2g} (statistical, {n_pulls} pulls)"
    if mean.members is not None:
        text += f" ± {mean.members.error:.2g} (members)"
    return text + (" (one pull: no statistical error)" if mean.statistical is None else "")


def _worth(members: MembersEstimate) -> str:
    values = ", ".join(f"{value:.4f}" for value in members.values)
    how = {
        "own runs": "mean over separate pulls of each member, including their statistical errors",
        "first order": "member energies along the pulls, to first order",
    }[members.method]
    return f"members ({how}): {values}; error bar: {calibration_text(members.factor)}"
