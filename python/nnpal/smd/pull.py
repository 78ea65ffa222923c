"""One pull: work function, activation energy, and where the bond breaks."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Pull:
    """What one pull recorded, in the units of its script; arrays [n_rows] in the order of time.

    Attributes:
        step: LAMMPS's step.
        d: pulled distance.
        target: λ.
        force: spring force k (λ − d).
        work: ∫ F dλ since the start of the pull: W as a function of λ (or of d) is the work function.
        facts: what the file says of the pull: units, boltz, k, rate, ...
        name: the file.
    """

    step: NDArray[np.int64]
    d: NDArray[np.float64]
    target: NDArray[np.float64]
    force: NDArray[np.float64]
    work: NDArray[np.float64]
    facts: dict[str, str] = field(default_factory=dict)
    name: str = ""


@dataclass(frozen=True)
class Break:
    """Where the pulled bond gave way: the largest force that it bore, averaged over vibrations.

    Attributes:
        d: breaking distance.
        target: λ there.
        force: largest mean force.
        work: work done by then.
        broken: whether the mean force fell for good below half of its largest value; if not, the pull ended before
            the break, and the other numbers are those of the strongest pull so far.
    """

    d: float
    target: float
    force: float
    work: float
    broken: bool


def activation_energy(pull: Pull) -> float:
    """Return the largest value of the work function, max over λ of W(λ), with W = 0 at the start of the pull.

    It is the work that the far end of the spring has done when the bond has let go: beyond, the spring is slack and W
    stays level. It contains the heat dissipated on the way, so it grows with the rate, and one pull scatters by
    thermal motion; :func:`nnpal.smd.jarzynski` takes both out.

    Arguments:
        pull: of a moving spring.

    Returns:
        Energy in the unit of the script.

    Example:
        >>> from nnpal import activation_energy, read_pull
        >>> round(activation_energy(read_pull("pull.1.txt")), 2)
        3.98
    """
    return float(np.max(pull.work))


def find_break(pull: Pull, window: float) -> Break:
    """Return where the running mean of the force over `window` of λ is largest.

    Arguments:
        pull: of a moving spring.
        window: distance units; long enough to average the vibrations of the bond (rate × some periods), short
            enough to leave the rise of the force.

    Raises:
        ValueError: λ does not move, or the window is not between one row and the whole pull.

    Example:
        >>> from nnpal import find_break, read_pull
        >>> found = find_break(read_pull("pull.1.txt"), window=0.2)
        >>> round(found.d, 1), found.broken
        (1.8, True)
    """
    n = rows_in_window(pull, window)
    force, d, target, work = (running_mean(v, n) for v in (pull.force, pull.d, pull.target, pull.work))
    sign = np.sign(pull.target[-1] - pull.target[0])  # of pushing together, the force is negative
    top = int(np.argmax(sign * force))
    after = sign * force[top:]
    return Break(
        d=float(d[top]),
        target=float(target[top]),
        force=float(force[top]),
        work=float(work[top]),
        broken=bool(after[0] > 0 and after[-1] < 0.5 * after[0]),
    )


def letting_go(pull: Pull, window: float) -> float:
    """Return λ where the bond ruptures: the mean force over `window` has fallen to half of its largest value.

    It lies after the largest force, by as much as the bond bears on the falling side. NaN: the pull ended before, or
    the spring never pulled.

    Arguments:
        pull: of a moving spring.
        window: distance units, as for :func:`find_break`.

    Raises:
        ValueError: as for :func:`find_break`.
    """
    force = np.sign(pull.target[-1] - pull.target[0]) * running_mean(pull.force, rows_in_window(pull, window))
    top = int(np.argmax(force))
    fallen = force[top:] < 0.5 * force[top]
    has_let_go = force[top] > 0.0 and fallen.any()
    return float(pull.target[top + int(np.argmax(fallen))]) if has_let_go else float("nan")


def rows_in_window(pull: Pull, window: float) -> int:
    """Return the odd number of rows that spans `window` of λ."""
    if len(pull.step) < 2 or pull.target[0] == pull.target[-1]:
        raise ValueError(f"{pull.name or 'pull'}: λ does not move; expected a pull at constant velocity")
    length = abs(pull.target[-1] - pull.target[0])
    spacing = length / (len(pull.step) - 1)
    if not 0.0 < window < length:
        raise ValueError(
            f"{pull.name or 'pull'}: window {window:g}: expected more than 0 and less than the way of λ, {length:g}"
        )
    return 2 * int(0.5 * window / spacing) + 1


def running_mean(values: NDArray[np.float64], n: int) -> NDArray[np.float64]:
    """Return the centered mean over n values (n odd), [n_values]; at the ends over as many as there are both ways.

    Arguments:
        values: in order, [n_values].
        n: how many to average, odd.
    """
    half = np.minimum(np.minimum(np.arange(len(values)), np.arange(len(values))[::-1]), n // 2)
    sums = np.concatenate([[0.0], np.cumsum(values)])
    center = np.arange(len(values))
    mean: NDArray[np.float64] = (sums[center + half + 1] - sums[center - half]) / (2 * half + 1)
    return mean
