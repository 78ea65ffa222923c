"""Write the results of calibration.py to docs/uncertainty.md, between its marks, and draw the figure.

python benchmarks/page_calibration.py [--results benchmarks/results] [--root .]
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from calibration_figures import CURVE
from page_accuracy import HEIGHT, TITLES, WIDTH
from page_format import Record, source, table

HERE = Path(__file__).parent
WAYS = ("as it is", "with a factor")
FIGURE = Path("figures") / "calibration.png"
PAGE = Path("uncertainty.md")
BEGIN = "<!-- error bars: written by benchmarks/page_calibration.py -->\n"
END = "<!-- end of error bars -->\n"
COMMAND = "calibration.py FOLDER"
MADE = "`benchmarks/training_sets.py` and `outside_sets.py`"


def block(record: Record) -> str:
    """Return the text between the marks of the page."""
    runs = [(name, run) for name, found in record["sets"].items() for run in found]
    return f"""
![Observed coverage of an interval against its nominal coverage; ratio of true error to error bar]({FIGURE.as_posix()})

Ensembles of {record["members"]} members with nnpal's default settings on the sets of {MADE}, trained
and calibrated on the training sets only. *Inside* (in distribution) is held-out data of the same kind; *outside* (out
of distribution) is data of kinds that are not in the training sets, listed by kind below. Values in parentheses:
`uq_force` itself used as the error bar. The error bar of a force component is error_force/√3. *Tenths*: ratio of true
RMS error to error bar in ten equal parts of the atoms, ordered by error bar; smallest and largest. *Rank*: rank
correlation of error bar and true error, divided by that of an exact error bar.
Training settings: {settings(record)}.

{table(FORCE_HEAD, force_rows(runs))}
By kind; for the last columns all kinds except this one were labeled and used as candidates, as in a loop:

{table(KIND_HEAD, kind_rows(runs))}
Energies of configurations; `error_energy` is defined for some of them only:

{table(ENERGY_HEAD, energy_rows(runs))}
Design goals of nnpal, over tenths, kinds and seeds; values that miss a goal are in bold:

{table(["", *record["sets"]], promise_rows(record))}
""" + source(record, "calibration", COMMAND)


FORCE_HEAD = ["", "RMS error, meV/Å", "true / bar", "within 68 %", "within 90 %", "tenths", "rank"]
KIND_HEAD = [
    "",
    "RMS error, meV/Å",
    "true / bar",
    "within 68, 90 %",
    "rank",
    "candidates: true / bar",
    "within 68, 90 %",
]
ENERGY_HEAD = ["", "with a bar", "their RMS error, meV/atom", "true / bar", "within 68, 90 %", "RMS error of all"]
Runs = list[tuple[str, Record]]


def settings(record: Record) -> str:
    """Return the settings of trainings that are not defaults, and the sets and seeds that they apply to."""
    told: dict[str, list[str]] = {}
    for name, found in record["sets"].items():
        for run in found:
            given = [f"`{key} = {json.dumps(value)}`" for key, value in run["training"].items() if value is not None]
            told.setdefault(", ".join(given), []).append(f"{name}, seed {run['seed']}")
    return "; ".join(f"{said}: {', '.join(which)}" for said, which in told.items())


def peers(record: Record, own: Record) -> str:
    """Return the table of another package on one set, and of nnpal with the first seed."""
    chosen, name = record["chosen"], record["set"]
    [run, *_] = own["sets"][name]
    parts = ("inside", "outside")
    rows = [[f"nnpal, {part}", *figures(run[part]["calibrated"])] for part in parts]
    rows += [[f"apax, {how}, {part}", *figures(record["apax"][how][part])] for how in WAYS for part in parts]
    version, seconds = record["peer"]["versions"]["apax"], record["peer"]["cpu_s"]
    return f"""
Another package on the same data ({name}): apax {version}, one network with {chosen["heads"]} last layers, trained
together by maximum likelihood of energies and forces for {chosen["epochs"]} epochs ({seconds:.0f} CPU s), without
change and with one factor from its validation set. Because the training is short, its errors are larger than those
that the package can reach; compare the error bars with the errors:

