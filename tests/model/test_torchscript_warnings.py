"""Users do not see that torch deprecates functions that nnpal calls; they see all other warnings."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from custom_modules import Pairs
from ensembles import one_element_ensemble
from nnpal import export_ensemble, export_module, load_model
from nnpal.model.torchscript import deprecation_ignored

# What torch 2.13 and 2.14 say in these functions, of the category of either
DEPRECATED = {
    "script": "`torch.jit.script` is deprecated. Please switch to `torch.compile` or `torch.export`.",
    "load": "`torch.jit.load` is deprecated. Please switch to `torch.export`.",
}
CATEGORIES = (DeprecationWarning, FutureWarning)


def warning_first(function: Callable[..., Any], message: str, category: type[Warning], called: list[str]) -> Any:
    def replaced(*arguments: Any, **keywords: Any) -> Any:
        called.append(message)
        warnings.warn(message, category, stacklevel=1)
        return function(*arguments, **keywords)

    return replaced


@pytest.fixture(params=CATEGORIES, ids=lambda category: category.__name__)
def called(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Have the functions of torch.jit warn as in torch 2.13 or 2.14, whichever is installed; the messages of calls."""
    found: list[str] = []
    for name, message in DEPRECATED.items():
        monkeypatch.setattr(torch.jit, name, warning_first(getattr(torch.jit, name), message, request.param, found))
    return found


@pytest.mark.parametrize("kind", ["fused", "module"])
def test_no_export_and_no_loading_warns(called: list[str], kind: str, tmp_path: Path) -> None:
    with warnings.catch_warnings(record=True) as shown:
        warnings.simplefilter("always")
        if kind == "fused":
            path = export_ensemble(one_element_ensemble(hidden=(4,)), tmp_path / "m.pt")
        else:
            path = export_module(Pairs(2, 4.0), tmp_path / "m.pt", elements=["Ni", "Nb"], cutoff=4.0)
        load_model(path)
    assert [str(warning.message) for warning in shown if "torch.jit" in str(warning.message)] == []
    assert set(called) == set(DEPRECATED.values())  # else nothing was tested


@pytest.mark.parametrize("category", CATEGORIES)
def test_other_warnings_are_shown(category: type[Warning]) -> None:
    with pytest.warns(category, match="of the user's module"), deprecation_ignored():
        warnings.warn("a function of the user's module is deprecated", category, stacklevel=1)
    with pytest.warns(UserWarning, match=r"torch\.jit\.load"), deprecation_ignored():
        warnings.warn(DEPRECATED["load"], UserWarning, stacklevel=1)
    with pytest.warns(category, match=r"3\.14"), deprecation_ignored():
        warnings.warn("`torch.jit.load` is not supported in Python 3.14+ and may break.", category, stacklevel=1)


def test_a_users_own_calls_warn_as_before() -> None:
    with deprecation_ignored():
        pass
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(FutureWarning, match=r"torch\.jit\.load"):
            warnings.warn(DEPRECATED["load"], FutureWarning, stacklevel=1)
