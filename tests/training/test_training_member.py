"""A member between two epochs: learning rate, early stop, batches, and what is kept."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from nnpal.model.description import NetworkDescription
from nnpal.training import TrainingSettings
from nnpal.training.member import Member, Scores, step_members
from nnpal.training.split import Split

NETWORK = NetworkDescription(("Al",), hidden=(24, 16))


class TestMember:
    """Learning rate, early stop, and what is kept."""

    @staticmethod
    def member(**settings):
        split = Split(np.arange(8), np.arange(8, 10))
        return Member(NETWORK, TrainingSettings(**settings), split, 0, torch.device("cpu"))

    @classmethod
    def on_plateaus(cls, **settings):
        return cls.member(**{"optimizer": "adamw", "schedule": "plateau", **settings})

    @staticmethod
    def gradients(member, seed):
        rng = np.random.default_rng(seed)
        for parameter in member.network.parameters():
            parameter.grad = torch.tensor(rng.normal(size=parameter.shape), dtype=parameter.dtype)

    @staticmethod
    def carry(member, losses):
        for loss in losses:
            member.end_epoch(Scores(1.0, 1.0, 1.0), Scores(loss, 2.0 - loss, loss))

    def test_learning_rate_falls_on_plateaus(self):
        member = self.on_plateaus(learning_rate=0.4, plateau_patience=1, plateau_factor=0.5)
        self.carry(member, [1.0, 1.0, 1.0, 0.5, 0.6, 0.6])
        assert [r.learning_rate for r in member.progress.history] == [0.4, 0.4, 0.4, 0.2, 0.2, 0.2]
        assert member.learning_rate == pytest.approx(0.1)

    def test_both_rates_fall(self):
        member = self.on_plateaus(bias_optimizer="sgd", plateau_patience=0, plateau_factor=0.5)
        self.carry(member, [1.0, 1.0])
        rates = [optimizer.param_groups[0]["lr"] for optimizer in member.optimizers]
        assert rates == pytest.approx([5e-4, 5e-5])

    def test_early_stop_and_smallest_rate(self):
        member = self.on_plateaus(early_stop_patience=2)
        self.carry(member, [1.0, 0.9, 1.0])
        assert not member.finished
        self.carry(member, [1.0])
        assert member.finished
        member = self.on_plateaus(learning_rate=1e-3, min_learning_rate=6e-4, plateau_patience=0)
        self.carry(member, [1.0])
        assert not member.finished
        self.carry(member, [1.0])
        assert member.finished

    def test_best_by_energy_is_not_best_by_loss(self):
        member = self.member(best_by="energy")
        self.carry(member, [0.5, 0.9, 0.4])
        assert member.progress.best_epoch == 1  # 2 - loss, by construction

    def test_batches_change_with_the_epoch_and_cover_the_training_part(self):
        member = self.member(batch_size=3)
        first = member.batches()
        self.carry(member, [1.0])
        second = member.batches()
        for batches in (first, second):
            assert [len(batch) for batch in batches] == [3, 3, 2]
            assert np.array_equal(np.sort(np.concatenate(batches)), np.arange(8))
        assert not np.array_equal(np.concatenate(first), np.concatenate(second))

    def test_moving_average_is_what_is_judged(self):
        member = self.member(ema=0.75, optimizer="adamw")
        (parameter, *_), (average, *_) = member.network.parameters(), member.validated.parameters()
        start = parameter.detach().clone()
        self.gradients(member, 0)
        step_members([member])  # the first average is a copy
        first = parameter.detach().clone()
        assert not torch.equal(first, start)
        self.gradients(member, 1)
        step_members([member])
        assert torch.allclose(average, 0.75 * first + 0.25 * parameter)

    def test_linear_rates_rise_and_fall_to_zero_by_updates(self):
        member = self.member(learning_rate=0.1, updates=20, warmup=2, bias_optimizer="sgd", bias_learning_rate=0.01)
        rates = []
        for k in range(20):
            self.gradients(member, k)
            step_members([member])
            rates.append([optimizer.param_groups[0]["lr"] for optimizer in member.optimizers])
        weights, biases = np.transpose(rates)
        assert weights[:3] == pytest.approx([0.1 / 3, 0.2 / 3, 0.1])
        assert weights[2:] == pytest.approx(0.1 * np.arange(18, 0, -1) / 18)
        assert biases == pytest.approx(0.1 * weights)
        assert member.finished

    def test_the_last_epoch_is_cut_where_the_updates_end(self):
        member = self.member(batch_size=3, updates=4)
        sizes = []
        while not member.finished:
            batches = member.batches()
            sizes.append(list(map(len, batches)))
            for _ in batches:
                self.gradients(member, 0)
                step_members([member])
            self.carry(member, [1.0])
        assert sizes == [[3, 3, 2], [3]]
        assert [record.updates for record in member.progress.history] == [3, 4]

    @pytest.mark.parametrize("options", [{}, {"bias_optimizer": "sgd", "ema": 0.9}, {"optimizer": "adamw"}])
    def test_a_checkpoint_goes_on_to_the_last_bit(self, options, tmp_path):
        whole, begun, resumed = (self.member(batch_size=8, updates=30, **options) for _ in range(3))

        def carry(member, updates):
            for k in updates:
                self.gradients(member, k)
                step_members([member])
                self.carry(member, [1.0])

        carry(whole, range(30))
        carry(begun, range(13))  # the next basis of SOAP is between two checkpoints
        torch.save(begun.state_dict(), tmp_path / "checkpoint.pt")
        resumed.load_state_dict(torch.load(tmp_path / "checkpoint.pt", weights_only=True))
        carry(resumed, range(13, 30))
        assert whole.progress.history == resumed.progress.history
        assert all(map(torch.equal, whole.validated.parameters(), resumed.validated.parameters()))

    @pytest.mark.parametrize("bias_optimizer", ["adamw", "sgd"])
    def test_a_checkpoint_of_unfused_optimizers_goes_on(self, bias_optimizer, tmp_path):
        """As those of earlier versions are."""
        options = {"bias_optimizer": bias_optimizer, "ema": 0.9}
        whole, begun, resumed = (self.on_plateaus(**options) for _ in range(3))
        for group in (group for optimizer in begun.optimizers for group in optimizer.param_groups):
            group["fused"] = None
        rng = np.random.default_rng(0)
        gradients = [
            [torch.tensor(rng.normal(size=p.shape), dtype=p.dtype) for p in whole.network.parameters()]
            for _ in range(4)
        ]

        def carry(member, steps):
            for own in steps:
                for parameter, gradient in zip(member.network.parameters(), own, strict=True):
                    parameter.grad = gradient.clone()
                step_members([member])

        carry(whole, gradients)
        carry(begun, gradients[:2])
        self.carry(begun, [1.0])
        state = begun.state_dict()
        for record in state["history"]:
            del record["updates"]
        torch.save(state, tmp_path / "checkpoint.pt")
        resumed.load_state_dict(torch.load(tmp_path / "checkpoint.pt", weights_only=True))
        assert resumed.updates == 1  # of one epoch, a batch
        assert all(group["fused"] for optimizer in resumed.optimizers for group in optimizer.param_groups)
        carry(resumed, gradients[2:])
        for one, other in zip(whole.validated.parameters(), resumed.validated.parameters(), strict=True):
            # four steps of 1e-3 at most, in float32 and another order of the same products
            assert torch.allclose(one, other, rtol=0, atol=1e-7)
