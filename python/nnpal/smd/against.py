"""Comparison of the activation energy of pulls with that of other pulls, such as pulls under an oracle."""

from __future__ import annotations

from collections.abc import Sequence

from nnpal.observables import Difference, paired_difference, welch_difference
from nnpal.smd.analysis import differing_facts
from nnpal.smd.pull import Pull, activation_energy


def energies_against(pulls: Sequence[Pull], others: Sequence[Pull], *, unpaired: bool = False) -> Difference:
    """Return the mean activation energy of pulls minus that of others, with its interval, in the script's units.

    Equal numbers of both are paired in their order, as pulls with equal seeds. Different numbers are not paired.

    Arguments:
        pulls, others: pulls at the same rate with the same spring.
        unpaired: whether to treat them as two independent samples in any case, because seeds differ.

    Raises:
        ValueError: the pulls differ in spring, rate or units.
    """
    differing = differing_facts([*pulls, *others])
    if differing:
        raise ValueError(f"the pulls differ in {', '.join(differing)}; a difference of means needs the same of all")
    ours, theirs = ([activation_energy(pull) for pull in some] for some in (pulls, others))
    if unpaired or len(ours) != len(theirs):
        return welch_difference(ours, theirs)
    return paired_difference(ours, theirs)


def in_words(found: Difference) -> str:
    """Return a line of text: mean, interval, and the data behind them."""
    half = found.half_width()
    if half is None:
        said = "one pull of each" if found.paired else "a single pull on one side"
        return f"{found.mean:+.4f} (no interval: {said})"
    text = f"{found.mean:+.4f} ± {half:.2g} (95 % interval"
    if not found.paired:
        return f"{text}, unpaired, {found.freedom:.1f} degrees of freedom)"
    correlation = "" if found.correlation is None else f", correlation {found.correlation:.2f}"
    return f"{text}, {found.n} pairs, standard deviation of differences {found.deviation:.2g}{correlation})"
