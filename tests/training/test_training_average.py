"""The moving average of weights is torch's, step by step and in its state."""

from __future__ import annotations

import torch
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from nnpal.training.average import MovingAverage


def test_same_as_torchs_and_goes_on_from_its_state() -> None:
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4))
    expected = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(0.9))
    found = MovingAverage(network, 0.9)
    for update in range(4):
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.add_(torch.randn_like(parameter))
        network[1].running_mean.add_(1.0)
        for average in (expected, found):
            average.update_parameters(network)
        assert list(found.state_dict()) == list(expected.state_dict())
        for own, other in zip(found.state_dict().values(), expected.state_dict().values(), strict=True):
            assert torch.equal(own, other)
        if update == 1:
            found = MovingAverage(network, 0.9)
            found.load_state_dict(expected.state_dict())
