"""Recipes for the force error of an atom from its other quantities, fitted by maximum likelihood for each element."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from scipy.optimize import minimize

from nnpal.calibration.fit import WILD
from recipe_data import Evaluated

Recipe = Callable[[Evaluated], np.ndarray]
"""Function that returns the expected force error of every atom, eV/Å, [n_atoms], greater than 0."""
LEAST = 1e-9
WIDTH, PATIENCE, MOST_EPOCHS, BATCH, LEARNING_RATE = 48, 8, 60, 512, 3e-3
STOPPED_ON = 5  # every fifth configuration is used for early stopping
ITERATIONS = 150


def likely(columns: np.ndarray, offset: np.ndarray, atoms: Evaluated, usual: Sequence[float]) -> np.ndarray:
    """Return θ of log σ = columns·θ + offset; the prior of all but the first is normal around ``usual``, SD 0.2."""
    mean = np.array([0.0, *usual])
    inverse = np.array([0.0, *[25.0] * len(usual)])

    def cost(theta: np.ndarray, kept: np.ndarray) -> tuple[float, np.ndarray]:
        power = np.exp(2 * (columns @ theta + offset))
        own = power + atoms.excess
        value = 1.5 * (kept * (np.log(own) + atoms.squares / own)).sum()
        slope = 3 * kept * (1 - atoms.squares / own) * power / own
        return value + (inverse * (theta - mean) ** 2).sum() / 2, columns.T @ slope + inverse * (theta - mean)

    theta = mean.copy()
    theta[0] = np.log(np.median(np.sqrt(atoms.squares) / np.exp(columns @ theta + offset)))
    kept = np.ones(len(offset), dtype=bool)
    for _ in range(15):
        theta = minimize(cost, theta, args=(kept,), jac=True, method="L-BFGS-B").x
        own = np.exp(2 * (columns @ theta + offset)) + atoms.excess
        previous, kept = kept, atoms.squares < WILD**2 * own
        if (kept == previous).all():
            break
    return theta


def by_element(atoms: Evaluated, fit: Callable[[Evaluated], Recipe]) -> Recipe:
    """Return a recipe that applies to each element the recipe fitted to its atoms."""
    recipes = {int(e): fit(atoms.of_atoms(atoms.species == e)) for e in np.unique(atoms.species)}

    def apply(others: Evaluated) -> np.ndarray:
        sigma = np.empty(len(others.species))
        for element, recipe in recipes.items():
            own = others.species == element
            if own.any():
                sigma[own] = recipe(others.of_atoms(own))
        return sigma

    return apply


def power_law(atoms: Evaluated, *quantities: Recipe, factors: Sequence[Recipe] = ()) -> Recipe:
    """Return a power law of quantities up to the 95th percentile of each; above it, proportional to the largest one.

    Arguments:
        atoms: atoms to fit to.
        quantities: quantities greater than 0 that increase with the error.
        factors: other quantities greater than 0; a power of each, clipped to the fitted range, multiplies the result.
    """

    def fit(own: Evaluated) -> Recipe:
        knees = [np.quantile(quantity(own), 0.95) for quantity in quantities]
        ranges = [np.quantile(np.log(factor(own)), (0.01, 0.5, 0.99)) for factor in factors]

        def terms(some: Evaluated) -> tuple[np.ndarray, np.ndarray]:
            logs = [np.log(np.maximum(q(some), LEAST) / knee) for q, knee in zip(quantities, knees, strict=True)]
            more = [
                np.clip(np.log(factor(some)), low, high) - middle
                for factor, (low, middle, high) in zip(factors, ranges, strict=True)
            ]
            below = [np.minimum(values, 0) for values in logs]
            above = np.max([np.maximum(values, 0) for values in logs], axis=0)
            return np.stack([np.ones(len(above)), *below, *more], 1), above

        usual = [0.8 / len(quantities)] * len(quantities) + [0.0] * len(factors)
        theta = likely(*terms(own), own, usual)

        def apply(some: Evaluated) -> np.ndarray:
            columns, above = terms(some)
            return np.asarray(np.exp(columns @ theta + above))

        return apply

    return by_element(atoms, fit)


def scaled(atoms: Evaluated, recipe: Recipe) -> Recipe:
    """Return a recipe multiplied by the most likely factor."""

    def fit(own: Evaluated) -> Recipe:
        theta = likely(np.ones((len(own.species), 1)), np.log(recipe(own)), own, ())
        return lambda some: np.exp(theta[0]) * recipe(some)

    return by_element(atoms, fit)


def largest(*recipes: Recipe) -> Recipe:
    return lambda atoms: np.max([recipe(atoms) for recipe in recipes], axis=0)


def distance(atoms: Evaluated) -> Recipe:
    """Return the Mahalanobis distance of AEVs from those of ``atoms``, by element."""

    def fit(own: Evaluated) -> Recipe:
        mean, covariance = own.aev.mean(0), np.cov(own.aev.T.astype(float))
        ridge = (1e-7 + 1e-8 * np.trace(covariance) / len(mean)) * np.eye(len(mean))
        root = np.linalg.cholesky(np.linalg.inv(covariance + ridge))
        return lambda some: np.sqrt(np.square((some.aev - mean) @ root).mean(1))

    return by_element(atoms, fit)


def small_net(atoms: Evaluated, *quantities: Recipe, seed: int = 0) -> Recipe:
    """Return a network with one hidden layer for log σ from AEV and logarithms of quantities, with early stopping."""

    def fit(own: Evaluated) -> Recipe:
        mean, deviation = own.aev.mean(0), np.maximum(own.aev.std(0), 1e-4)
        scales = [(np.log(q(own) + 1e-6).mean(), np.log(q(own) + 1e-6).std()) for q in quantities]

        def inputs(some: Evaluated) -> torch.Tensor:
            more = [(np.log(q(some) + 1e-6) - m) / d for q, (m, d) in zip(quantities, scales, strict=True)]
            aev = np.clip((some.aev - mean) / deviation, -5, 5)
            return torch.tensor(np.column_stack([aev, *[np.clip(values, -4, 4) for values in more]]).astype(np.float32))

        start = np.sqrt(own.squares.mean())
        net = _trained(inputs(own), own, float(start), seed)

        def apply(some: Evaluated) -> np.ndarray:
            with torch.no_grad():
                return np.asarray(start * np.exp(net(inputs(some))[:, 0].double().numpy()))

        return apply

    return by_element(atoms, fit)


def _trained(inputs: torch.Tensor, atoms: Evaluated, start: float, seed: int) -> torch.nn.Module:
    torch.manual_seed(seed)
    last = torch.nn.Linear(WIDTH, 1)
    net = torch.nn.Sequential(torch.nn.Linear(inputs.shape[1], WIDTH), torch.nn.Tanh(), last)
    torch.nn.init.zeros_(last.weight)
    torch.nn.init.zeros_(last.bias)
    optimizer = torch.optim.AdamW(net.parameters(), lr=LEARNING_RATE, weight_decay=1e-3)
    squares, excess = (torch.tensor(values / start**2, dtype=torch.float32) for values in (atoms.squares, atoms.excess))

    def loss(rows: torch.Tensor) -> torch.Tensor:
        own = torch.exp(2 * net(inputs[rows])[:, 0]) + excess[rows]
        return 1.5 * (torch.log(own) + torch.clamp(squares[rows] / own, max=WILD**2)).mean()

    kept_back = torch.tensor(np.unique(atoms.frame, return_inverse=True)[1] % STOPPED_ON == 0)
    learned, judged = torch.where(~kept_back)[0], torch.where(kept_back)[0]
    best, best_loss, waited = net.state_dict(), np.inf, 0
    for _ in range(MOST_EPOCHS):
        for rows in learned[torch.randperm(len(learned))].split(BATCH):
            optimizer.zero_grad()
            loss(rows).backward()
            optimizer.step()
        with torch.no_grad():
            found = float(loss(judged))
        waited += 1
        if found < best_loss - 1e-5:
            best, best_loss, waited = {k: v.clone() for k, v in net.state_dict().items()}, found, 0
        if waited >= PATIENCE:
            break
    net.load_state_dict(best)
    return net


def heads(atoms: Evaluated, n_heads: int, seed: int = 0) -> Recipe:
    """Return the spread of heads on the last layer of the first member, fitted by likelihood to its force errors.

    Head k changes the weights of the last layer by l_k and the force by J l_k, so σ² = Σ_k |J l_k|² + c.
    """
    n_atoms, _, n_weights = atoms.jacobian.shape
    flat = atoms.jacobian.reshape(-1, n_weights)
    values, vectors = np.linalg.eigh((flat.T @ flat).astype(float) / len(flat))
    kept = values > 1e-7 * values.max()
    white = (vectors[:, kept] / np.sqrt(values[kept] + 1e-6 * values.max())).astype(np.float32)
    rows = torch.from_numpy((flat @ white).reshape(n_atoms, 3, -1))
    squares = torch.from_numpy(atoms.squares.astype(np.float32))
    typical = float(squares.median())
    scale = np.sqrt(typical / (3 * n_heads * rows.shape[2]))
    weights = torch.randn((rows.shape[2], n_heads), generator=torch.Generator().manual_seed(seed), requires_grad=True)
    floor = torch.tensor(np.log(typical / 4), dtype=torch.float32, requires_grad=True)
    optimizer = torch.optim.LBFGS([weights, floor], max_iter=ITERATIONS, history_size=20, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        own = (rows @ (weights * scale)).square().sum((1, 2)) + torch.exp(floor)
        loss = (torch.log(own) + torch.clamp(squares / own, max=WILD**2)).mean() + 1e-4 * weights.square().mean()
        loss.backward()
        return loss

    optimizer.step(closure)
    directions, least = white @ (weights.detach().numpy() * scale), float(torch.exp(floor.detach()))
    return lambda some: np.sqrt(np.square(some.jacobian @ directions).sum((1, 2)) + least)
