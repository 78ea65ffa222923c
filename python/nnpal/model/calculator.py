"""ASE calculator for a model file, with the same results as ``pair_style nnp``."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes
from ase.stress import full_3x3_to_voigt_6_stress

from nnpal.geometry.edges import atoms_edges, forces_of_edges
from nnpal.model.evaluated import load_evaluated

if TYPE_CHECKING:
    import torch

CALIBRATED = ("error_force", "error_energy")


class NNPCalculator(Calculator):
    """Energies, forces, stress and uncertainty of an ensemble in ASE's units (eV, Å).

    With e_im the energy of atom i by member m of M and F_im its force::

        E           = sum_i [ mean_m e_im + self-energy_i ]
        uq_energy_i = sqrt(mean_m (e_im - mean_m e_im)^2)
        uq_force_i  = sqrt(mean_m |F_im - mean_m F_im|^2)

    ``uq_force`` needs the gradient of each member and is computed only on request:
    ``calculator.get_property("uq_force", atoms)``; ``uq_energy`` is always in ``results``. Both are [n_atoms], in eV
    and eV/Å. A calibrated model also has, at the cost of ``uq_force``, the one-sigma errors ``error_force``, eV/Å
    [n_atoms], and ``error_energy``, eV, which is inf where the configuration is unlike those of the calibration: see
    :class:`nnpal.calibration.Calibration`. A model with charge networks has ``charges``, e [n_atoms], computed on
    request: see :mod:`nnpal.model.charges`.

    On a CPU a file of kernel ``fused`` is evaluated by nnpal's core, and torch is not imported; files of earlier
    versions, other kernels, models with dispersion, and GPUs need torch.

    Arguments:
        path: a model file written by :func:`nnpal.export_ensemble`.
        device: ``cpu``, ``cuda`` or ``cuda:N``.
        dtype: torch.float32 or torch.float64, or their names as text; by default that of the file.
        members: number of members to evaluate, the first ones; by default all.
        self_energies: whether ``energy`` and ``energies`` include the elements' self-energies, as ``self_energies``
            of ``pair_style nnp``. Forces, stress and uncertainty are the same either way.

    Raises:
        FileNotFoundError: no such file.
        nnpal.model.ModelFileError: the file cannot be used.
        ValueError: ``device``, ``dtype`` or ``members`` is out of range; at evaluation, an element is unknown to the
            model, a position or cell is not finite, ``error_force`` or ``error_energy`` is requested without a
            calibration of the members in use, or ``charges`` of a model without charges or of atoms for which they are
            not defined.

    Example:
        >>> from ase.build import bulk
        >>> from nnpal import NNPCalculator
        >>> atoms = bulk("Al", cubic=True)
        >>> atoms.calc = NNPCalculator("al.nnp.pt")
        >>> atoms.get_forces().shape, atoms.get_stress().shape
        ((4, 3), (6,))
        >>> atoms.calc.get_property("uq_force", atoms).shape
        (4,)
    """

    implemented_properties: list[str] = [  # noqa: RUF012 - as ASE declares it
        "energy",
        "free_energy",
        "energies",
        "forces",
        "stress",
        "uq_energy",
        "uq_force",
        *CALIBRATED,
        "charges",
    ]

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        device: str = "cpu",
        dtype: torch.dtype | str | None = None,
        members: int | None = None,
        self_energies: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.path = os.fspath(path)
        self.self_energies = self_energies
        self.model = load_evaluated(path, device=device, dtype=dtype, members=members)
        if self.model.calibration is None:
            self.implemented_properties = [name for name in self.implemented_properties if name not in CALIBRATED]
        if not self.model.metadata.charges:
            self.implemented_properties = [name for name in self.implemented_properties if name != "charges"]

    def get_property(self, name: str, atoms: Atoms | None = None, allow_calculation: bool = True) -> Any:
        """Return a property as ASE does; explain why a calibrated error or a charge is not defined.

        Arguments:
            name: one of ``implemented_properties``.
            atoms: the configuration; by default that of the last calculation.
            allow_calculation: whether to compute what is not in ``results``; None is returned otherwise.

        Raises:
            ValueError: ``name`` needs a calibration of the members in use, or charge networks.
        """
        if name == "charges" and not self.model.metadata.charges:
            raise ValueError(
                f"model {self.path} has no charges; export one with charge networks, such as torchani.models.ANImbis()"
            )
        if name in CALIBRATED and self.model.calibration is None:
            metadata = self.model.metadata
            why = (
                f"it holds no calibration; train it with this version of nnpal, or calibrate it by "
                f"`nnpal calibrate {self.path} LABELED`"
                if metadata.calibration is None
                else f"it is calibrated for all of its {metadata.n_members} members and used with fewer or with one; "
                "remove members"
            )
            raise ValueError(f"{name} of model {self.path} is not defined: {why}")
        return super().get_property(name, atoms, allow_calculation)

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Sequence[str] = ("energy",),
        system_changes: Sequence[str] = tuple(all_changes),
    ) -> None:
        """Compute ``results``; called by ASE.

        Arguments:
            atoms: the configuration, Å.
            properties: requested properties, from ``implemented_properties``.
            system_changes: changes since the last call; everything is recomputed.
        """
        super().calculate(atoms, properties, system_changes)
        model = self.model
        metadata = model.metadata
        edges = atoms_edges(self.atoms, metadata.elements, metadata.cutoff, model=self.path)
        wants_uq_force = not {"uq_force", *CALIBRATED}.isdisjoint(properties)
        member_energies, gradients = model.energies_and_gradients(edges, of_members=wants_uq_force)
        atomic = member_energies.mean(0)
        if self.self_energies:
            atomic = atomic + model.self_energies[edges.species]
        energy = float(atomic.sum())
        self.results = {
            "energy": energy,
            "free_energy": energy,
            "energies": atomic,
            "forces": forces_of_edges(edges, gradients[0]),
            "uq_energy": member_energies.std(0),
        }
        if self.atoms.cell.rank == 3 and self.atoms.pbc.any():
            strain_gradient = edges.edge_vec.T @ gradients[0]
            stress = 0.5 * (strain_gradient + strain_gradient.T) / self.atoms.get_volume()
            self.results["stress"] = full_3x3_to_voigt_6_stress(stress)
        if "charges" in properties and metadata.charges:
            self.results["charges"] = model.charges(edges)
        if wants_uq_force:
            members = np.stack([forces_of_edges(edges, of_member) for of_member in gradients[1:]])
            uq_force = self.results["uq_force"] = np.sqrt(members.var(0).sum(-1))
            if model.calibration is not None:
                species = edges.species
                energy_std = member_energies.sum(1, keepdims=True).std(0)
                of_energy = model.calibration.error_energy(energy_std, uq_force, species, np.array([len(species)]))
                self.results["error_force"] = model.calibration.error_force(uq_force, species)
                self.results["error_energy"] = float(of_energy[0])