{table(["", *FORCE_HEAD[1:]], rows)}
""" + source(record, "calibration_peers", "calibration_peers.py FOLDER --python PEER")


def figures(found: Record) -> list[str]:
    return [
        f"{found['force_rms']:.0f}",
        f"{found['ratio']:.2f}",
        *(f"{share:.0f}" for share in found["coverage"]),
        span(found["tenth_ratios"]),
        f"{found['rank_of_exact']:.2f}",
    ]


def titled(name: str, run: Record, what: str) -> str:
    return f"{name}, seed {run['seed']}, {what}".replace("_", " ")


def force_rows(runs: Runs) -> Iterator[list[str]]:
    for name, run in runs:
        for what in ("inside", "outside"):
            new, raw = run[what]["calibrated"], run[what]["raw"]
            yield [
                titled(name, run, what),
                f"{new['force_rms']:.0f}",
                *(f"{new[key]:.2f} ({raw[key]:.2f})" for key in ("ratio",)),
                *(f"{new['coverage'][k]:.0f} ({raw['coverage'][k]:.0f})" for k in range(2)),
                f"{span(new['tenth_ratios'])} ({span(raw['tenth_ratios'])})",
                f"{new['rank_of_exact']:.2f}",
            ]


def kind_rows(runs: Runs) -> Iterator[list[str]]:
    for name, run in runs:
        for kind, found in (*run["kinds"].items(), ("pooled", run["outside"])):
            own, informed = found["calibrated"], run["left_out"][kind]
            yield [
                titled(name, run, kind),
                f"{own['force_rms']:.0f}",
                f"{own['ratio']:.2f}",
                shares(own),
                f"{own['rank_of_exact']:.2f}",
                f"{informed['ratio']:.2f}",
                shares(informed),
            ]


def energy_rows(runs: Runs) -> Iterator[list[str]]:
    for name, run in runs:
        for what in ("inside", "outside"):
            own = run["energies"][what]
            judged = [f"{own['given_rms']:.1f}", f"{own['ratio']:.2f}", shares(own)] if "ratio" in own else [""] * 3
            yield [titled(name, run, what), f"{own['given']} of {own['n']}", *judged, f"{own['rms']:.1f}"]


def promise_rows(record: Record) -> Iterator[list[str]]:
    """Yield a row for each design goal, with the range of values over the seeds of each set."""
    runs = list(record["sets"].values())
    for number, line in enumerate(runs[0][0]["promises"]):
        cells = []
        for of_set in runs:
            own = [run["promises"][number] for run in of_set]
            found = span([value for one in own for value in one["found"]])
            cells.append(found if all(one["met"] for one in own) else f"**{found}**")
        yield [f"{line['what']}: {limits(line)}", *cells]


def limits(line: Record) -> str:
    if line["high"] is None:
        return f"at least {line['low']:g}"
    return f"{line['low']:g} to {line['high']:g}"


def span(values: list[float]) -> str:
    low, high = (f"{value:.2f}" if abs(value) < 10 else f"{value:.0f}" for value in (min(values), max(values)))
    return low if low == high else f"{low} to {high}"


def shares(found: Record) -> str:
    return "{:.0f}, {:.0f}".format(*found["coverage"])


def page(text: str, results: Path) -> str:
    """Return the text of the page with the results of a folder between its marks."""
    record = json.loads((results / "calibration.json").read_text())
    other = results / "calibration_peers.json"
    last = peers(json.loads(other.read_text()), record) if other.exists() else ""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"{PAGE} has no lines {BEGIN.strip()} and {END.strip()}, between which the tables go")
    return before + BEGIN + block(record) + last + END + after


def draw(record: Record, path: Path) -> None:
    """Draw reliability curves, and true errors over error bars by tenths, one column per set, for the first seed."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    from nnpal.figures.style import CYCLE, STYLE, log_axis, number_decades

    sets = {name: found[0] for name, found in record["sets"].items()}
    ways: dict[str, Any] = {"calibrated": "-", "raw": ":"}
    lines = [(what, how, CYCLE[k], ways[how]) for how in ways for k, what in enumerate(("inside", "outside"))]
    with plt.rc_context(STYLE):
        figure, panels = plt.subplots(2, len(sets), figsize=(WIDTH, 2 * HEIGHT), squeeze=False, layout="constrained")
        for column, (name, run) in enumerate(sets.items()):
            upper, lower = panels[0][column], panels[1][column]
            every: list[float] = []
            for what, how, color, style in lines:
                found = run[what][how]
                upper.plot([0, *CURVE], [0, *found["curve"]], style, color=color, linewidth=1.0)
                bars, true = zip(*found["tenths"], strict=True)
                lower.plot(bars, true, style, color=color, linewidth=1.0, marker=".", markersize=3)
                every += [*bars, *true]
            upper.plot([0, 1], [0, 1], color="0.7", linewidth=0.6, zorder=0)
            lower.axline((1.0, 1.0), slope=1, color="0.7", linewidth=0.6, zorder=0)
            log_axis(lower, "x", every)
            number_decades(lower.xaxis, subs=(1.0,))  # the panels are narrow
            log_axis(lower, "y", every)
            upper.set_title(TITLES[name], fontsize=8)
            upper.set_xlabel("nominal coverage")
            lower.set_xlabel("error bar, meV/Å")
        panels[0][0].set_ylabel("observed coverage")
        panels[1][0].set_ylabel("true RMS error, meV/Å")
        names = {"calibrated": "error_force", "raw": "uq_force"}
        handles = [plt.Line2D([], [], color=c, linestyle=s, label=f"{w}, {names[h]}") for w, h, c, s in lines]
        figure.legend(handles=handles, loc="outside upper center", ncols=len(handles))
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial.png")
        figure.savefig(partial, dpi=150)
        plt.close(figure)
    partial.replace(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--results", type=Path, default=HERE / "results")
    parser.add_argument("--root", type=Path, default=HERE.parent, help="folder that contains docs")
    arguments = parser.parse_args()
    record = json.loads((arguments.results / "calibration.json").read_text())
    path = arguments.root / "docs" / PAGE
    text = page(path.read_text(), arguments.results)
    partial = path.with_suffix(".partial")
    partial.write_text(text)
    partial.replace(path)
    draw(record, arguments.root / "docs" / FIGURE)
    print(f"Wrote {path} and {arguments.root / 'docs' / FIGURE}")


if __name__ == "__main__":
    main()
