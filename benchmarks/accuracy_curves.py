"""Evaluate curves of held-out errors over CPU seconds: cost to reach a target, and speed-ups between contenders."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

Run = dict[str, Any]
"""One training: contender, seed, and `curve`, with one list for each of COLUMNS, all of equal length."""
Target = Sequence[float]
"""Held-out RMSE of energy, meV/atom, and of force components, meV/Å."""
COLUMNS = ("epoch", "updates", "cpu_s", "energy", "force")
COSTS = ("cpu_s", "updates", "epoch")
POINTS = 50  # recorded per curve


def reached(run: Run, target: Target) -> dict[str, float] | None:
    """Return the first point of a curve at which both errors are at or below a target, or None."""
    for row in zip(*(run["curve"][name] for name in COLUMNS), strict=True):
        point = dict(zip(COLUMNS, row, strict=True))
        if point["energy"] <= target[0] and point["force"] <= target[1]:
            return point
    return None


def cost(runs: Sequence[Run], contender: str, target: Target) -> dict[str, float] | None:
    """Return CPU seconds, updates and epochs to a target, means over seeds; None if a seed never reached it.

    If a contender has trainings of several lengths, the first to reach the target counts; this choice is made in
    hindsight.
    """
    found = []
    for seed in seeds(runs):
        points = [reached(run, target) for run in own(runs, contender, seed)]
        there = [point for point in points if point is not None]
        if not there:
            return None
        found.append(min(there, key=lambda point: point["cpu_s"]))
    return {name: statistics.mean(point[name] for point in found) for name in COSTS}


def errors_by(run: Run, cpu_s: float) -> tuple[float, float] | None:
    """Return the lowest energy error and the lowest force error up to a time, or None before the first epoch."""
    curve = run["curve"]
    n_points = sum(seconds <= cpu_s for seconds in curve["cpu_s"])
    return (min(curve["energy"][:n_points]), min(curve["force"][:n_points])) if n_points else None


def at_equal_time(runs: Sequence[Run], first: str, second: str) -> list[dict[str, Any]]:
    """Return the lowest errors of two contenders, with equal seeds, up to the end of each training of the second."""
    rows = []
    for run in runs:
        if run["contender"] != second:
            continue
        end = run["curve"]["cpu_s"][-1]
        others = [found for other in own(runs, first, run["seed"]) if (found := errors_by(other, end)) is not None]
        mine = errors_by(run, end)
        if others and mine is not None:
            lowest = tuple(min(error) for error in zip(*others, strict=True))
            better = [there / here for there, here in zip(lowest, mine, strict=True)]
            rows.append(
                {"cpu_s": end, "seed": run["seed"], "errors": {first: lowest, second: mine}, "times_better": better}
            )
    return rows


def comparison(runs: Sequence[Run], targets: Sequence[Target]) -> dict[str, Any]:
    """Return the cost of every contender to each target, and its speed-up and errors relative to the first one."""
    names = list(dict.fromkeys(run["contender"] for run in runs))
    rows = []
    for target in targets:
        costs = {name: cost(runs, name, target) for name in names}
        rows.append({"target": list(target), "costs": costs, "times_sooner": times_sooner(costs)})
    later = {name: at_equal_time(runs, names[0], name) for name in names[1:]}
    return {"to_targets": rows, "at_equal_time": later}


def times_sooner(costs: Mapping[str, dict[str, float] | None]) -> dict[str, float | None]:
    """Return the ratio of the first contender's CPU seconds to those of each other one; None if either is unknown."""
    first, *others = costs
    known = costs[first]
    ratios: dict[str, float | None] = {}
    for name in others:
        mine = costs[name]
        ratios[name] = None if known is None or mine is None else known["cpu_s"] / mine["cpu_s"]
    return ratios


def own(runs: Sequence[Run], contender: str, seed: int) -> list[Run]:
    return [run for run in runs if run["contender"] == contender and run["seed"] == seed]


def seeds(runs: Sequence[Run]) -> list[int]:
    return sorted({run["seed"] for run in runs})


def thinned(curve: Mapping[str, Sequence[float]]) -> dict[str, list[float]]:
    """Return at most POINTS points of a curve, evenly spaced in the logarithm of the epoch, including both ends."""
    n = len(curve["epoch"])
    indices = sorted({round(n ** (k / (POINTS - 1))) - 1 for k in range(POINTS)})
    return {name: [round(curve[name][i], 4) for i in indices] for name in COLUMNS}
