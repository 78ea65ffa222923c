"""Section of docs/performance.md on warm starts: members that start from the previous iteration."""

from __future__ import annotations

from page_format import Record, source, table

COLUMNS = {
    "energy_rmse": ("energy RMSE, meV/atom", ".2f"),
    "force_rmse": ("force RMSE, meV/Å", ".1f"),
    "force_mae": ("force MAE", ".1f"),
    "ratio": ("true error / spread", ".2f"),
    "spearman": ("rank correlation", ".2f"),
    "within_1": ("% within 1 sigma", ".0f"),
    "within_2": ("% within 2 sigma", ".0f"),
    "validation_over_held_out": ("validation MAE / held-out MAE", ".2f"),
    "cpu_s": ("CPU s", ".0f"),
}


def warm_start(record: Record) -> str:
    rows = []
    for name, own in record["sets"].items():
        for who, points in own["iterations"].items():
            mean, last = (own["summary"][who][which] for which in ("mean", "last"))
            cells = [
                f"{last[key]:{form}}" if len(points) == 2 else f"{mean[key]:{form}} ({last[key]:{form}})"
                for key, (_, form) in COLUMNS.items()
            ]
            rows.append([f"{name}, {who}", *cells])
    step = next(iter(record["sets"].values()))["step"]
    shape = "-".join(map(str, record["hidden"]))
    contenders = list(next(iter(record["sets"].values()))["iterations"])
    long = ";\n- *long*: five times as many updates, in the last iteration only" if "cold, long" in contenders else ""
    command = " ".join(f'"{who}"' if " " in who else who for who in contenders)
    return f"""
## Warm starts

Ensembles of {record["members"]} members of {shape} over {record["n_iterations"]} iterations with {step}, {2 * step},
... configurations, {record["updates"]} updates per member in each iteration, and new random splits:

- *cold*: from random weights;
- *warm*: with `start = "previous"`;
- *half*: with half of the updates{long}

Errors and spread are evaluated on held-out configurations; for a normal distribution, 68 and 95 % lie within 1 and 2
sigma. The table gives means over the iterations after the first, and the last iteration in parentheses.
[Training](training.md#warm-starts-measured) has the conclusions.

{table(["", *(title for title, _ in COLUMNS.values())], rows)}
""" + source(record, "warm_start", f"warm_start.py FOLDER --iterations {record['n_iterations']} --contenders {command}")
