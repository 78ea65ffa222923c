#!/usr/bin/env bash
# TorchANI selects the network of an atom by its position in ANINetworks, not by its key, the element symbol.
#
# Packages: torch 2.13.0, torchani 2.9.0, Python 3.11.
# Guess: ANINetworks({"C": carbon, "H": hydrogen}) in a model ANI(("H", "C"), ...) evaluates H with `hydrogen`, or the model cannot be
#   built: symbols of both are known.
# Behavior: neither; the constructor compares only the numbers of elements, and hydrogen atoms get the network of carbon. Every
#   energy is wrong, without a warning. The same holds for SelfEnergy and for potentials.
# Output seen:
#   model: ('H', 'C'), networks: ('C', 'H'); energy of H: -1.0 by the network of carbon
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 torchani==2.9.0
cd "$folder"
TORCHANI_NO_WARN_EXTENSIONS=1 "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import torch
from torchani.aev import AEVComputer
from torchani.arch import ANI
from torchani.nn import ANINetworks, AtomicNetwork
from torchani.sae import SelfEnergy

computer = AEVComputer("ani2x", "ani2x", num_species=2)


def constant(value):
    """A network that gives the same energy everywhere."""
    network = AtomicNetwork((computer.out_dim, 4, 1), bias=True)
    with torch.no_grad():
        network.final_layer.weight.zero_()
        network.final_layer.bias.fill_(value)
    return network


networks = ANINetworks({"C": constant(-1.0), "H": constant(-5.0)})
model = ANI(("H", "C"), computer, networks, SelfEnergy(("H", "C"), [0.0, 0.0]))
numbers, positions = torch.tensor([[1, 6]]), torch.tensor([[[0.0, 0.0, 0.0], [0.0, 0.0, 1.1]]])
energies = model((numbers, positions), atomic=True).energies[0].tolist()
print(f"model: {model.symbols}, networks: {networks.symbols}; energy of H: {energies[0]} by the network of carbon")
assert (model.symbols, networks.symbols) == (("H", "C"), ("C", "H"))
assert energies == [-1.0, -5.0]
PYTHON
echo "as described"
