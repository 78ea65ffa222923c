"""Parameters of atomic environment vectors, including those of published models by name."""

from __future__ import annotations

import math
from dataclasses import dataclass

_SIXTEEN_OF_2X = tuple(0.8 + 0.26875 * k for k in range(16))
_SIXTEEN_OF_1X = tuple(0.9 + 0.26875 * k for k in range(16))


def _sections(n: int) -> tuple[float, ...]:
    """Return n angles at the middle of n equal parts of [0, π], rad."""
    return tuple(math.pi * (1 + 2 * k) / (2 * n) for k in range(n))


@dataclass(frozen=True)
class AEVDescription:
    """Parameters of the atomic environment vector (AEV) of ANI (doi:10.1039/C6SC05720A, equations 3 and 4).

    The defaults are ANI-2x's terms with the radial part extended to 6.9 Å, as Jung et al. used for Ni, Al and Nb: 22
    radial and 8 x 4 angular terms, 54 for one element.

    Attributes:
        radial_cutoff: cutoff of the radial terms, Å.
        radial_eta: width parameter η of the radial Gaussians, 1/Å².
        radial_shifts: centers of the radial Gaussians, Å.
        angular_cutoff: cutoff of the angular terms, Å.
        angular_eta: width parameter η of the Gaussians of the mean distance, 1/Å².
        angular_zeta: exponent of the angular term.
        angular_shifts: centers of the Gaussians of the mean distance, Å.
        angular_sections: centers of the angular term, rad.
        cutoff_function: ``cosine``, or TorchANI's ``smooth``, whose derivatives all vanish at the cutoff.
    """

    radial_cutoff: float = 6.9
    radial_eta: float = 19.7
    radial_shifts: tuple[float, ...] = (
        *(1.06875 + 0.26875 * k for k in range(15)),
        *(5.10 + 0.27 * k for k in range(7)),
    )
    angular_cutoff: float = 3.5
    angular_eta: float = 12.5
    angular_zeta: float = 14.1
    angular_shifts: tuple[float, ...] = tuple(0.8 + 0.3375 * k for k in range(8))
    angular_sections: tuple[float, ...] = _sections(4)
    cutoff_function: str = "cosine"


AEVS = {
    "ani2x-6.9": AEVDescription(),
    "ani2x": AEVDescription(radial_cutoff=5.1, radial_shifts=_SIXTEEN_OF_2X),
    "ani1x": AEVDescription(
        radial_cutoff=5.2,
        radial_eta=16.0,
        radial_shifts=_SIXTEEN_OF_1X,
        angular_eta=8.0,
        angular_zeta=32.0,
        angular_shifts=tuple(0.9 + 0.65 * k for k in range(4)),
        angular_sections=_sections(8),
    ),
}
"""AEVs of ANI-2x (doi:10.1021/acs.jctc.0c00121), ANI-1x (doi:10.1063/1.5023802), and ANI-2x extended to 6.9 Å."""
