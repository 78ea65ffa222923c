"""A hook's state in a restart file: every bit comes back, and nothing in it can run code."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from nnpal.hooks import HookError
from nnpal.hooks.state import pack, unpack


def test_round_trip_to_the_bit() -> None:
    rng = np.random.default_rng(1)
    state = {
        "coefficients": rng.normal(size=(3, 4)),
        "visits": np.arange(6, dtype=np.int64).reshape(2, 3),
        "f32": np.float32([np.pi]),
        "special": np.array([np.nan, np.inf, -0.0]),
        "empty": np.zeros((0, 3)),
        "ln_f": 0.1 + 0.2,
        "huge": float("inf"),
        "step": 2**53 + 1,
        "name": "δH «x»",
        "on": True,
        "nothing": None,
        "nested": {"list": [1, [2.5, "a", np.ones(2)], {}]},
    }
    back = unpack("m:C", pack("m:C", state))
    assert list(back) == list(state)
    for name in ("coefficients", "visits", "f32", "special", "empty"):
        assert back[name].dtype == state[name].dtype
        assert back[name].shape == state[name].shape
        assert back[name].tobytes() == state[name].tobytes()
    for name in ("ln_f", "huge", "step", "name", "on", "nothing"):
        assert back[name] == state[name]
        assert type(back[name]) is type(state[name])
    assert back["nested"]["list"][1][:2] == [2.5, "a"]
    np.testing.assert_array_equal(back["nested"]["list"][1][2], np.ones(2))


def test_numpy_scalars_become_numbers() -> None:
    assert unpack("m:C", pack("m:C", {"a": np.float64(0.1), "n": np.int32(3)})) == {"a": 0.1, "n": 3}


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({"a": {1: 2}}, r"state\['a'\]: key 1 is not a string"),
        ({"a": [object()]}, r"state\['a'\]\[0\]: object cannot be kept"),
        ({"a": np.array([None])}, r"state\['a'\]: arrays of Python objects"),
    ],
)
def test_what_cannot_be_kept(state: dict, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        pack("m:C", state)


def test_state_of_another_class() -> None:
    with pytest.raises(HookError, match=r"holds the state of m:C under this fix ID, not of m:D"):
        unpack("m:D", pack("m:C", {}))


def test_pickle_is_not_run() -> None:
    with pytest.raises(ValueError, match=r"pickle"):
        unpack("m:C", pickle.dumps({"format": "nnpal-hook-state-1"}))
