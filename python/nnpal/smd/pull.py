"""One pull: work function, activation energy, and breaking distance."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Pull:
    """Records of one pull, in the units of its script; arrays, [n_rows], in order of time.

    Attributes:
        step: LAMMPS step of each row.
        d: pulled distance.
        target: position λ of the spring's far end.
        force: spring force k (λ − d).
        work: ∫ F dλ since the start of the pull; W as a function of λ (or d) is the work function.
        facts: facts from the file: units, boltz, k, rate, ...
        name: name of the file.
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
    """The rupture of the pulled bond: the largest force on it, averaged over vibrations.

    Attributes:
        d: breaking distance.
        target: λ at the break.
        force: largest mean force.
        work: work done until the break.
        broken: whether the mean force finally fell below half of its largest value; if not, the pull ended before the
            break, and the other numbers are those at the largest force so far.
    """

    d: float
    target: float
    force: float
    work: float
    broken: bool


def activation_energy(pull: Pull) -> float:
    """Return the largest value of the work function, max over λ of W(λ), with W = 0 at the start of the pull.

    It is the work that the far end of the spring has done when the bond has ruptured; beyond, the spring is slack and W
    constant. It includes dissipated heat, so it grows with the rate, and it scatters between pulls by thermal motion;
    :func:`nnpal.smd.jarzynski` corrects for both.

    Arguments:
        pull: pull with a moving spring.

        Returns:
            Activation energy in the unit of the script.

    Example:
        >>> from nnpal import activation_energy, read_pull
        >>> round(activation_energy(read_pull("pull.1.txt")), 2)
        3.98
    """
    return float(np.max(pull.work))


def find_break(pull: Pull, window: float) -> Break:
    """Return the break, where the running mean of the force over an interval `window` in λ is largest.

    Arguments:
        pull: pull with a moving spring.
        window: interval in λ, distance units; long enough to average the vibrations of the bond (rate × some periods),
            short enough to preserve the rise of the force.

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
    sign = np.sign(pull.target[-1] - pull.target[0])  # the force is negative when pushing together
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
    """Return λ where the bond has ruptured: the mean force over `window` has fallen to half of its largest value.

    It is after the largest force, as the bond still carries a force then. NaN: the pull ended before, or the spring
    never pulled.

    Arguments:
        pull: pull with a moving spring.
        window: interval in λ, distance units, see :func:`find_break`.

    Raises:
        ValueError: see :func:`find_break`.
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
    """Return the centered mean over n values (n odd), [n_values]; windows are shortened symmetrically at the ends.

    Arguments:
        values: values in order, [n_values].
        n: number of values to average, odd.
    """
    half = np.minimum(np.minimum(np.arange(len(values)), np.arange(len(values))[::-1]), n // 2)
    sums = np.concatenate([[0.0], np.cumsum(values)])
    center = np.arange(len(values))
    mean: NDArray[np.float64] = (sums[center + half + 1] - sums[center - half]) / (2 * half + 1)
    return mean
