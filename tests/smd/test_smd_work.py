"""The mean work function of several pulls, and what does not average."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nnpal.smd import Pull, mean_work


def pull(scale: float, rows: int = 61, sign: float = 1.0) -> Pull:
    way = np.linspace(0.0, 3.0, rows)
    return Pull(np.arange(rows), 4.0 + sign * way, 4.0 + sign * way, way, scale * way)


def test_work_is_averaged_at_each_target_with_its_scatter():
    found = mean_work([pull(1.0), pull(3.0, 31), pull(2.0)], n_points=7)
    np.testing.assert_allclose(found.target, 4.0 + np.linspace(0.0, 3.0, 7))
    np.testing.assert_allclose(found.mean, 2.0 * np.linspace(0.0, 3.0, 7), atol=1e-12)
    np.testing.assert_allclose(found.deviation, np.linspace(0.0, 3.0, 7), atol=1e-12)
    assert found.n == 3
    pushed = mean_work([pull(1.0, sign=-1.0), pull(3.0, sign=-1.0)], n_points=7)
    np.testing.assert_allclose(pushed.target, 4.0 - np.linspace(0.0, 3.0, 7))
    np.testing.assert_allclose(pushed.mean, 2.0 * np.linspace(0.0, 3.0, 7), atol=1e-12)


def test_only_the_way_of_all_pulls_counts_and_one_has_no_scatter():
    short = pull(1.0)
    short = Pull(short.step[:21], short.d[:21], short.target[:21], short.force[:21], short.work[:21])
    assert mean_work([pull(1.0), short]).target[-1] == pytest.approx(5.0)
    assert np.isnan(mean_work([pull(1.0)]).deviation).all()
    with pytest.raises(ValueError, match="rate is 1, in  it is None"):
        mean_work([pull(1.0), replace(pull(1.0), facts={"rate": "1"})])
    still = pull(1.0)
    with pytest.raises(ValueError, match="λ does not move"):
        mean_work([replace(still, target=np.full(61, 4.0))])
