"""Architecture of an ensemble's networks: elements, AEV and layers (ANI); other network types are elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, TypeAlias

from nnpal.model.aev import AEVDescription

if TYPE_CHECKING:
    from nnpal.model.schnet.description import SchNetDescription

HIDDEN: dict[str, dict[str, tuple[int, ...]]] = {
    "ani1x": {"H": (160, 128, 96), "C": (144, 112, 96), "N": (128, 112, 96), "O": (128, 112, 96)},
    "ani2x": {
        "H": (256, 192, 160),
        "C": (224, 192, 160),
        "N": (192, 160, 128),
        "O": (192, 160, 128),
        "S": (160, 128, 96),
        "F": (160, 128, 96),
        "Cl": (160, 128, 96),
    },
}
"""Hidden layers of the published models, by name and element; sources as for :data:`nnpal.model.aev.AEVS`."""


@dataclass(frozen=True)
class NetworkDescription:
    """Elements, AEV and layers of one ensemble of ANI networks.

    Attributes:
        symbols: chemical symbols, in the order of the element indices.
        hidden: hidden layer sizes, the same for all elements or by element.
        activation: activation function of TorchANI, ``gelu`` or ``celu``.
        bias: whether layers have biases (TorchANI's own default is no).
        aev: parameters of the AEV.
    """

    kind: ClassVar[str] = "ani"

    symbols: tuple[str, ...]
    hidden: tuple[int, ...] | Mapping[str, tuple[int, ...]] = (224, 192, 160)
    activation: str = "gelu"
    bias: bool = True
    aev: AEVDescription = field(default_factory=AEVDescription)

    def __post_init__(self) -> None:
        if not self.symbols or len(set(self.symbols)) != len(self.symbols):
            raise ValueError(f"NetworkDescription: symbols are {self.symbols}, expected one or more, each once")
        if isinstance(self.hidden, Mapping) and (absent := [s for s in self.symbols if s not in self.hidden]):
            raise ValueError(f"NetworkDescription: hidden has no layers for {absent}, only for {sorted(self.hidden)}")

    def hidden_of(self, symbol: str) -> tuple[int, ...]:
        """Return the hidden layer sizes of an element's network."""
        return tuple(self.hidden[symbol]) if isinstance(self.hidden, Mapping) else self.hidden


Description: TypeAlias = "NetworkDescription | SchNetDescription"
"""Description of networks of any type that nnpal trains; ``kind`` names the type."""
