"""Pairs of spread and error from a training's own data: errors of members that were not trained on a configuration.

Each configuration tests the members that only validate on it, so no data need be held out. Its spread is that of the
whole ensemble, as in use, because the spread of a few members is too noisy for a calibration.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nnpal.calibration import Pairs, unshared
from nnpal.model.denormals import denormals_flushed
from nnpal.model.networks import Network
from nnpal.training.data import TrainingData
from nnpal.training.evaluate import evaluate
from nnpal.training.member import in_parts

MOST_ATOMS = 100_000
"""Size of the random part that is evaluated of larger datasets; it determines the few parameters well enough."""


def out_of_fold_pairs(
    networks: Sequence[Network],
    learned: np.ndarray,
    data: TrainingData,
    *,
    batch_size: int,
    rng: np.random.Generator,
    most_atoms: int = MOST_ATOMS,
) -> tuple[Pairs, np.ndarray]:
    """Evaluate the ensemble on the data that it was trained on.

    Arguments:
        networks: networks of all members, eV.
        learned: whether a member was trained on a configuration, now or before its start, bool [n_members, n_data].
        data: training data, on the CPU.
        batch_size: configurations evaluated at a time.
        rng: random generator that selects configurations if there are more than ``most_atoms`` atoms.

    Returns:
        Pairs from the configurations that at least one member was not trained on, possibly none, and their indices.
    """
    judged = (~learned).sum(0)
    chosen = np.flatnonzero(judged)
    if data.sizes[chosen].sum() > most_atoms:
        chosen = rng.permutation(chosen)
        chosen = np.sort(chosen[np.cumsum(data.sizes[chosen]) <= most_atoms])
    species, spreads, errors, stds, energy_errors = [], [], [], [], []
    for part in in_parts(chosen, batch_size):
        batch = data.features.batch(part)
        with denormals_flushed():
            found = [evaluate(network, batch) for network in networks]
        forces = np.stack([one.forces.detach().double().numpy() for one in found])
        energies = np.stack([one.energies.detach().double().numpy() for one in found])
        share = ~learned[:, part] / judged[part]  # weight of each member in the mean error
        of_atom = np.repeat(share, data.sizes[part], axis=1)
        rows = batch.rows
        species.append(batch.species.numpy())
        spreads.append(np.sqrt(forces.var(0).sum(-1)))
        errors.append((of_atom[:, :, None] * forces).sum(0) - data.forces[rows.atoms].double().numpy())
        stds.append(energies.std(0))
        energy_errors.append((share * energies).sum(0) - data.energies[rows.configurations].double().numpy())
    if not species:
        nothing = np.zeros(0)
        none = Pairs(nothing.astype(int), nothing, np.zeros((0, 3)), nothing.astype(int), nothing, nothing, nothing)
        return none, chosen
    pairs = Pairs(
        species=np.concatenate(species),
        uq_force=np.concatenate(spreads),
        force_error=np.concatenate(errors),
        n_atoms=data.sizes[chosen],
        energy_std=np.concatenate(stds),
        energy_error=np.concatenate(energy_errors),
        unshared=unshared(len(networks), judged[chosen]),
    )
    return pairs, chosen
