"""The moving spring and the constant force as functions of time and distance; no LAMMPS."""

from __future__ import annotations

import json

import numpy as np
import pytest

from nnpal.smd.steering import ConstantForce, MovingSpring


def pulled(spring: MovingSpring, distances: np.ndarray, dt: float) -> np.ndarray:
    """Return λ, F, W after each step at these distances, [n, 3]; the first is the start."""
    rows = []
    for i, d in enumerate(distances):
        if i == 0:
            spring.begin(d)
        else:
            spring.advance(dt)
        spring.evaluate(d)
        rows.append((spring.target, spring.force, spring.work))
    return np.array(rows)


def test_known_work_of_a_held_distance() -> None:
    # d stays, so F = k rate t and W = ½ k (rate t)²; the trapezoid is exact for a linear force
    rows = pulled(MovingSpring(20.0, 2.0, None), np.full(101, 1.5), 0.01)
    t = 0.01 * np.arange(101)
    np.testing.assert_allclose(rows[:, 0], 1.5 + 2.0 * t, rtol=1e-15)
    np.testing.assert_allclose(rows[:, 1], 40.0 * t, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(rows[:, 2], 0.5 * 20.0 * (2.0 * t) ** 2, rtol=1e-12, atol=1e-13)


def test_work_is_the_trapezoid_of_force_over_lambda() -> None:
    d = 3.0 + np.random.default_rng(1).normal(0, 0.1, 500)
    rows = pulled(MovingSpring(5.0, -1.0, 3.2), d, 0.002)
    target, force = rows[:, 0], 5.0 * (rows[:, 0] - d)
    np.testing.assert_allclose(rows[:, 1], force, rtol=1e-12)
    np.testing.assert_allclose(rows[-1, 2], np.trapezoid(force, target), rtol=1e-12)


def test_no_rounding_error_grows_with_time() -> None:
    spring = MovingSpring(1.0, 1.0, 0.0)
    for _ in range(100_000):
        spring.advance(0.001)
    assert spring.target == pytest.approx(100.0, rel=1e-15)
    assert sum([0.001] * 100_000) != pytest.approx(100.0, rel=1e-12, abs=0.0)  # what adding up would give


def test_a_second_evaluation_in_a_step_replaces_the_first() -> None:
    # as Monte Carlo moves cause them
    once, twice = MovingSpring(2.0, 1.0, 1.0), MovingSpring(2.0, 1.0, 1.0)
    for step in range(10):
        for spring in (once, twice):
            if step:
                spring.advance(0.1)
        twice.evaluate(9.0)
        for spring in (once, twice):
            spring.evaluate(1.0 + 0.01 * step)
    assert once.state() == twice.state()


def test_state_goes_on_where_it_stood() -> None:
    d = 3.0 + np.random.default_rng(2).normal(0, 0.1, 40)
    whole = pulled(MovingSpring(5.0, 1.0, None), d, 0.01)
    first = MovingSpring(5.0, 1.0, None)
    pulled(first, d[:20], 0.01)
    second = MovingSpring(5.0, 1.0, None)
    second.load(json.loads(json.dumps(first.state())))
    second.begin(d[19])
    second.evaluate(d[19])  # LAMMPS's setup
    for i in range(20, 40):
        second.advance(0.01)
        second.evaluate(d[i])
        assert (second.target, second.force, second.work) == tuple(whole[i])


def test_another_k_takes_no_work_at_the_moment_of_the_change() -> None:
    first = MovingSpring(5.0, 0.0, 1.0)
    first.evaluate(0.5)
    second = MovingSpring(50.0, 0.0, 1.0)
    second.load(first.state())
    second.evaluate(0.5)
    assert second.work == 0.0
    assert second.force == 25.0


def test_constant_force() -> None:
    force = ConstantForce(-0.5)
    force.begin(2.0)
    force.advance(0.1)
    force.evaluate(2.5)
    assert (force.target, force.energy, force.work) == (2.0, 1.25, -0.25)
    other = ConstantForce(-0.5)
    other.load(force.state())
    other.begin(2.5)
    other.evaluate(3.0)
    assert (other.target, other.work) == (2.0, -0.5)
