"""Headline facts of a loop."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from nnpal.active_learning.report.activation_energy import CHEMICAL_ACCURACY
from nnpal.active_learning.report.table import DASH, Cell, Tone, text_of
from nnpal.figures.style import KCAL_MOL
from nnpal.observables import Difference


@dataclass(frozen=True)
class Fact:
    """A headline: label and value."""

    label: str
    cell: Cell


def convergence(reason: str | None, *, converged: bool | None) -> Fact:
    """Return whether the loop has converged, for loops with a criterion; for others see :func:`ending`.

    Arguments:
        reason: the criterion that is met, why the loop stopped without meeting it, or why it continues.
        converged: True: the criterion is met; False: the run stopped without meeting it; None: it continues.
    """
    said, tone = {True: ("yes", "good"), False: ("no", "bad"), None: ("not yet", "warning")}[converged]
    return Fact("Has the run converged?", Cell(said, reason or "", tone))  # type: ignore[arg-type]


def ending(reason: str | None, note: str = "") -> Fact:
    """Return why a loop without a criterion of accuracy ended, which says nothing about its model.

    Arguments:
        reason: why it ended, such as "all 10 pools are distilled"; None: it continues.
        note: progress of the loop.
    """
    return Fact("Why the run ended", Cell(reason or "nothing yet", note))


def error_fact(name: str, value: float | None, on: str) -> Fact:
    """Return a mean absolute error of the last model as a fact.

    Arguments:
        name: name with unit, such as "Force MAE (meV/Å)".
        value: the error, in that unit; None if unknown.
        on: data on which it is evaluated.
    """
    return Fact(name, Cell(value, f"on {on}", decimals=2))


def error_bars_text(statistical: float | None, members: float | None) -> str:
    """Return `± x (statistical) ± y (members)`, kcal/mol, for error bars in eV; leave out None."""
    known = [(statistical, "statistical"), (members, "members")]
    return " ".join(f"± {KCAL_MOL * value:.2f} ({name})" for value, name in known if value is not None)


def judged(found: Difference, bound: float) -> tuple[Tone, str]:
    """Return the tone of a difference in energy, kcal/mol, and its interval as text.

    Good: the whole interval is within ±bound. Warning: only the mean is. Without an interval, as for one pull, the mean
    decides, and the tone is never good.
    """
    interval = found.interval()
    tone: Tone = "good" if found.is_within(bound) else ("warning" if abs(found.mean) < bound else "bad")
    if interval is None:
        return tone, "one pull, no interval" if found.n == 1 else ""
    return tone, f"95 %: {interval[0]:+.2f} to {interval[1]:+.2f}, {found.n} pairs".replace("-", "−")


def activation(
    values: float | None,
    oracle: float | None,
    *,
    bound: float = CHEMICAL_ACCURACY,
    error_bars: str = "",
    difference: Difference | None = None,
) -> Fact:
    """Return E_a of the model and of the oracle as a fact.

    Arguments:
        values: E_a of the model, eV; None or NaN if unknown.
        oracle: E_a of the oracle, eV.
        bound: largest good error, kcal/mol.
        error_bars: text of the error bars, see :func:`error_bars_text`.
        difference: mean difference over pairs of pulls, kcal/mol; None: that of the two values, without an interval.
    """
    ours, theirs = (math.nan if v is None else KCAL_MOL * v for v in (values, oracle))
    shown = "not known" if math.isnan(ours) else f"{ours:.2f} kcal/mol"
    of_bars = f"{error_bars}; " if error_bars and not math.isnan(ours) else ""
    if math.isnan(ours - theirs):
        return Fact(
            "Activation energy",
            Cell(shown, of_bars + "oracle " + (DASH if math.isnan(theirs) else f"{theirs:.2f}"), "warning"),
        )
    found = Difference(ours - theirs, 0) if difference is None else difference
    tone, interval = judged(found, bound)
    note = of_bars + f"oracle {theirs:.2f}; error {found.mean:+.2f}".replace("-", "−")
    note += f" ({interval})" if interval else ""
    return Fact("Activation energy", Cell(shown.replace("-", "−"), f"{note}, bound {bound:g}", tone))


def labels_used(n_labels: int, *, of: int | None = None, what: str = "sampled") -> Fact:
    """Return the number of labeled configurations as a fact; ``of`` is the number of ``what``, None if unknown."""
    percent = 100.0 * n_labels / of if of else 0.0
    share = f"of {text_of(of)} {what} ({percent:{'.0f' if percent >= 10 else '.2g'}} %)" if of else ""
    return Fact("Labels used", Cell(n_labels, share))


def iterations_done(n: int, *, of: int | None = None) -> Fact:
    """Return the number of iterations as a fact, with the largest number allowed."""
    return Fact("Iterations", Cell(n, f"of {of} at most" if of else ""))


def classes(counts: Mapping[str, int]) -> list[Fact]:
    """Return the numbers and shares of accurate, candidate and failed frames in the last exploration as facts."""
    total = sum(counts.values())
    found = []
    for name in ("accurate", "candidate", "failed"):
        n = counts.get(name, 0)
        share = f"{100.0 * n / total:.1f} % of {total:,} frames" if total else "no frames"
        tone = "bad" if name == "failed" and n else "plain"
        found.append(Fact(name.capitalize(), Cell(n, share, tone)))  # type: ignore[arg-type]
    return found
