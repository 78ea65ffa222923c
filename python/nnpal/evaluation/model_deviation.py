"""Model deviations of configurations, with the columns of `model_devi.out` of DeePMD-kit and DP-GEN.

With F_im the force of member m on atom i, E_m and W_m the energy and virial of member m for a configuration of N atoms,
and std the standard deviation over the members (population form)::

    force:   d_i  = sqrt(mean_m |F_im - mean_m F_im|²)          eV/Å, uq_force
    virial:  d_ab = std_m(W_m,ab) / N                           eV, nine components
    energy:  d    = std_m(E_m) / N                              eV

max, min and avg of the force are over atoms; those of the virial are over its nine components, with avg their root mean
square. Source: `dp model-devi` of DeePMD-kit (doi:10.1063/5.0155600), version 3.2.0.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from ase.stress import voigt_6_to_full_3x3_stress
from numpy.typing import NDArray

from nnpal.evaluation.prediction import Predictions
from nnpal.runtime.files import write_whole

COLUMNS = ("max_devi_v", "min_devi_v", "avg_devi_v", "max_devi_f", "min_devi_f", "avg_devi_f", "devi_e")
"""Columns after the step."""


def model_deviation(predictions: Predictions) -> NDArray[np.float64]:
    """Return the model deviations of configurations.

    Arguments:
        predictions: predictions of an ensemble, with ``members`` and ``uq_force``.

    Returns:
        The columns ``COLUMNS``: eV for virial and energy (divided by the number of atoms), eV/Å for forces;
        [n_frames, 7].

    Raises:
        ValueError: only one member, or predictions without virials of members or ``uq_force``.
    """
    if predictions.n_members < 2:
        raise ValueError("model_deviation: the model has one member, expected at least two; give an ensemble")
    virials, uq_force = predictions.member_virials, predictions.uq_force
    if virials is None or uq_force is None:
        raise ValueError("model_deviation: no forces and virials of members; use predict(..., members=True)")
    nine = voigt_6_to_full_3x3_stress(virials.std(axis=0)).reshape(-1, 9) / predictions.n_atoms[:, None]
    starts = np.concatenate([[0], np.cumsum(predictions.n_atoms)[:-1]])
    columns = [
        nine.max(axis=1),
        nine.min(axis=1),
        np.sqrt(np.square(nine).mean(axis=1)),
        np.maximum.reduceat(uq_force, starts),
        np.minimum.reduceat(uq_force, starts),
        np.add.reduceat(uq_force, starts) / predictions.n_atoms,
        predictions.member_energies.std(axis=0) / predictions.n_atoms,
    ]
    return np.stack(columns, axis=1)


def write_model_deviation(path: str | os.PathLike[str], steps: Sequence[int], deviations: NDArray[np.float64]) -> None:
    """Write `model_devi.out`: a header line, then a row for each configuration.

    Arguments:
        path: file to write.
        steps: time steps of the configurations.
        deviations: result of :func:`model_deviation`, [n_frames, 7].
    """
    lines = ["#" + "step".rjust(11) + "".join(name.rjust(19) for name in COLUMNS)]
    for step, row in zip(steps, deviations.tolist(), strict=True):
        lines.append(f"{step:12d}" + "".join(f"{value:19.6e}" for value in row))
    write_whole(Path(path), ("\n".join(lines) + "\n").encode())
