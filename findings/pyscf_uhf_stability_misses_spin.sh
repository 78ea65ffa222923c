#!/usr/bin/env bash
# PySCF's stability analysis of UHF reports the closed-shell solution of a broken bond as stable.
#
# Packages: pyscf 2.14.0, numpy 2.4.6, Python 3.11.
# Guess: scf.UHF starts from a guess that breaks the spin symmetry (init_guess_breaksym is 1 by default), and mf.stability() of a UHF
#   solution looks for any rotation of its alpha and beta orbitals that lowers the energy. So for H2 at 5 Å either the SCF itself, or the
#   solution that stability() returns, has the energy of two hydrogen atoms.
# Behavior: the SCF converges to closed shells, 9 eV above two atoms, and stability() reports that it is stable. The Davidson solver of
#   the analysis starts from one vector that is equal for alpha and beta rotations; the Hessian of closed shells does not mix it with the
#   opposite ones, among which the instability is. The analysis of RHF (external) of the same orbitals finds it. With larger molecules, rounding errors
#   lead to it in some runs only.
# Output seen:
#   UHF by default: -16.300 eV, <S2> 0.000, converged True
#   two hydrogen atoms: -25.393 eV
#   stability of UHF: stable True
#   stability of RHF, external: stable False; from there -25.393 eV, <S2> 1.000
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet pyscf==2.14.0 numpy==2.4.6
cd "$folder"
cat > stability.py <<'PYTHON'
from pyscf import gto, scf

EV = 27.211386
mol = gto.M(atom="H 0 0 0; H 0 0 5.0", basis="sto-3g", verbose=0)
uhf = scf.UHF(mol)
assert uhf.init_guess_breaksym == 1
closed = uhf.kernel()
print(f"UHF by default: {closed * EV:.3f} eV, <S2> {abs(uhf.spin_square()[0]):.3f}, converged {uhf.converged}")
atoms = 2 * scf.UHF(gto.M(atom="H", basis="sto-3g", spin=1, verbose=0)).kernel()
print(f"two hydrogen atoms: {atoms * EV:.3f} eV")
_, _, is_stable, _ = uhf.stability(return_status=True)
print(f"stability of UHF: stable {is_stable}")
rhf = scf.RHF(mol).run()
_, orbitals, _, is_stable_outside = rhf.stability(internal=False, external=True, return_status=True)
broken = scf.UHF(mol)
lower = broken.kernel(broken.make_rdm1(orbitals, uhf.mo_occ))
print(
    f"stability of RHF, external: stable {is_stable_outside}; from there {lower * EV:.3f} eV, "
    f"<S2> {broken.spin_square()[0]:.3f}"
)
assert uhf.converged and is_stable and closed > atoms + 0.3
assert not is_stable_outside and abs(lower - atoms) < 1e-4
PYTHON
"$folder/venv/bin/python" stability.py
