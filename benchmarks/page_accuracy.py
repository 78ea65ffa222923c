"""Sections of docs/performance.md on time to accuracy, with its figure, and on the trainer of another package."""

from __future__ import annotations

import statistics
from pathlib import Path

from page_format import Record, number, source, table

FIGURE = Path("figures") / "time_to_accuracy.png"
TITLES = {
    "ni32": "32 Ni, published",
    "al": "Al, solid and liquid",
    "ninb": "Ni-Nb, solid and liquid",
    "butane": "n-butane, broken bonds",
}
QUANTITIES = {"energy": "energy RMSE, meV/atom", "force": "force RMSE, meV/Å"}
HEIGHT, WIDTH = 2.3, 7.2  # inches: height of a row of panels, width of the figure


def time_to_accuracy(record: Record) -> str:
    of_sets = {name: len({run["seed"] for run in found["runs"]}) for name, found in record["sets"].items()}
    said = [f"{n} ({', '.join(name for name in of_sets if of_sets[name] == n)})" for n in sorted({*of_sets.values()})]
    seeds = f"Number of seeds: {'; '.join(said)}; costs are means over seeds"
    return f"""
## Time to accuracy

![Held-out errors of energy and force over CPU seconds of training, by set]({FIGURE.as_posix()})

CPU seconds of updates and validation of one member on one core, without imports, features and the evaluation on
held-out configurations, which no training uses. Errors are those of the weights that would be kept after an epoch. A
target is reached when both the energy and the force error are below it. Contenders run one after another. If a
contender has several trainings with schedules of different length, the first one to reach the target counts.
{seeds}.

The contenders have these settings:

{settings(record)}
{table(["set, held-out RMSE", *(f"{who}, s (updates)" for who in names(record)), "speed-up"], to_targets(record))}
Lowest errors (energy in meV/atom, force in meV/Å) up to the CPU time at which a training of the later contender ends:

{table(["set, CPU s", *names(record), "ratio of errors"], equal_times(record))}
""" + source(record, "time_to_accuracy", "time_to_accuracy.py FOLDER")


def peer_training(record: Record) -> str:
    peer, versions = record["peer"]["input"]["model"], record["peer"]["versions"]
    descriptor, fitting = peer["descriptor"], peer["fitting_net"]["neuron"]
    who = [name for name in record["results"][0] if name != "budget_cpu_s"]
    rows = [
        [f"{row['budget_cpu_s']:g} s", *(f"{row[one]['energy']:.2f}, {row[one]['force']:.1f}" for one in who)]
        for row in record["results"]
    ]
    features = [own["features_cpu_s"] for row in record["results"] for own in row.values() if is_nnpal(own)]
    family = f"{descriptor['type']}, embedding {widths(descriptor['neuron'])}, cutoff {descriptor['rcut']:g} Å"
    return f"""
## Comparison with DeePMD-kit's trainer

DeePMD-kit {versions["deepmd-kit"]} (torch {versions["torch"]}) and nnpal train on energies and forces of the same
{record["n_learned"]:,} configurations of 32 Ni atoms on one core. The table gives RMSEs of energy (meV/atom) and force
(meV/Å) on {record["n_held_out"]} held-out configurations after equal CPU time of training. Each budget is a separate
training, because learning rates depend on its length. The models are of different types:

- DeePMD-kit: {family}, fitting network {widths(fitting)}, one configuration per step, all as in the water example of
  its documentation except for {descriptor["precision"]}. That example runs for 100,000 steps and more
  ({1000 * record["peer"]["seconds_per_step"]:.0f} ms each here); it is not designed for short trainings.
- nnpal: AEV of 54 with a cutoff of 6.9 Å, 224-192-160. AEVs and their derivatives are computed once, before the
  training, in {number(statistics.median(features))} CPU seconds that are not included; DeePMD-kit's statistics of the
  data are not included either.

{table(["CPU time", *who], rows)}
""" + source(record, "peer_training", "peer_training.py FOLDER --python PEER")


def is_nnpal(row: object) -> bool:
    return isinstance(row, dict) and "features_cpu_s" in row


def widths(layers: list[int]) -> str:
    return "-".join(map(str, layers))


def names(record: Record) -> list[str]:
    """Return the contenders' names in the order in which they ran."""
    return list(dict.fromkeys(run["contender"] for found in record["sets"].values() for run in found["runs"]))


def settings(record: Record) -> str:
    """Return a line for each contender with the settings that differ from those of the others."""
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
            if values == ["None"]:  # nnpal's default
                continue
            if len(own) == 1 or any(str(one.get(key)) not in values for one in others) or len(values) > 1:
                said.append(f"`{key}` {' or '.join(values).replace('None', 'its default')}")
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
    """Draw held-out errors over CPU seconds, one column per set, both axes logarithmic, targets as gray lines."""
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
