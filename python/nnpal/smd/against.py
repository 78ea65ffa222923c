"""The activation energy of pulls compared with that of other pulls, such as pulls under an oracle."""

from __future__ import annotations

from collections.abc import Sequence

from nnpal.observables import Difference, paired_difference, welch_difference
from nnpal.smd.analysis import differing_facts
from nnpal.smd.pull import Pull, activation_energy


def energies_against(pulls: Sequence[Pull], others: Sequence[Pull], *, unpaired: bool = False) -> Difference:
    """Return the mean activation energy of pulls less that of others, with its interval, in the script's units.

    As many of both pair in their order: the first with the first, as pulls with equal seeds. Other numbers do not pair.

    Arguments:
        pulls, others: at one rate, by one spring.
        unpaired: take them as two samples even where they could pair, as seeds differ.

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
    """Return one line for a reader: mean, interval, and what it rests on."""
    half = found.half_width()
    if half is None:
        said = "one pull of each" if found.paired else "a single pull on one side"
        return f"{found.mean:+.4f} (no interval: {said})"
    text = f"{found.mean:+.4f} ± {half:.2g} (95 % interval"
    if not found.paired:
        return f"{text}, unpaired, {found.freedom:.1f} degrees of freedom)"
    correlation = "" if found.correlation is None else f", correlation {found.correlation:.2f}"
    return f"{text}, {found.n} pairs, standard deviation of differences {found.deviation:.2g}{correlation})"
