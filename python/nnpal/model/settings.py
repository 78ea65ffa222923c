"""The table [network] of the configuration file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from ase.data import atomic_numbers
from pydantic import (
    Field,
    PositiveFloat,
    PositiveInt,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
    model_validator,
)

from nnpal.config import Section
from nnpal.model.aev import AEVS, AEVDescription
from nnpal.model.description import HIDDEN, Description, NetworkDescription
from nnpal.model.metadata import MOST_HOPS
from nnpal.model.schnet import SchNetDescription

KEYS = {
    "ani": ("aev", "hidden", "activation", "bias"),
    "schnet": ("features", "interactions", "gaussians", "cutoff"),
}
"""Keys of [network] that belong to one kind of network."""

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
    """[network]: kind of network, and its size."""

    kind: Literal["ani", "schnet"] = Field(
        "ani", description="ani: AEVs and a network for each element; schnet: messages between neighbors"
    )
    elements: tuple[str, ...] | None = Field(
        None, min_length=1, description="order of the elements; those of the data, by atomic number, when absent"
    )
    aev: Literal["ani2x-6.9", "ani2x", "ani1x"] | AEVSettings = Field(
        "ani2x-6.9", description="ani: a published AEV by name (ani2x-6.9: ANI-2x carried on to 6.9 Å), or a table"
    )
    hidden: Literal["ani1x", "ani2x"] | Layers | dict[str, Layers] = Field(
        (224, 192, 160),
        description="ani: hidden layers: one list, a published model by name, or a list for each element",
    )
    activation: Literal["gelu", "celu"] = Field("gelu", description="ani: activation function")
    bias: bool = Field(True, description="ani: whether layers have biases")
    features: int = Field(SchNetDescription.features, ge=2, description="schnet: numbers that describe an atom")
    interactions: int = Field(
        SchNetDescription.interactions,
        ge=1,
        le=MOST_HOPS,
        description="schnet: rounds of messages; an energy depends on so many cutoffs",
    )
    gaussians: int = Field(
        SchNetDescription.gaussians, ge=2, description="schnet: Gaussians of the distance, from 0 to the cutoff"
    )
    cutoff: PositiveFloat = Field(SchNetDescription.cutoff, description="schnet: of each round of messages, Å")

    @field_validator("elements")
    @classmethod
    def _are_elements(cls, symbols: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if unknown := [s for s in symbols or () if atomic_numbers.get(s, 0) == 0]:
            raise ValueError(f"{unknown[0]} is no element")
        if symbols and len(set(symbols)) != len(symbols):
            raise ValueError("an element stands twice")
        return symbols

    @model_validator(mode="after")
    def _keys_of_its_kind(self) -> NetworkSettings:
        """Refuse keys of another kind of network, which would do nothing."""
        for kind, keys in KEYS.items():
            given = [key for key in keys if key in self.model_fields_set]
            if given and kind != self.kind:
                raise ValueError(
                    f"{', '.join(given)}: of kind = {kind!r}, but kind is {self.kind!r}, whose keys are "
                    f"{', '.join(KEYS[self.kind])}; leave {given[0]} out, or set kind = {kind!r}"
                )
        return self

    @model_serializer(mode="wrap")
    def _own_keys(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out what says nothing of these networks; ANI's table is that of versions that had no other kind."""
        others = {key for kind, keys in KEYS.items() if kind != self.kind for key in keys}
        if self.kind == "ani":
            others.add("kind")
        return {key: value for key, value in serialize(self).items() if key not in others}

    def with_elements(self, elements: tuple[str, ...] | None) -> NetworkSettings:
        """Return the same settings for other elements."""
        given = {key: getattr(self, key) for key in self.model_fields_set} | {"elements": elements}
        return NetworkSettings(**given)

    def description(self, present: Sequence[str]) -> Description:
        """Return the networks' description for data that hold the elements ``present``.

        Raises:
            ValueError: the data hold an element that ``elements`` lacks, or there are no layers for one.
        """
        symbols = self.elements or tuple(sorted(set(present), key=atomic_numbers.__getitem__))
        if unknown := sorted(set(present) - set(symbols)):
            raise ValueError(f"network.elements are {list(symbols)}, but the data hold {unknown} too")
        if self.kind == "schnet":
            return SchNetDescription(symbols, self.features, self.interactions, self.gaussians, self.cutoff)
        return NetworkDescription(
            symbols=symbols,
            hidden=HIDDEN[self.hidden] if isinstance(self.hidden, str) else self.hidden,
            activation=self.activation,
            bias=self.bias,
            aev=AEVS[self.aev] if isinstance(self.aev, str) else AEVDescription(**self.aev.model_dump()),
        )
