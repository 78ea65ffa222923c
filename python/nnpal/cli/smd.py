"""The `nnpal smd` commands."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nnpal.cli.errors import in_words
from nnpal.cli.members import Device, Factor, Frames, Model, Symbols, calibration_text, evaluate_members, require_both

if TYPE_CHECKING:
    from rich.console import Console

    from nnpal.observables import MembersEstimate
    from nnpal.smd import Pull
    from nnpal.smd.analysis import MeanEnergy, Report

app = typer.Typer(help="Steered molecular dynamics: analyze pulls.", no_args_is_help=True)


@app.callback()
def main() -> None:
    """Steered molecular dynamics: analyze pulls."""


@app.command()
def report(
    files: Annotated[list[Path], typer.Argument(help="One file a pull: of the hook, of fix print, or a LAMMPS log.")],
    temperature: Annotated[float, typer.Option(help="Of the pulls, K.")],
    window: Annotated[float, typer.Option(help="Way of λ over which forces are averaged to find the break.")] = 0.2,
    units: Annotated[str | None, typer.Option(help="metal, real or lj, for files that do not say it.")] = None,
    fix: Annotated[str | None, typer.Option(help="Fix ID, for logs that show several fixes.")] = None,
    equivalent_atoms: Annotated[
        bool, typer.Option("--equivalent-atoms", help="Average over pulls of different atoms, equivalent by symmetry.")
    ] = False,
    member: Annotated[
        list[str] | None,
        typer.Option(help="Pulls under one member alone: a file or a quoted pattern, 'm0.*.txt'; repeat for each."),
    ] = None,
    against: Annotated[
        list[str] | None,
        typer.Option(
            help="Pulls to compare with, as under an oracle: a file or a quoted pattern, 'oracle.*.txt'; may be "
            "repeated. As many as FILES pair in the order of their names, as pulls with equal seeds."
        ),
    ] = None,
    unpaired: Annotated[
        bool, typer.Option("--unpaired", help="With --against: the seeds differ, so do not pair.")
    ] = False,
    model: Model = None,
    frames: Frames = None,
    symbols: Symbols = None,
    device: Device = "cpu",
    factor: Factor = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON, ΔF(λ) included.")] = False,
) -> None:
    """Print activation energy and breaking distance of each pull, and ΔF of all by Jarzynski's equality.

    With --member (pulls of each member), or --model and --frames (members along the pulls of FILES): an error bar of
    the activation energy from the members of the ensemble, beside the statistical one. With --against: the difference
    of the activation energies from those of other pulls, with its 95 % interval.
    """
    from json import dumps

    from rich.console import Console

    from nnpal.smd import along_pulls, own_pulls
    from nnpal.smd.against import energies_against
    from nnpal.smd.against import in_words as difference_in_words
    from nnpal.smd.analysis import make_report, units_of
    from nnpal.smd.reading import read_pull

    try:
        pulls = [read_pull(path, fix) for path in files]
        has_frames = require_both(model, frames, len(files), "pulls")
        members = None
        if member:
            if has_frames:
                raise ValueError("--member with --model and --frames: two ways to the same error bar; give one")
            members = own_pulls(_pulls_of_members(pulls, member, fix), factor)
        elif model is not None and frames and has_frames:
            style = units_of(pulls[0], units)
            steps, energies, known = evaluate_members(model, frames, style, symbols, device, factor)
            members = along_pulls(pulls, steps, energies, window, known)
        result = make_report(pulls, temperature, window, units, equivalent_atoms, members)
        if unpaired and not against:
            raise ValueError("--unpaired: it says how pulls of --against compare; give these, or leave it out")
        others = _pulls_against(against or [], fix)
        # a shell may sort FILES by other rules than those of a quoted pattern
        ours, others = (sorted(some, key=lambda pull: pull.name) for some in (pulls, others))
        difference = energies_against(ours, others, unpaired=unpaired) if others else None
    except (OSError, ValueError) as error:
        typer.echo(f"nnpal smd report: {in_words(error)}", err=True)
        raise typer.Exit(1) from error
    if json:
        compared = {} if difference is None else {"against": difference.to_json()}
        typer.echo(dumps({**result.to_json(), **compared}, indent=2))
    else:
        console = Console()
        _print(result, console)
        if difference is not None:
            text = f"less that of {len(others)} pulls of --against: {difference_in_words(difference)}"
            console.print(f"activation energy {text}", highlight=False, soft_wrap=True, markup=False)


def _pulls_against(patterns: list[str], fix: str | None) -> list[Pull]:
    """Return the pulls to compare with.

    Raises:
        ValueError: a pattern without files.
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
    """Return the pulls of each member: as many as of the ensemble, of the same protocol.

    Raises:
        ValueError: a pattern without files or with another number, or pulls of another spring, rate or start.
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
                f"--member {pattern}: {len(paths)} files, but {len(ensemble)} pulls of the ensemble; give as many, "
                "with the same seeds; quote the pattern, or the shell makes its files pulls of the ensemble"
            )
        groups.append([read_pull(path, fix) for path in paths])
    check_one_protocol([ensemble[0], *(pull for group in groups for pull in group)], equivalent_atoms=True)
    return groups


def _print(result: Report, console: Console) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for name in ("pull", "activation energy", "breaking distance", "largest force", "broken"):
        table.add_column(name, justify="left" if name == "pull" else "right")
    for pull in result.pulls:
        numbers = (pull.activation_energy, pull.at.d, pull.at.force)
        table.add_row(pull.name, *(f"{value:.4f}" for value in numbers), "yes" if pull.at.broken else "no")
    console.print(table)
    if result.mean is not None:
        console.print(f"activation energy {_mean(result.mean, len(result.pulls))}", highlight=False, soft_wrap=True)
    if result.mean is not None and result.mean.members is not None:
        console.print(_worth(result.mean.members), highlight=False, soft_wrap=True, markup=False)
    p = result.profile
    if p:
        top = int(p["free_energy"].argmax())
        for label, i in (("largest", top), ("last", -1)):
            console.print(
                f"ΔF(λ), {label}: {p['free_energy'][i]:.4f} ± {p['error'][i]:.4f} at λ = {p['lambda'][i]:.4f} "
                f"(bias {p['bias'][i]:+.4f}, second cumulant {p['second_cumulant'][i]:.4f}, "
                f"{p['n_effective'][i]:.1f} effective pulls)",
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
    return text + (", of one pull: no statistical error" if mean.statistical is None else "")


def _worth(members: MembersEstimate) -> str:
    values = ", ".join(f"{value:.4f}" for value in members.values)
    how = {
        "own runs": "mean over each member's own pulls, whose statistical errors it contains",
        "first order": "members' energies along the pulls, to first order",
    }[members.method]
    return f"members ({how}): {values}; error bar: {calibration_text(members.factor)}"
