"""Pairs of spread and error from a training's own data: errors of members that did not learn a configuration.

Every configuration that some members validate on is a test of these, and needs no data to be held back. Its spread is
that of the whole ensemble, as in use, because the spread of few members is too noisy for a calibration.
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
"""Of larger sets a random part of so many atoms is evaluated: it determines the few numbers well enough."""


def out_of_fold_pairs(
    networks: Sequence[Network],
    learned: np.ndarray,
    data: TrainingData,
    *,
    batch_size: int,
    rng: np.random.Generator,
    most_atoms: int = MOST_ATOMS,
) -> tuple[Pairs, np.ndarray]:
    """Evaluate the ensemble on its data.

    Arguments:
        networks: of all members, eV.
        learned: whether a member learned a configuration, now or before it started here, bool [n_members, n_data].
        data: on the CPU.
        batch_size: configurations evaluated at a time.
        rng: draws configurations where there are more than ``most_atoms`` atoms.

    Returns:
        Pairs of the configurations that at least one member did not learn, perhaps of none, and their indices.
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
        share = ~learned[:, part] / judged[part]  # of each member in the mean that is judged
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
