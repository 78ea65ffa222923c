"""Terms of a TorchANI model's energy, and which of them a model file can contain."""

from __future__ import annotations

import math
from typing import NamedTuple

from torchani.arch import ANI, ANIq
from torchani.nn import Ensemble
from torchani.potentials import (
    NNPotential,
    Potential,
    RepulsionXTB,
    SeparateChargesNNPotential,
    TwoBodyDispersionD3,
)

_LOST = {
    TwoBodyDispersionD3: "its D3 dispersion, without which molecules are bound too weakly; pair_style dispersion/d3 of "
    "LAMMPS is a different model, because TorchANI damps each pair by its smooth cutoff at every distance",
    RepulsionXTB: "its repulsion at short distances, with which its networks were trained",
    NNPotential: "the energies of that network",
}
"""What a model loses if it is exported without a potential, by its class."""


def require_networks(model: ANI | ANIq) -> None:
    """Refuse a model whose networks are disabled, or of a class that a file cannot contain.

    Raises:
        ValueError: gives the reason.
    """
    networks = model.potentials["nnp"]
    if type(networks) not in (NNPotential, SeparateChargesNNPotential):
        raise ValueError(
            f"model's networks are in a {type(networks).__name__}, whose energies a file cannot hold; expected "
            "NNPotential, or SeparateChargesNNPotential"
        )
    if not networks._enabled:
        raise ValueError("model has its networks switched off; use model.set_enabled('nnp', True)")


def require_elements(model: ANI | ANIq) -> None:
    """Refuse a model with a part that is for other elements, or for another order of them.

    TorchANI passes only element indices to each part: with a network missing an atom has no energy, and with another
    order it gets the network of another element.

    Raises:
        ValueError: names the part, its elements and the model's.
    """
    expected = tuple(model.symbols)
    networks = model.potentials["nnp"].neural_networks
    members = list(networks.members) if isinstance(networks, Ensemble) else [networks]
    parts = [(f"networks of member {k}", member) for k, member in enumerate(members)]
    parts.append(("self-energies", model.energy_shifter))
    if isinstance(model.potentials["nnp"], SeparateChargesNNPotential):
        charge_networks = model.potentials["nnp"].charge_networks
        of_charges = list(charge_networks.members) if isinstance(charge_networks, Ensemble) else [charge_networks]
        parts += [("charge networks", network) for network in of_charges]
    parts += [(f"potential {name!r}", potential) for name, potential in _further(model)]
    for name, part in parts:
        if (found := tuple(getattr(part, "symbols", expected))) != expected:
            raise ValueError(
                f"model's {name} are for {', '.join(found)} in this order, but its elements are {', '.join(expected)}: "
                "TorchANI would evaluate atoms by what belongs to other elements, or drop them; build all parts of the "
                "model with the same symbols in the same order"
            )


class FurtherTerms(NamedTuple):
    """Terms of a model's energy besides its networks, None if absent."""

    repulsion: RepulsionXTB | None
    dispersion: TwoBodyDispersionD3 | None


def further_terms(model: ANI | ANIq) -> FurtherTerms:
    """Return the terms of a model's energy besides its networks that a file can contain.

    Raises:
        ValueError: the energy has another part; names it, and what would be lost without it.
    """
    found: dict[type[Potential], Potential] = {}
    for name, potential in _further(model):
        kind = type(potential)
        if kind not in (RepulsionXTB, TwoBodyDispersionD3) or kind in found:
            raise ValueError(
                f"model has the potential {name!r} ({kind.__name__}), which an exported file cannot hold"
                f"{' besides another one' if kind in found else ''}; {_without(name, potential)}"
            )
        if kind is TwoBodyDispersionD3 and not math.isfinite(potential.cutoff):
            raise ValueError(
                f"model has the potential {name!r} ({kind.__name__}) without a cutoff, which reaches too far for a "
                f"list of neighbors; build it with dispersion_cutoff=8.0; {_without(name, potential)}"
            )
        found[kind] = potential
    return FurtherTerms(found.get(RepulsionXTB), found.get(TwoBodyDispersionD3))


def require_networks_alone(model: ANI | ANIq) -> None:
    """Refuse a model whose energy has other terms than its networks, which training would lose.

    Raises:
        ValueError: names the part, and what would be lost without it.
    """
    require_networks(model)
    for name, potential in _further(model):
        raise ValueError(
            f"model has the potential {name!r} ({type(potential).__name__}) besides its networks, and nnpal trains "
            f"only networks; {_without(name, potential)}"
        )


def _further(model: ANI | ANIq) -> list[tuple[str, Potential]]:
    return [(name, potential) for name, potential in model.potentials.items() if potential._enabled and name != "nnp"]


def _without(name: str, potential: Potential) -> str:
    lost = next((text for kind, text in _LOST.items() if type(potential) is kind), "that part of its energy")
    return (
        f"a model without it loses {lost}. Switch it off with model.set_enabled({name!r}, False) only if the networks "
        "were trained without it"
    )
