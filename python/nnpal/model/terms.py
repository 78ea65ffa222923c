"""AEV parameters as arguments of nnpal's operations."""

from __future__ import annotations

from typing import NamedTuple

from torchani.aev import AEVComputer, ANIAngular, ANIRadial
from torchani.cutoffs import Cutoff, CutoffCosine, CutoffSmooth


class AEVTerms(NamedTuple):
    """Last arguments of every ``torch.ops.nnpal`` operation, in their order; lengths in Å.

    Attributes:
        n_elements: number of elements.
        radial: cutoff and η of the radial terms.
        radial_shifts: centers of the radial Gaussians.
        angular: cutoff, η and ζ of the angular terms.
        angular_shifts: centers of the Gaussians of the mean distance.
        angular_sections: centers of the angular term, rad.
        cutoff_function: ``cosine`` or ``smooth``.
    """

    n_elements: int
    radial: list[float]
    radial_shifts: list[float]
    angular: list[float]
    angular_shifts: list[float]
    angular_sections: list[float]
    cutoff_function: str

    @property
    def n_features(self) -> int:
        """Length of the AEV."""
        n_pairs = self.n_elements * (self.n_elements + 1) // 2
        return self.n_elements * len(self.radial_shifts) + n_pairs * len(self.angular_shifts) * len(
            self.angular_sections
        )


def aev_terms(computer: AEVComputer) -> AEVTerms:
    """Return the parameters of TorchANI's AEV computer, in its own single precision.

    Raises:
        ValueError: its terms or cutoff function are not ANI's standard ones.
    """
    radial, angular = computer.radial, computer.angular
    if type(radial) is not ANIRadial or type(angular) is not ANIAngular:
        raise ValueError(
            f"its terms are {type(radial).__name__} and {type(angular).__name__}, not ANIRadial and ANIAngular"
        )
    return AEVTerms(
        n_elements=int(computer.num_species),
        radial=[float(radial.cutoff), float(radial.eta)],
        radial_shifts=radial.shifts.double().tolist(),
        angular=[float(angular.cutoff), float(angular.eta), float(angular.zeta)],
        angular_shifts=angular.shifts.double().tolist(),
        angular_sections=angular.sections.double().tolist(),
        cutoff_function=_cutoff_function(radial.cutoff_fn),
    )


def _cutoff_function(function: Cutoff) -> str:
    if type(function) is CutoffCosine:
        return "cosine"
    if function.is_same(CutoffSmooth()):
        return "smooth"
    raise ValueError(f"its cutoff function is {function}, neither CutoffCosine nor CutoffSmooth with its defaults")
