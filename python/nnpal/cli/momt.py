"""The `nnpal momt` commands."""

from __future__ import annotations

from dataclasses import replace
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from nnpal.cli.errors import in_words
from nnpal.cli.members import Device, Factor, Frames, Model, Symbols, calibration_text, evaluate_members, require_both
from nnpal.cli.momt_series import series

if TYPE_CHECKING:
    from rich.console import Console

    from nnpal.momt.analysis import Coexistence, Summary
    from nnpal.momt.trace import Trace

app = typer.Typer(help="Analyze MOMT runs: reweighting, phase transitions, figures.", no_args_is_help=True)
app.command("series")(series)


@app.callback()
def main() -> None:
    """Analyze MOMT runs: reweighting, phase transitions, figures."""


@app.command()
def report(
    bias: Annotated[Path, typer.Argument(help="Bias file of the run, such as momt.h5.")],
    traces: Annotated[list[Path], typer.Argument(help="Trace files of the run, one per walker.")],
    temperature: Annotated[
        list[float] | None,
        typer.Option(
            help="Temperature to reweight to, in K (metal and real units). Repeat for several. Default: T0 of the run."
        ),
    ] = None,
    divide: Annotated[
        float | None,
        typer.Option(help="Order parameter that separates the two phases. Default: determined from the samples."),
    ] = None,
    discard: Annotated[int, typer.Option(help="Number of rows to discard at the start of the production run.")] = 0,
    timestep: Annotated[
        float | None,
        typer.Option(
            help="Timestep of the run, in its time unit, for the time axis of figures. Needed for traces of earlier "
            "versions only, whose rows have no time."
        ),
    ] = None,
    model: Model = None,
    frames: Frames = None,
    symbols: Symbols = None,
    device: Device = "cpu",
    factor: Factor = None,
    reweight_to: Annotated[
        Path | None,
        typer.Option(help="Model file of a different potential. Averages are reweighted to it; requires --frames."),
    ] = None,
    output: Annotated[Path | None, typer.Option(help="Output folder for figures and summary.json.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
) -> None:
    """Analyze a MOMT run by reweighting.

    Print enthalpy, volume, heat capacity, coexistence temperature and latent heat with error bars, and draw figures.

    For a run that is still learning its bias, print the progress and draw the bias and the time series. With --model
    and --frames, add a second error bar from the ensemble members. With --reweight-to and --frames, print all averages
    for another model than the one of the run.
    """
    from json import dumps

    from rich.console import Console

    from nnpal.momt import read_bias, read_trace
    from nnpal.momt.analysis import is_learning, save_figures, summarize, summarize_learning
    from nnpal.momt.reweighting import from_traces, of_frames, under_model
    from nnpal.runtime.json_files import write_json

    try:
        if output is not None and output.exists() and not output.is_dir():
            raise ValueError(f"--output {output}: expected a folder, found a file; give another name")
        learned = read_bias(bias)
        walks = [_with_timestep(path, read_trace(path), timestep) for path in traces]
        learning = is_learning(walks) and discard == 0
        if model is not None and reweight_to is not None:
            raise ValueError(
                "--model and --reweight-to cannot be combined: give the model of the run, or another one to reweight to"
            )
        evaluated = model or reweight_to
        has_frames = require_both(
            evaluated, frames, len(traces), "traces", "--reweight-to" if reweight_to else "--model"
        )
        members = None
        samples = None if learning else from_traces(walks, discard, learned.axes)
        temps = temperature or [learned.temp]
        if samples is None:
            summary = summarize_learning(learned, walks, temps, divide)
        else:
            if evaluated is not None and frames and has_frames:
                steps, energies, known = evaluate_members(evaluated, frames, walks[0].units, symbols, device, factor)
                members = (under_model if reweight_to else of_frames)(samples, steps, energies, known)
                if reweight_to:
                    samples = members.samples
                members = members if len(members.deviations) > 1 else None
            summary = summarize(learned, samples, temps, divide, members)
        if output is not None:
            drawn = save_figures(learned, walks, samples, temps, output, members)
            summary["figures"] = [str(path) for path in drawn]
            write_json(output / "summary.json", summary, sort_keys=False)
    except (ValueError, OSError) as error:
        typer.echo(f"nnpal momt report: {in_words(error)}", err=True)
        raise typer.Exit(1) from error
    if json:
        typer.echo(dumps(summary, indent=2))
    else:
        _print(summary, Console())


def _with_timestep(path: Path, trace: Trace, timestep: float | None) -> Trace:
    """Return a trace with times from the timestep, if one is given.

    Raises:
        ValueError: the timestep is not positive and finite, or the trace already has times.
    """
    if timestep is None:
        return trace
    if not 0.0 < timestep < inf:
        raise ValueError(f"--timestep {timestep:g}: expected a finite number above 0")
    if trace.time is not None:
        raise ValueError(
            f"--timestep {timestep:g}: the rows of trace {path} have times of their own; remove --timestep"
        )
    return replace(trace, time=timestep * trace.step.astype(np.float64))


@app.command()
def finite_size(
    summaries: Annotated[
        list[Path],
        typer.Argument(help="Files summary.json of `nnpal momt report --output`, for two or more system sizes."),
    ],
    compare: Annotated[
        tuple[float, float] | None,
        typer.Option(
            help="Independent transition temperature and its error, in K, to compare the extrapolated value with."
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="Output folder for the figure (PNG, PDF) and its data (CSV).")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")] = False,
) -> None:
    """Extrapolate transition temperatures to infinite size. Several system sizes are fitted linearly in 1/N."""
    from json import dumps

    from nnpal.figures.figure import write_figure
    from nnpal.momt.finite_size import compared, difference, figure, of_summaries

    try:
        other = None if compare is None else compared(*compare)
        line = of_summaries(summaries)
        if output is not None:
            write_figure(output, figure(line, other))
    except (ValueError, OSError) as error:
        typer.echo(f"nnpal momt finite-size: {in_words(error)}", err=True)
        raise typer.Exit(1) from error
    sizes = zip(line.n_atoms.astype(int).tolist(), line.temps.tolist(), line.errors.tolist(), strict=True)
    if json:
        found = {
            "sizes": [{"atoms": n, "temp": temp, "temp_error": error} for n, temp, error in sizes],
            "temp": float(line.infinite.value),
            "temp_error": float(line.infinite.error),
            "slope": float(line.slope.value),
            "slope_error": float(line.slope.error),
            "chi_squared": line.chi_squared,
        }
        if other is not None:
            found["difference"], found["difference_error"] = difference(line, other)
        typer.echo(dumps(found, indent=2))
        return
    for n, temp, deviation in sizes:
        typer.echo(f"{n:8d} atoms {temp:8.2f} ± {deviation:.2g}")
    fit = (
        "two sizes: the linear fit cannot be tested"
        if line.chi_squared is None
        else f"chi squared {line.chi_squared:.2g}"
    )
    degrees = "" if line.chi_squared is None else f" of {len(line.temps) - 2} degree(s) of freedom"
    typer.echo(f"1/N -> 0       {float(line.infinite.value):8.2f} ± {float(line.infinite.error):.2g} ({fit}{degrees})")
    if other is not None:
        by, by_error = difference(line, other)
        typer.echo(f"{other[0]:14} {other[1]:8.2f} ± {other[2]:.2g}: difference {by:+.2f} ± {by_error:.2g}")


def _print(summary: Summary, console: Console) -> None:
    from rich.table import Table

    from nnpal.figures.style import ENERGY, LENGTH

    learning = "learning_rows" in summary
    rows = f"{summary['learning_rows']} rows of the learning phase" if learning else f"{summary['samples']} samples"
    console.print(
        f"{rows} of {summary['walkers']} walker(s), grid {', '.join(summary['grid'])}, "
        f"{summary['visited_bins']} of {summary['bins']} bins visited, {summary['round_trips']} round trips "
        "between the ends"
    )
    if learning:
        console.print(
            f"no production rows yet (ln f = {summary['ln_f']:.3g} kT): samples under a changing bias cannot be "
            "reweighted, so there are no averages; continue the run until learning ends (ln_f_end, or learn STEPS), or "
            "freeze the bias: start FILE phase production"
        )
        return
    energy, length = ENERGY.get(summary["units"], "energy"), LENGTH.get(summary["units"], "length")
    kelvin = "ε/k" if summary["units"] == "lj" else "K"
    if "width" in summary:
        console.print(
            f"reweighted to another model on {summary['samples']} frames: standard deviation of the energy difference "
            f"between the two models {summary['width']:.3g} kT0"
        )
    if summary["outside"]:
        share = summary["outside"] / (summary["outside"] + summary["samples"])
        console.print(f"{summary['outside']} rows outside the grid ({share:.1%}) are excluded")
    if summary["covered"]:
        low, high = summary["covered"]
        console.print(f"temperatures covered: {low:.5g} to {high:.5g} {kelvin}")
    else:
        console.print("temperatures covered: none yet")
    table = Table(box=None, pad_edge=False, collapse_padding=True)
    heads = (f"T\n{kelvin}", f"enthalpy\n{energy}", f"volume\n{length}³", f"heat capacity\n{energy}/{kelvin}")
    for name in (*heads, f"ΔG\n{energy}", "effective\nrows"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in summary["temperatures"]:
        if "error" in row:
            console.print(f"T = {row['temp']:g}: {row['error']}")
            continue
        cells = [
            f"{row['enthalpy']:.6g} ± {row['enthalpy_error']:.2g}",
            f"{row['volume']:.6g} ± {row['volume_error']:.2g}",
            f"{row['heat_capacity']:.4g} ± {row['heat_capacity_error']:.2g}",
            f"{row['difference']:.4g} ± {row['difference_error']:.2g}" if "difference" in row else "-",
        ]
        table.add_row(f"{row['temp']:g}", *cells, f"{row['n_effective']:.0f}")
    if table.row_count:
        console.print(table, width=max(console.width, 120), crop=False)  # do not truncate numbers
    if any("difference" in row for row in summary["temperatures"]):
        console.print("ΔG: G of the high-O phase minus G of the low-O phase, for the whole system")
    coexistence = summary.get("coexistence")
    if coexistence and "error" in coexistence:
        console.print(f"coexistence: {coexistence['error']}")
    elif coexistence:
        console.print(
            f"coexistence temperature {coexistence['temp']:.5g} ± {coexistence['temp_error']:.2g}"
            f"{_second(coexistence.get('members'))} {kelvin} (phases separated at O = {coexistence['divide']:.3g})",
            soft_wrap=True,
        )
        _print_transition(coexistence, summary["atoms"], console, energy, f"{length}³")
        if not summary["round_trips"]:
            console.print(
                "note: the run has not made a round trip between the two ends (keyword ends), so both phases above may "
                "be parts of one, and the coexistence temperature not that of a transition; continue the run",
                soft_wrap=True,
            )
    if "frames" in summary:
        _print_members(summary, console)


def _print_transition(found: Coexistence, n_atoms: int, console: Console, energy: str, volume: str) -> None:
    """Print the changes from one phase to the other, per atom, and how reliable their errors are."""
    console.print(
        f"latent heat {found['latent_heat'] / n_atoms:.5g} ± {found['latent_heat_error'] / n_atoms:.2g} {energy} and "
        f"volume change {found['volume_change'] / n_atoms:.4g} ± {found['volume_change_error'] / n_atoms:.2g} {volume} "
        "per atom, from the high-O to the low-O phase",
        soft_wrap=True,
    )
    if "shift" in found:
        console.print(
            f"{found['shift']:+.3g} ± {found['shift_error']:.2g} relative to the coexistence temperature under the "
            "potential of the run, on the same frames",
            soft_wrap=True,
        )
    trips = (
        f"{found['round_trips']} round trips between the phases in the production run; "
        f"errors from {found['blocks']} blocks"
    )
    few = found["round_trips"] < found["blocks"]
    console.print(f"{trips}{': too few, so the errors are lower bounds' if few else ''}", soft_wrap=True)


def _second(member: dict[str, Any] | None) -> str:
    """Return ` ± ERROR`, the error bar from the members; an empty string if there is none."""
    return f" ± {member['error']:.2g}" if member and "error" in member else ""


def _print_members(summary: Summary, console: Console) -> None:
    """Print the error bars from the members, how reliable they are, and why some are missing."""
    from rich.table import Table

    def say(text: str) -> None:
        console.print(text, soft_wrap=True, highlight=False, markup=False)

    table = Table(box=None, pad_edge=False)
    for name in ("T", "± enthalpy", "± volume", "± heat capacity", "method", "effective frames"):
        table.add_column(name, justify="right")
    rows = [(row["temp"], row["members"]) for row in summary["temperatures"] if "members" in row]
    known = [one for _, row in rows if "undefined" not in row for one in (row["enthalpy"], row["volume"])]
    melting = summary.get("coexistence", {}).get("members", {})
    known += [melting] if "error" in melting else []
    if known:
        worth = calibration_text(known[0]["factor"])
        n_members = len(known[0]["members"])
        say(f"error bars from the members: {n_members} members on {summary['frames']} frames; {worth}")
    for temp, row in rows:
        if "undefined" in row:
            say(f"T = {temp:g}: no error bar from the members: {row['undefined']}")
            continue
        of = [row[name] for name in ("enthalpy", "volume", "heat_capacity")]
        carried = of[0]["n_effective"]
        errors = [f"{one['error']:.2g}" for one in of]
        table.add_row(f"{temp:g}", *errors, of[0]["method"], "-" if carried is None else f"{carried:.0f}")
    if table.row_count:
        console.print(table)
    if "undefined" in melting:
        say(f"coexistence: no error bar from the members: {melting['undefined']}")
    elif melting:
        say(f"coexistence: {melting['method']}, statistical ± members")
