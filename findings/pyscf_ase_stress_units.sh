#!/usr/bin/env bash
# PySCF's ASE calculator gives a stress that is too small by the factor bohr² (0.28), and with smearing an energy inconsistent with its forces.
#
# Packages: pyscf 2.14.0, ase 3.29.0, numpy 2.4.6, Python 3.11.
# Guess: pyscf.pbc.tools.pyscf_ase.PySCF returns energy, forces and stress in ASE's units, so that forces and stress are derivatives of the
#   energy that it returns: stress = dE/dstrain / volume in eV/Å³, also for a method with smearing.
# Behavior: the stress, in hartree/bohr³, is multiplied by hartree/bohr, as forces are, in place of hartree/bohr³: every component is 0.280 of
#   its correct value, with the right sign, so in barostats and cell relaxations the material only seems soft. With
#   scf.addons.smearing_ the energy is e_tot, whereas forces belong to e_free = e_tot - T S.
# Output seen:
#   He, compressed: stress of the calculator 0.2303, of finite differences of its energy 0.8224 eV/Å³: ratio 0.2800, bohr² 0.2800
#   H4 with smearing: force of the calculator -5.9880, slope of its energy -7.8573, slope of e_free -5.9880 eV/Å
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet pyscf==2.14.0 ase==3.29.0 numpy==2.4.6
cd "$folder"
cat > stress.py <<'PYTHON'
import numpy as np
from ase import Atoms
from pyscf import gto, scf
from pyscf.data.nist import BOHR, HARTREE2EV
from pyscf.pbc import dft
from pyscf.pbc import gto as crystal
from pyscf.pbc.tools.pyscf_ase import PySCF


def pairs(atoms):
    return [(atom.symbol, atom.position) for atom in atoms]


def helium(strain):
    atoms = Atoms("He", cell=[2.0 * (1 + strain)] * 3, pbc=True)
    cell = crystal.Cell()
    cell.atom, cell.a, cell.basis, cell.pseudo = pairs(atoms), atoms.cell.array, "gth-szv", "gth-pade"
    cell.ke_cutoff, cell.verbose = 40, 0
    cell.build()
    method = dft.KRKS(cell, xc="lda,vwn", kpts=cell.make_kpts([1, 1, 1]))
    method.conv_tol = 1e-10
    atoms.calc = PySCF(method=method)
    return atoms


def hydrogens(shift):
    atoms = Atoms("H4", [[0, 0, 0], [0, 0, 1.6 + shift], [0, 0.3, 3.2], [0, 0, 4.8]])
    method = scf.addons.smearing_(scf.RHF(gto.M(atom=pairs(atoms), basis="sto-3g", verbose=0)), sigma=0.05, method="fermi")
    method.conv_tol = 1e-12
    atoms.calc = PySCF(method=method)
    return atoms


def free(shift):
    method = hydrogens(shift).calc.method
    method.kernel()
    return method.e_free * HARTREE2EV


h = 2e-3
stress = helium(0.0).get_stress()[:3].mean()
energies = [helium(strain).get_potential_energy() for strain in (h, -h)]
slope = (energies[0] - energies[1]) / (2 * h) / helium(0.0).get_volume() / 3
print(
    f"He, compressed: stress of the calculator {stress:.4f}, of finite differences of its energy {slope:.4f} eV/Å³: "
    f"ratio {stress / slope:.4f}, bohr² {BOHR**2:.4f}"
)
force = hydrogens(0.0).get_forces()[1, 2]
own = -(hydrogens(h).get_potential_energy() - hydrogens(-h).get_potential_energy()) / (2 * h)
of_free = -(free(h) - free(-h)) / (2 * h)
print(
    f"H4 with smearing: force of the calculator {force:.4f}, slope of its energy {own:.4f}, slope of e_free {of_free:.4f} eV/Å"
)
assert abs(stress / slope - BOHR**2) < 1e-3
assert abs(force - of_free) < 1e-2 and abs(force - own) > 0.5
PYTHON
"$folder/venv/bin/python" stress.py
