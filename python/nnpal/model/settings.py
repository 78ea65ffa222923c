"""The table [network] of the configuration file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from ase.data import atomic_numbers
from pydantic import Field, PositiveFloat, PositiveInt, field_validator

from nnpal.config import Section
from nnpal.model.aev import AEVS, AEVDescription
from nnpal.model.description import HIDDEN, NetworkDescription

Layers = Annotated[tuple[PositiveInt, ...], Field(min_length=1)]
Shifts = Annotated[tuple[float, ...], Field(min_length=1)]


class AEVSettings(Section):
    """[network.aev]: every parameter of an AEV of one's own; lengths in Å."""

    radial_cutoff: PositiveFloat = Field(description="Å")
    radial_eta: PositiveFloat = Field(description="1/Å²")
    radial_shifts: Shifts = Field(description="centers of the radial Gaussians, Å")
    angular_cutoff: PositiveFloat = Field(description="Å")
    angular_eta: PositiveFloat = Field(description="1/Å²")
    angular_zeta: PositiveFloat = Field(description="exponent of the angular term")
    angular_shifts: Shifts = Field(description="centers of the Gaussians of the mean distance, Å")
    angular_sections: Shifts = Field(description="centers of the angular term, rad")
    cutoff_function: Literal["cosine", "smooth"] = Field("cosine", description="cosine, or TorchANI's smooth")


class NetworkSettings(Section):
    """[network]: AEV and layers."""

    elements: tuple[str, ...] | None = Field(
        None, min_length=1, description="order of the elements; those of the data, by atomic number, when absent"
    )
    aev: Literal["ani2x-6.9", "ani2x", "ani1x"] | AEVSettings = Field(
        "ani2x-6.9", description="a published AEV by name (ani2x-6.9: ANI-2x carried on to 6.9 Å), or a table"
    )
    hidden: Literal["ani1x", "ani2x"] | Layers | dict[str, Layers] = Field(
        (224, 192, 160), description="hidden layers: one list, a published model by name, or a list for each element"
    )
    activation: Literal["gelu", "celu"] = Field("gelu", description="activation function")
    bias: bool = Field(True, description="whether layers have biases")

    @field_validator("elements")
    @classmethod
    def _are_elements(cls, symbols: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if unknown := [s for s in symbols or () if atomic_numbers.get(s, 0) == 0]:
            raise ValueError(f"{unknown[0]} is no element")
        if symbols and len(set(symbols)) != len(symbols):
            raise ValueError("an element stands twice")
        return symbols

    def description(self, present: Sequence[str]) -> NetworkDescription:
        """Return the networks' description for data that hold the elements ``present``.

        Raises:
            ValueError: the data hold an element that ``elements`` lacks, or there are no layers for one.
        """
        symbols = self.elements or tuple(sorted(set(present), key=atomic_numbers.__getitem__))
        if unknown := sorted(set(present) - set(symbols)):
            raise ValueError(f"network.elements are {list(symbols)}, but the data hold {unknown} too")
        return NetworkDescription(
            symbols=symbols,
            hidden=HIDDEN[self.hidden] if isinstance(self.hidden, str) else self.hidden,
            activation=self.activation,
            bias=self.bias,
            aev=AEVS[self.aev] if isinstance(self.aev, str) else AEVDescription(**self.aev.model_dump()),
        )
