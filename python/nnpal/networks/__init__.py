"""TorchANI models from a short description: AEV parameters, layer sizes, elements, members.

Lengths in Å, angles in radians.
"""

from nnpal.networks.aev import AEVS, AEVDescription
from nnpal.networks.build import build_aev_computer, build_member, build_model
from nnpal.networks.description import HIDDEN, NetworkDescription
from nnpal.networks.settings import AEVSettings, NetworkSettings

__all__ = [
    "AEVS",
    "HIDDEN",
    "AEVDescription",
    "AEVSettings",
    "NetworkDescription",
    "NetworkSettings",
    "build_aev_computer",
    "build_member",
    "build_model",
]
