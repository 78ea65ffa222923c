#!/bin/bash
# MACECalculator multiplies a committee's variance by the cube of the energy unit, on a CPU.
#
# Versions: mace-torch 0.3.16, torch 2.13.0 (CPU), ase 3.29.0, Python 3.11.
#
# Guess: with energy_units_to_eV = u, results["energy_var"] is the variance of results["energy_comm"], which are the members'
# energies in eV: u^2 times the value for u = 1 (or, if the unit is forgotten once, u times).
#
# Behavior: it is u^3 times. The members' energies are converted in place, in an array that shares memory with the tensor
# of which the variance is then computed; this gives u^2, and the result is multiplied by u once more. forces_var
# likewise, with length_units_to_A = l: l^-3. A tensor on a GPU is copied first, which would give u. With u = 1 all is
# correct (read in mace/calculators/mace.py; the GPU was not run). The same calculator freezes the models that it is given: their parameters need no gradient afterwards.
#
# Output seen:
#   energy_units_to_eV 1.0: variance of energy_comm 0.3003, energy_var 0.3003
#   energy_units_to_eV 2.0: variance of energy_comm 1.201, energy_var 2.402; 2.0 times
#   requires_grad of the caller's model: before True, after False
#
# Exit status: 0 while mace-torch behaves like this, 1 if that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0
"$folder/venv/bin/pip" install --quiet mace-torch==0.3.16 ase==3.29.0
"$folder/venv/bin/python" - 2> /dev/null <<'PYTHON'
import sys

import numpy as np
import torch
from ase.build import molecule
from mace import modules
from mace.calculators import MACECalculator
from mace.tools.torch_tools import default_dtype
from e3nn import o3


def model(seed):
    torch.manual_seed(seed)
    block = modules.interaction_classes["RealAgnosticResidualInteractionBlock"]
    with default_dtype("float64"):
        return modules.ScaleShiftMACE(
            atomic_inter_scale=1.0, atomic_inter_shift=0.0, r_max=4.0, num_bessel=4, num_polynomial_cutoff=5, max_ell=1,
            interaction_cls=block, interaction_cls_first=block, num_interactions=1, num_elements=2,
            hidden_irreps=o3.Irreps("4x0e"), MLP_irreps=o3.Irreps("4x0e"), atomic_energies=np.zeros(2),
            avg_num_neighbors=6.0, atomic_numbers=[1, 6], correlation=2, gate=torch.nn.functional.silu,
        )


models = [model(seed) for seed in range(3)]
before = all(weight.requires_grad for weight in models[0].parameters())
ratios = []
for unit in (1.0, 2.0):
    atoms = molecule("C2H6")
    atoms.calc = MACECalculator(models=models, default_dtype="float64", energy_units_to_eV=unit)
    atoms.get_potential_energy()
    results = atoms.calc.results
    variance = np.var(results["energy_comm"])
    ratios.append(results["energy_var"] / variance)
    times = "" if unit == 1.0 else f"; {ratios[-1]:.1f} times"
    print(f"energy_units_to_eV {unit}: variance of energy_comm {variance:.4g}, energy_var {results['energy_var']:.4g}{times}")
after = any(weight.requires_grad for weight in models[0].parameters())
print(f"requires_grad of the caller's model: before {before}, after {after}")
sys.exit(0 if np.allclose(ratios, [1.0, 2.0]) and before and not after else 1)
PYTHON
