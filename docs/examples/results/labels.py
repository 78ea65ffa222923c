"""Errors against labels, distilled and random, three seeds each; `python labels.py draw` draws the existing results."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np

from nnpal.active_learning.engine.manifest import read_manifest
from nnpal.figures.figure import Figure, write_figure
from nnpal.figures.style import log_axis

KINDS, SEEDS = ("distilled", "random"), (1, 2, 3)
PANELS = ("energy MAE, meV/atom", "force MAE, meV/Å", "sum of bond errors, Å", "energy error spread, meV/atom")


def run(seed: int) -> None:
    """Run both kinds of a seed on one sampling and its labels."""
    for kind in KINDS:
        text = Path(f"labels_{kind}.toml").read_text()
        text = re.sub(r'(folder = "labels_\w+)_1"', rf'\1_{seed}"', text).replace("seed = 1\n", f"seed = {seed}\n")
        Path(f"labels_{kind}_{seed}.toml").write_text(text)
    if not Path(f"labels_random_{seed}").exists():
        subprocess.run(["nnpal", "run", f"labels_distilled_{seed}.toml", "--only", "sample"], check=True)
        subprocess.run(["cp", "-r", f"labels_distilled_{seed}", f"labels_random_{seed}"], check=True)
    for kind in KINDS:
        subprocess.run(["nnpal", "run", f"labels_{kind}_{seed}.toml"], check=True)


def rows(kind: str, seed: int) -> list[tuple[object, ...]]:
    found = [stages["train"] for stages in read_manifest(Path(f"labels_{kind}_{seed}")).history() if "train" in stages]
    return [
        (kind, seed, one["n_data"], 1e3 * one["test"]["energy_mae"], 1e3 * one["test"]["force_mae"],
         one["crystals"]["Al"]["summed_bond_error"], one["crystals"]["Al"]["energy_error_spread"])
        for one in found
    ]  # fmt: skip


def draw(*axes) -> None:
    for panel, (one, label) in enumerate(zip(axes, PANELS, strict=True)):
        for kind in KINDS:
            seeds = [[row for row in TABLE if row[:2] == (kind, seed)] for seed in SEEDS]
            # [iterations, seeds], as far as all seeds went; the seeds have different numbers of labels
            n, values = (
                np.array(list(zip(*([row[k] for row in rows] for rows in seeds if rows), strict=False)), dtype=float)
                for k in (2, 3 + panel)
            )
            one.plot(n.mean(axis=1), values.mean(axis=1), "o-", label=kind)
            if values.shape[1] > 1:
                mean, error = values.mean(axis=1), values.std(axis=1, ddof=1) / np.sqrt(values.shape[1])
                one.fill_between(n.mean(axis=1), mean - error, mean + error, alpha=0.2, linewidth=0)
        one.set(xlabel="labels", ylabel=label)
        log_axis(one, "y", [row[3 + panel] for row in TABLE])
    axes[0].legend(frameon=False)


if sys.argv[1:] != ["draw"]:
    for seed in [int(word) for word in sys.argv[1:]] or SEEDS:
        run(seed)
TABLE = [row for kind in KINDS for seed in SEEDS if Path(f"labels_{kind}_{seed}").exists() for row in rows(kind, seed)]
COLUMNS = dict(zip(("choice", "seed", "labels", *PANELS), zip(*TABLE, strict=True), strict=True))
FIGURE = Figure(
    "labels", "Errors and labels", "Mean over seeds and its standard error.", "Errors fall as labels are added.",
    COLUMNS, draw, grid=(2, 2), size=(7, 5),
)  # fmt: skip
write_figure(Path(), FIGURE)
