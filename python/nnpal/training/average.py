"""The exponential moving average of a member's weights."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn


class MovingAverage(AveragedModel):
    """torch's average, and its state, by one operation on all weights that does not wait for a GPU.

    Arguments:
        model: whose weights are averaged.
        decay: share of the average that an update keeps.
    """

    def __init__(self, model: torch.nn.Module, decay: float) -> None:
        average = get_ema_multi_avg_fn(decay)
        super().__init__(model, multi_avg_fn=average)
        self._average = average

    @torch.no_grad()
    def update_parameters(self, model: torch.nn.Module) -> None:
        """Take the weights of ``model`` into the average; the first ones are the average."""
        own: list[Tensor] = list(self.module.parameters())
        new: list[Tensor] = list(model.parameters())
        if self.n_averaged == 0:  # a tensor on the CPU
            torch._foreach_copy_(own, new)
        else:
            self._average(own, new, self.n_averaged)
        for kept, buffer in zip(self.module.buffers(), model.buffers(), strict=True):
            kept.copy_(buffer)
        self.n_averaged += 1
