"""How long a training is, which settings contradict one another, and plans of earlier versions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from nnpal.model.description import NetworkDescription
from nnpal.training import EnsembleSettings, LossSettings, TrainingSettings
from nnpal.training.plan import Plan, read_plan, write_plan
from nnpal.training.schedule import length_in_words, linear_factor, total_updates


@pytest.mark.parametrize(
    ("options", "n_train", "n_updates", "words"),
    [
        ({"updates": 70}, 1000, 70, "70 updates"),
        ({"max_epochs": 4, "batch_size": 30}, 100, 16, "4 epochs"),
        ({}, 100, 3000, "3000 updates (20 epochs where these are more)"),
        ({}, 16000, 20000, "3000 updates (20 epochs where these are more)"),
        ({"schedule": "plateau"}, 100, 2100, "300 epochs"),
    ],
)
def test_length(options: dict[str, Any], n_train: int, n_updates: int, words: str) -> None:
    settings = TrainingSettings(**options)
    assert total_updates(settings, n_train) == n_updates
    assert length_in_words(settings) == words


def test_rates_rise_and_fall_to_zero() -> None:
    factors = [linear_factor(update, 100, 4) for update in range(101)]
    assert factors[:5] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    assert factors[52] == pytest.approx(0.5)
    assert factors[100] == 0.0
    assert max(factors) == 1.0


def test_the_warm_up_of_a_short_training_is_a_tenth() -> None:
    assert linear_factor(3, 30, 50) == 1.0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"updates": 5, "max_epochs": 2},
            "updates = 5 and max_epochs = 2 both set the training's length; set one",
        ),
        ({"plateau_patience": 20}, "plateau_patience = 20 has no effect with schedule = 'linear', the default"),
        (
            {"bias_optimizer": "adamw"},
            "bias_optimizer = 'adamw' with optimizer = 'soap': use 'sgd' or remove",
        ),
        ({"schedule": "plateau", "warmup": 7}, "warmup = 7 has no effect with schedule = 'plateau'"),
        ({"min_learning_rate": 1e-5}, "min_learning_rate = 1e-05 has no effect with schedule = 'linear'"),
    ],
)
def test_contradictions(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        TrainingSettings(**options)


def test_plans_of_earlier_versions_are_of_the_earlier_way(tmp_path: Path) -> None:
    """Which they did not name; with it, a training that was finished then loads as what it was."""
    training = TrainingSettings(optimizer="adamw", schedule="plateau", plateau_patience=20, max_epochs=300)
    plan = Plan(NetworkDescription(("Al",)), LossSettings(), training, EnsembleSettings(), content_hash="")
    write_plan(tmp_path, plan)
    values = json.loads((tmp_path / "plan.json").read_text())
    for key in (
        "optimizer",
        "schedule",
        "initialization",
        "updates",
        "warmup",
        "aev_scaling",
        "start",
        "frozen_layers",
    ):
        del values["training"][key]
    values["training"] |= {"learning_rate": 1e-3, "weight_decay": 1e-2, "bias_optimizer": "adamw"}
    (tmp_path / "plan.json").write_text(json.dumps(values))
    found = read_plan(tmp_path).training
    assert (found.optimizer, found.schedule, found.initialization) == ("adamw", "plateau", "uniform")
    assert found.plateau_patience == 20
