"""The section of docs/performance.md on time to accuracy, its figure, and the section on another package's trainer."""

from __future__ import annotations

from pathlib import Path

from page_format import Record, number, source, table

FIGURE = Path("figures") / "time_to_accuracy.png"
TITLES = {
    "ni32": "32 Ni, published",
    "al": "Al, solid and liquid",
    "ninb": "Ni-Nb, crystals and melts",
    "butane": "n-butane, broken bonds",
}
QUANTITIES = {"energy": "energy RMSE, meV/atom", "force": "force RMSE, meV/Å"}
HEIGHT, WIDTH = 2.3, 7.2  # inches, of a row of panels


def time_to_accuracy(record: Record) -> str:
    n_seeds = len({run["seed"] for found in record["sets"].values() for run in found["runs"]})
    return f"""
## Time to accuracy

![Held-out errors of energy and force over CPU seconds of training, by set]({FIGURE.as_posix()})

One member on one core: CPU seconds of its updates and validation, without imports, features and the scores on the
held-out configurations, which no training saw. Errors are those of the weights that would be kept after an epoch; a
target is reached where energy and force are both there. Means of {n_seeds} seeds, contenders one after another. Where a
contender has several trainings, each with a schedule of its own length, the one that is there first counts.

{settings(record)}
{table(["set, held-out RMSE", *(f"{who}, s (updates)" for who in names(record)), "times sooner"], to_targets(record))}
By the CPU seconds in which a training of the later contender ends, lowest errors until then:

{table(["set, CPU s", *names(record), "times better"], equal_times(record))}
""" + source(record, "time_to_accuracy", "time_to_accuracy.py FOLDER")


def names(record: Record) -> list[str]:
    """Return the contenders' names in the order in which they ran."""
    return list(dict.fromkeys(run["contender"] for found in record["sets"].values() for run in found["runs"]))


def settings(record: Record) -> str:
    """Return a line for each contender: what of its settings the others do not have."""
    own: dict[str, list[Record]] = {}
    for found in record["sets"].values():
        for run in found["runs"]:
            own.setdefault(run["contender"], []).append(run["settings"])
    lines = []
    for who, all_settings in own.items():
        others = [one for other, their in own.items() if other != who for one in their] or all_settings
        said = []
        for key in all_settings[0]:
            values = list(dict.fromkeys(str(one[key]) for one in all_settings))
            if len(own) == 1 or any(str(one.get(key)) not in values for one in others) or len(values) > 1:
                said.append(f"`{key}` {' or '.join(values)}")
        lines.append(f"- *{who}*: {', '.join(said)}")
    return "\n".join(lines) + "\n"


def to_targets(record: Record) -> list[list[str]]:
    rows = []
    for name, found in record["sets"].items():
        for row in found["to_targets"]:
            cells = []
            for cost in row["costs"].values():
                cells.append("not reached" if cost is None else f"{number(cost['cpu_s'])} ({cost['updates']:,.0f})")
            ratios = ["" if ratio is None else number(ratio) for ratio in row["times_sooner"].values()]
            energy, force = row["target"]
            rows.append([f"{name}, {energy:g} meV/atom and {force:g} meV/Å", *cells, ", ".join(ratios)])
    return rows


def equal_times(record: Record) -> list[list[str]]:
    rows = []
    for name, found in record["sets"].items():
        for who, pairs in found["at_equal_time"].items():
            for row in pairs:
                errors = [
                    "{:.2f}, {:.1f}".format(*row["errors"][one]) if one in row["errors"] else ""
                    for one in names(record)
                ]
                better = "{:.2f}, {:.2f}".format(*row["times_better"])
                rows.append([f"{name}, {number(row['cpu_s'])}, {who}, seed {row['seed']}", *errors, better])
    return rows


def draw(record: Record, path: Path) -> None:
    """Draw held-out errors over CPU seconds, a column a set, both axes logarithmic, targets as circles."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    from nnpal.figures.style import CYCLE, STYLE, log_axis

    sets = record["sets"]
    with plt.rc_context(STYLE):
        figure, panels = plt.subplots(2, len(sets), figsize=(WIDTH, 2 * HEIGHT), squeeze=False, layout="constrained")
        for column, (name, found) in enumerate(sets.items()):
            for row, (quantity, label) in enumerate(QUANTITIES.items()):
                axes, values = panels[row][column], []
                for run in found["runs"]:
                    color = CYCLE[names(record).index(run["contender"])]
                    axes.plot(run["curve"]["cpu_s"], run["curve"][quantity], color=color, linewidth=0.9, alpha=0.8)
                    values += run["curve"][quantity]
                for target in found["to_targets"]:
                    axes.axhline(target["target"][row], color="0.7", linewidth=0.6, zorder=0)
                log_axis(axes, "y", values)
                log_axis(axes, "x", [second for run in found["runs"] for second in run["curve"]["cpu_s"]])
                axes.set_xlabel("CPU seconds" if row else "")
                axes.set_ylabel("" if column else label)
            panels[0][column].set_title(TITLES[name], fontsize=8)
        lines = [plt.Line2D([], [], color=CYCLE[k], label=name) for k, name in enumerate(names(record))]
        figure.legend(handles=lines, loc="outside upper center", ncols=len(lines))
        partial = path.with_suffix(".partial.png")
        figure.savefig(partial, dpi=150)
        plt.close(figure)
    partial.replace(path)
