"""Labels of configurations as arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from nnpal.data.labels import with_zero_forces

NO_TAG = "untagged"


@dataclass(frozen=True)
class Labels:
    """Labels of configurations; atoms of all configurations are concatenated.

    Attributes:
        n_atoms: number of atoms of each configuration, int [n_frames].
        energies: total energies, eV, [n_frames].
        forces: eV/Å, [n_atoms in all, 3].
        stresses: Voigt, ASE's sign, eV/Å³, [n_frames, 6]; NaN if there is no label.
        symbols: chemical symbol of every atom, [n_atoms in all].
        tags: ``atoms.info["tag"]`` of every configuration, or ``untagged``, [n_frames].
    """

    n_atoms: NDArray[np.int64]
    energies: NDArray[np.float64]
    forces: NDArray[np.float64]
    stresses: NDArray[np.float64]
    symbols: NDArray[np.str_]
    tags: NDArray[np.str_]


def read_labels(frames: Sequence[Atoms]) -> Labels:
    """Read the labels stored in the calculators of configurations.

    Arguments:
        frames: labeled configurations, eV and Å.

    Raises:
        ValueError: no configurations, or one without energy or (except for a single atom) forces; the message has its
            index.
    """
    if not frames:
        raise ValueError("read_labels: no configurations, expected at least one")
    held = [with_zero_forces(frame.calc.results, len(frame)) if frame.calc else {} for frame in frames]
    for index, (frame, known) in enumerate(zip(frames, held, strict=True)):
        missing = [name for name in ("energy", "forces") if name not in known]
        if missing:
            source = frame.info.get("source")
            raise ValueError(
                f"configuration {index}{f' ({source})' if source else ''} has no {' and no '.join(missing)}; "
                "label it with the oracle first"
            )
    nothing = np.full(6, np.nan)
    return Labels(
        n_atoms=np.array([len(frame) for frame in frames]),
        energies=np.array([known["energy"] for known in held], dtype=float),
        forces=np.concatenate([known["forces"] for known in held]).astype(float),
        stresses=np.array([known.get("stress", nothing) for known in held], dtype=float),
        symbols=np.concatenate([np.array(frame.get_chemical_symbols(), dtype=str) for frame in frames]),
        tags=np.array([str(frame.info.get("tag", NO_TAG)) for frame in frames]),
    )
