"""CELU with an accurate slope in double precision."""

from __future__ import annotations

import torch
from torch import Tensor
from torchani.nn._core import TightCELU


class ExactCELU(torch.nn.CELU):
    """CELU(x) = max(0, x) + min(0, α (exp(x/α) - 1)), and its slope min(1, exp(x/α)).

    Values are those of ``torch.nn.CELU``. For the slope, torch 2.13 computes 1/α in single precision, so that in double
    precision it is off by 1.5e-8 for TorchANI's α = 0.1 and by up to 6e-8 for others. ELU with an input scale, of which
    CELU is a special case, uses α and 1/α unrounded.

    Source: doi:10.48550/arXiv.1704.07483, equation 2.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Return CELU of each value."""
        return torch.ops.aten.elu(x, self.alpha, 1.0, 1.0 / self.alpha)


def celu_alpha(activation: torch.nn.Module) -> float | None:
    """Return α of a CELU (torch's, TorchANI's or :class:`ExactCELU`); None for any other module."""
    if type(activation) is TightCELU:
        return 0.1
    if type(activation) in (torch.nn.CELU, ExactCELU):
        return float(activation.alpha)  # type: ignore[arg-type]
    return None


def make_celu_exact(networks: torch.nn.Module) -> None:
    """Replace every CELU inside ``networks`` by :class:`ExactCELU`, in place."""
    for parent in list(networks.modules()):
        for name, child in parent.named_children():
            if (alpha := celu_alpha(child)) is not None:
                setattr(parent, name, ExactCELU(alpha))
