"""Print the tables of docs/results_rare_events.md, for finished iterations: python rare_events_tables.py butane_3"""

import sys
from pathlib import Path

from nnpal.active_learning.rare_events.judge import differences, paired_energies
from nnpal.active_learning.rare_events.loop import finished_iterations
from nnpal.active_learning.rare_events.noiseless import noiseless_differences
from nnpal.active_learning.rare_events.pulls import KCAL_MOL


def text(value, form="+.2f"):
    return "–" if value is None else format(value, form).replace("-", "−")


def row(*cells):
    print(f"| {' | '.join(str(cell) for cell in cells)} |")


def iterations(history):
    """Print what each iteration has learned, its errors on the oracle's pulls, and its differences of E_a."""
    rates = sorted(differences(history, history[0]), key=float)
    row("iteration", "learned", "energy MAE, meV/atom", "force MAE, meV/Å", "stiffness MAE, eV/Å²", "without noise", *(
        f"{rate} Å/ps" for rate in rates))  # fmt: skip
    row(*["---"] * (6 + len(rates)))
    for k, done in enumerate(history):
        unseen, stiffness, found = done.train.unseen.ensemble, done.label.stiffness, differences(history, done)
        quiet = ", ".join(text(value) for value in noiseless_differences(history, done))
        means = ["–" if found[rate] is None else f"{text(found[rate].mean)} ({found[rate].n})" for rate in rates]
        row(k, f"{done.train.n_data:,}", text(1e3 * unseen.energy_mae, ".2f"), text(1e3 * unseen.force_mae, ".1f"),
            text(None if stiffness is None else stiffness.mae, ".3f"), quiet, *means)  # fmt: skip


def rates(history):
    """Print E_a of the last iteration at each rate, kcal/mol, and its difference with the interval."""
    row("rate, Å/ps", "E_a, oracle", "E_a, ensemble", "difference", "95 % interval", "pairs", "sd of differences",
        "correlation")  # fmt: skip
    row(*["---"] * 8)
    for rate, found in sorted(differences(history, history[-1]).items(), key=lambda item: float(item[0])):
        pair = paired_energies(history, history[-1], rate)
        ours, theirs = (None if energy is None else KCAL_MOL * energy for energy in pair)
        if found is None:
            row(rate, text(theirs, ".2f"), text(ours, ".2f"), *["–"] * 5)
            continue
        low, high = found.interval() or (None, None)
        row(rate, text(theirs, ".2f"), text(ours, ".2f"), text(found.mean), f"{text(low)} to {text(high)}", found.n,
            text(found.deviation, ".2f"), text(found.correlation, ".2f"))  # fmt: skip


for folder in sys.argv[1:]:
    print(f"\n{folder}\n")
    history = finished_iterations(Path(folder))
    if not history:
        sys.exit(f"{folder}: no iteration is finished")
    iterations(history)
    print()
    rates(history)
