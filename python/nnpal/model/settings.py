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
"""Keys of [network] that apply to one network type only."""

Layers = Annotated[tuple[PositiveInt, ...], Field(min_length=1)]
Shifts = Annotated[tuple[float, ...], Field(min_length=1)]


class AEVSettings(Section):
    """[network.aev]: all parameters of a custom AEV; lengths in Å."""

    radial_cutoff: PositiveFloat = Field(description="radial cutoff, Å")
    radial_eta: PositiveFloat = Field(description="width parameter η of the radial Gaussians, 1/Å²")
    radial_shifts: Shifts = Field(description="centers of the radial Gaussians, Å")
    angular_cutoff: PositiveFloat = Field(description="angular cutoff, Å")
    angular_eta: PositiveFloat = Field(description="width parameter η of the Gaussians of the mean distance, 1/Å²")
    angular_zeta: PositiveFloat = Field(description="exponent ζ of the angular term")
    angular_shifts: Shifts = Field(description="centers of the Gaussians of the mean distance, Å")
    angular_sections: Shifts = Field(description="centers of the angular term, rad")
    cutoff_function: Literal["cosine", "smooth"] = Field(
        "cosine", description="cutoff function: cosine, or the smooth one of TorchANI"
    )


class NetworkSettings(Section):
    """[network]: network type and size."""

    kind: Literal["ani", "schnet"] = Field(
        "ani",
        description="network type; ani: AEVs and one network per element; schnet: message passing between neighbors",
    )
    elements: tuple[str, ...] | None = Field(
        None,
        min_length=1,
        description="elements, in the order of the model; absent: the elements in the data, by atomic number",
    )
    aev: Literal["ani2x-6.9", "ani2x", "ani1x"] | AEVSettings = Field(
        "ani2x-6.9",
        description="ani: name of a published AEV (ani2x-6.9: ANI-2x extended to 6.9 Å), or a table of its parameters",
    )
    hidden: Literal["ani1x", "ani2x"] | Layers | dict[str, Layers] = Field(
        (224, 192, 160),
        description="ani: sizes of the hidden layers: one list, the name of a published model, or one list per element",
    )
    activation: Literal["gelu", "celu"] = Field("gelu", description="ani: activation function")
    bias: bool = Field(True, description="ani: whether layers have biases")
    features: int = Field(SchNetDescription.features, ge=2, description="schnet: number of features per atom")
    interactions: int = Field(
        SchNetDescription.interactions,
        ge=1,
        le=MOST_HOPS,
        description="schnet: number of interaction blocks; an atomic energy depends on atoms up to this many cutoffs "
        "away",
    )
    gaussians: int = Field(
        SchNetDescription.gaussians,
        ge=2,
        description="schnet: number of Gaussians that expand the distance, from 0 to the cutoff",
    )
    cutoff: PositiveFloat = Field(SchNetDescription.cutoff, description="schnet: cutoff of each interaction block, Å")

    @field_validator("elements")
    @classmethod
    def _are_elements(cls, symbols: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if unknown := [s for s in symbols or () if atomic_numbers.get(s, 0) == 0]:
            raise ValueError(f"{unknown[0]} is not a chemical element")
        if symbols and len(set(symbols)) != len(symbols):
            raise ValueError("an element is listed twice")
        return symbols

    @model_validator(mode="after")
    def _keys_of_its_kind(self) -> NetworkSettings:
        """Reject keys of another network type, which would have no effect."""
        for kind, keys in KEYS.items():
            given = [key for key in keys if key in self.model_fields_set]
            if given and kind != self.kind:
                raise ValueError(
                    f"{', '.join(given)}: for kind = {kind!r} only, but kind is {self.kind!r}, whose keys are "
                    f"{', '.join(KEYS[self.kind])}; remove {given[0]}, or set kind = {kind!r}"
                )
        return self

    @model_serializer(mode="wrap")
    def _own_keys(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Omit keys of the other network type; an ANI table is written as by versions that had no other type."""
        others = {key for kind, keys in KEYS.items() if kind != self.kind for key in keys}
        if self.kind == "ani":
            others.add("kind")
        return {key: value for key, value in serialize(self).items() if key not in others}

    def with_elements(self, elements: tuple[str, ...] | None) -> NetworkSettings:
        """Return the same settings for other elements."""
        given = {key: getattr(self, key) for key in self.model_fields_set} | {"elements": elements}
        return NetworkSettings(**given)

    def description(self, present: Sequence[str]) -> Description:
        """Return the network description for data with the elements ``present``.

        Raises:
            ValueError: the data contain an element that is not in ``elements``, or there are no layers for one.
        """
        symbols = self.elements or tuple(sorted(set(present), key=atomic_numbers.__getitem__))
        if unknown := sorted(set(present) - set(symbols)):
            raise ValueError(
                f"network.elements are {list(symbols)}, but the data also contain {unknown}; add them to that list"
            )
        if self.kind == "schnet":
            return SchNetDescription(symbols, self.features, self.interactions, self.gaussians, self.cutoff)
        return NetworkDescription(
            symbols=symbols,
            hidden=HIDDEN[self.hidden] if isinstance(self.hidden, str) else self.hidden,
            activation=self.activation,
            bias=self.bias,
            aev=AEVS[self.aev] if isinstance(self.aev, str) else AEVDescription(**self.aev.model_dump()),
        )
