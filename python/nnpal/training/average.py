"""The exponential moving average of a member's weights."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn


class MovingAverage(AveragedModel):
    """torch's averaged model, updated by one operation on all weights that does not wait for a GPU.

    Arguments:
        model: network whose weights are averaged.
        decay: fraction of the average that is kept at each update.
    """

    def __init__(self, model: torch.nn.Module, decay: float) -> None:
        average = get_ema_multi_avg_fn(decay)
        super().__init__(model, multi_avg_fn=average)
        self._average = average

    @torch.no_grad()
    def update_parameters(self, model: torch.nn.Module) -> None:
        """Add the weights of ``model`` to the average, which starts as the first weights."""
        own: list[Tensor] = list(self.module.parameters())
        new: list[Tensor] = list(model.parameters())
        if self.n_averaged == 0:  # n_averaged is on the CPU
            torch._foreach_copy_(own, new)
        else:
            self._average(own, new, self.n_averaged)
        for kept, buffer in zip(self.module.buffers(), model.buffers(), strict=True):
            kept.copy_(buffer)
        self.n_averaged += 1
