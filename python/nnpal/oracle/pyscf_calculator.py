"""Unrestricted PySCF calculations as an ASE calculator, for bond breaking with broken spin symmetry.

A singlet with a stretched bond has a broken-symmetry solution, spin up on one fragment and spin down on the other, far
below the restricted one (4.8 eV for ethane at 4 Å, UHF/6-31G). An unrestricted calculation does not find it by itself:
UHF with PySCF's default guess converges to the restricted solution, and PySCF's stability analysis of UHF starts from
a vector that treats both spins alike, and so reports closed shells as stable. Therefore

- UHF follows the instabilities of each solution to a stable one (Seeger and Pople, J. Chem. Phys. 66, 3045 (1977),
  https://doi.org/10.1063/1.434318); for closed shells the stability analysis is that of RHF;
- Kohn-Sham, whose stability analysis costs several times its solution, starts from that UHF density, whose symmetry
  breaks at shorter bonds, and from closed shells; the lower solution is used.

Energies therefore follow the lower solution through the point where the two separate (Coulson and Fischer, Philos. Mag.
40, 386 (1949), https://doi.org/10.1080/14786444908521726), where the energy and its first derivative are continuous.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from warnings import catch_warnings, simplefilter

import numpy as np
from ase import Atoms, units
from ase.calculators.calculator import Calculator, SCFError, all_changes

HARTREE_FOCK = "hf"
MAX_FOLLOWED = 6
"""Largest number of instabilities followed in sequence; more than two were never observed."""


class UnrestrictedPySCF(Calculator):
    """UHF or unrestricted Kohn-Sham calculation of a molecule with PySCF.

    Arguments:
        xc: "hf", or PySCF's name of a functional: "pbe", "b3lyp", "wb97x-v".
        basis: PySCF's name of the basis set.
        charge: total charge, e.
        multiplicity: 2S+1; None: 1 for an even number of electrons, 2 for an odd one.
        reuse_density: start from the last solution if the molecule is the same. The final solution is the same; a
            calculator that is recreated for each configuration, as for labels, has no last solution.
        conv_tol: convergence threshold of the SCF energy, hartree.
        max_cycle: largest number of SCF iterations.
        second_order: Newton's method in place of DIIS: slower, but converges where DIIS does not.
        grid_level: PySCF's level of the integration grid of functionals, 0 to 9.
        max_memory: memory limit of PySCF, MB.

    Attributes:
        spin_squared: <S²> of the last calculation; 0 for closed shells, about 1 for a pair of separated radicals.

    Raises:
        ImportError: PySCF is not installed.
        ValueError: an invalid argument; when computing, a periodic structure, or charge and multiplicity that do not
            match the number of electrons.
        ase.calculators.calculator.SCFError: no stable solution was found.
    """

    implemented_properties = ["energy", "forces"]  # noqa: RUF012 (ASE's name for it)
    default_parameters = {  # noqa: RUF012 (ASE's name for it)
        "xc": HARTREE_FOCK,
        "basis": "6-31g",
        "charge": 0,
        "multiplicity": None,
        "reuse_density": True,
        "conv_tol": 1e-9,
        "max_cycle": 100,
        "second_order": False,
        "grid_level": 3,
        "max_memory": 2000,
    }

    def __init__(self, **options: Any) -> None:
        import pyscf  # noqa: F401 (reports a missing PySCF at creation)

        unknown = sorted(set(options) - set(self.default_parameters))
        if unknown:
            raise ValueError(f"no option {', '.join(unknown)}; expected some of {', '.join(self.default_parameters)}")
        super().__init__(**options)
        self.spin_squared = 0.0
        self._last: tuple[tuple[int, ...], np.ndarray] | None = None
        self._require_method()

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Sequence[str] = ("energy",),
        system_changes: Sequence[str] = tuple(all_changes),
    ) -> None:
        super().calculate(atoms, properties, system_changes)
        molecule = self._molecule(self.atoms)
        field = self._solved(molecule)
        self.spin_squared = float(field.spin_square()[0])
        self._last = (tuple(self.atoms.numbers.tolist()), field.make_rdm1())
        forces = -np.asarray(field.nuc_grad_method().kernel())
        self.results = {"energy": float(field.e_tot) * units.Hartree, "forces": forces * (units.Hartree / units.Bohr)}

    def _require_method(self) -> None:
        from pyscf import dft

        xc = self.parameters.xc
        try:
            if xc != HARTREE_FOCK:
                dft.libxc.parse_xc(xc)
        except Exception as error:  # exceptions of many types
            raise ValueError(f"xc = {xc!r}: PySCF has no such functional ({error}); expected hf, pbe, ...") from error

    def _molecule(self, atoms: Atoms) -> Any:
        from pyscf import gto
        from pyscf.gto.basis import BasisNotFoundError

        if atoms.pbc.any():
            raise ValueError('periodic structure: this calculator is for molecules, pbc="F F F"')
        given = self.parameters
        n_electrons = int(atoms.numbers.sum()) - given.charge
        multiplicity = 1 + n_electrons % 2 if given.multiplicity is None else given.multiplicity
        if not 1 <= multiplicity <= n_electrons + 1 or (n_electrons + multiplicity) % 2 == 0:
            raise ValueError(f"multiplicity {multiplicity} and charge {given.charge} leave {n_electrons} electrons")
        try:
            with catch_warnings():
                simplefilter("ignore")  # hints where to find a missing basis set
                return gto.M(
                    atom=list(zip(atoms.get_chemical_symbols(), atoms.positions.tolist(), strict=True)),
                    unit=units.Bohr,  # Å per bohr: use ASE's value throughout
                    basis=given.basis,
                    charge=given.charge,
                    spin=multiplicity - 1,
                    verbose=0,
                    max_memory=given.max_memory,
                )
        except BasisNotFoundError as error:
            raise ValueError(f"basis = {given.basis!r}: {error}") from error

    def _solved(self, molecule: Any) -> Any:
        start = self._start()
        if self.parameters.xc == HARTREE_FOCK:
            return self._stable(molecule, start)
        if start is None or _is_closed(start):
            start = self._stable(molecule, start).make_rdm1()
        field = self._converged(self._field(molecule), start)
        if molecule.spin == 0 and not _is_closed(field.make_rdm1()):
            half = 0.5 * sum(field.make_rdm1())
            closed = self._converged(self._field(molecule), np.array([half, half]))
            return min(field, closed, key=lambda solution: solution.e_tot)
        return field

    def _start(self) -> np.ndarray | None:
        """Return the density matrices of the last solution, [2, n, n], if it was for this molecule."""
        numbers = tuple(self.atoms.numbers.tolist())
        return self._last[1] if self.parameters.reuse_density and self._last and self._last[0] == numbers else None

    def _field(self, molecule: Any, xc: str | None = None) -> Any:
        from pyscf import dft, scf

        xc = xc or self.parameters.xc
        field = scf.UHF(molecule) if xc == HARTREE_FOCK else dft.UKS(molecule, xc=xc)
        if hasattr(field, "_chkfile"):
            field._chkfile.close()  # unused temporary file
        if xc != HARTREE_FOCK:
            field.grids.level = self.parameters.grid_level
        if self.parameters.second_order:
            field = field.newton()
        field.chkfile = None
        field.conv_tol, field.max_cycle = self.parameters.conv_tol, self.parameters.max_cycle
        return field

    def _converged(self, field: Any, start: np.ndarray | None) -> Any:
        field.kernel(start)
        if not field.converged:
            name = f"{self.parameters.xc}/{self.parameters.basis}"
            raise SCFError(f"{name}: SCF not converged after {self.parameters.max_cycle} iterations (max_cycle)")
        return field

    def _stable(self, molecule: Any, start: np.ndarray | None) -> Any:
        """Return a UHF solution that is stable against orbital rotations."""
        field = self._converged(self._field(molecule, HARTREE_FOCK), start)
        for _ in range(MAX_FOLLOWED):
            lower = _lower(molecule, field)
            if lower is None:
                return field
            field = self._converged(field, lower)
        raise SCFError(f"no stable UHF solution after {MAX_FOLLOWED} instabilities were followed")


def _lower(molecule: Any, field: Any) -> np.ndarray | None:
    """Return the density matrices to which an instability of a UHF solution leads; None if it is stable."""
    from pyscf import scf
    from pyscf.scf import stability

    n_pairs = sum((spin > 0).sum() * (spin == 0).sum() for spin in field.mo_occ)
    if molecule.nelectron == 1 or n_pairs == 0:  # nothing to rotate
        return None
    if _is_closed(field.make_rdm1()):
        closed = scf.RHF(molecule)
        closed._chkfile.close()
        closed.mo_coeff, closed.mo_energy, closed.mo_occ = field.mo_coeff[0], field.mo_energy[0], sum(field.mo_occ)
        orbitals, is_stable = stability.rhf_external(closed, return_status=True)
        if not is_stable:
            return np.asarray(field.make_rdm1(orbitals, field.mo_occ))
    # False: allow rotations that break the symmetry of the solution
    orbitals, is_stable = stability.uhf_internal(field, with_symmetry=False, return_status=True)
    return None if is_stable else np.asarray(field.make_rdm1(orbitals, field.mo_occ))


def _is_closed(densities: np.ndarray) -> bool:
    return bool(np.abs(densities[0] - densities[1]).max() < 1e-4)
