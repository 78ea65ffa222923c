"""Compare recipes for the force error with the spread: ranking of atoms, and validity out of distribution.

    python benchmarks/training_sets.py FOLDER
    python benchmarks/outside_sets.py FOLDER
    python benchmarks/uncertainty_recipes.py FOLDER --work WORK [--sets ni32 al ninb butane] [--seed 1]

WORK/NAME-SEED contains a training of five members on NAME_train.h5 with its model.nnp.pt. Recipes are fitted to errors
of members that were not trained on a configuration, and tested on NAME_test.h5 (inside) and on the files NAME_KIND.h5
(outside). Last-layer heads belong to the first member; they are fitted on one half of its validation set and their
scale on the other half, and vice versa. Not timed.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from nnpal.calibration import reliability
from nnpal.data import read_frames
from nnpal.training.plan import read_splits
from recipe_data import Evaluated, evaluate
from recipe_fits import Recipe, distance, heads, largest, power_law, scaled, small_net
from record import write_record

HERE = Path(__file__).parent
SETS = ("ni32", "al", "ninb", "butane")
LOCAL_SHARE = 0.3
COLUMNS = ("set", "recipe", "ratio", "coverage", "tenths", "rank/exact", "outside", "rank", "kinds", "least 90 %")


@dataclass(frozen=True)
class Sets:
    """Evaluated training and test configurations of a set."""

    folder: Path
    training: Evaluated
    inside: Evaluated
    kinds: Mapping[str, Evaluated]

    @classmethod
    def read(cls, data: Path, folder: Path, name: str) -> Sets:
        model = folder / "model.nnp.pt"
        paths = {path.stem.removeprefix(f"{name}_"): path for path in sorted(data.glob(f"{name}_*.h5"))}
        frames = {kind: read_frames(path) for kind, path in paths.items()}
        training = frames.pop("train")
        own = np.zeros(len(training), dtype=bool)
        own[read_splits(folder)[0].validation] = True
        found = {kind: evaluate(model, some) for kind, some in frames.items()}
        inside = found.pop("test")
        return cls(folder, evaluate(model, training, own), inside, found)

    def of_members(self, n_members: int) -> Sets:
        few = {kind: atoms.of_members(n_members) for kind, atoms in self.kinds.items()}
        return Sets(self.folder, self.training.of_members(n_members), self.inside.of_members(n_members), few)

    def figures(self, recipe: Recipe) -> dict[str, Any]:
        kinds = {kind: (atoms.error, recipe(atoms)) for kind, atoms in self.kinds.items()}
        error, sigma = (np.concatenate(values) for values in zip(*kinds.values(), strict=True))
        return {
            "inside": reliability(self.inside.error, recipe(self.inside)).to_json(),
            "outside": reliability(error, sigma).to_json(),
            "kinds": {kind: _short(*pair) for kind, pair in kinds.items()},
        }


def _short(error: np.ndarray, sigma: np.ndarray) -> dict[str, Any]:
    found = reliability(error, sigma).to_json()
    return {name: found[name] for name in ("n_values", "ratio", "coverage", "rank", "exact_rank")}


def spread(atoms: Evaluated) -> np.ndarray:
    return np.maximum(atoms.uq_force, 1e-9)


def local_spread(atoms: Evaluated) -> np.ndarray:
    return np.asarray(np.sqrt((1 - LOCAL_SHARE) * spread(atoms) ** 2 + LOCAL_SHARE * atoms.local))


def uq_energy(atoms: Evaluated) -> np.ndarray:
    return np.asarray(atoms.uq_energy + 1e-6)


def mean_force(atoms: Evaluated) -> np.ndarray:
    return np.asarray(np.linalg.norm(atoms.forces.mean(0), axis=1) + 0.1)


def of_all_members(learned: Evaluated) -> Iterator[tuple[str, Recipe]]:
    """Yield recipes for all members, with their names."""
    by_spread = power_law(learned, spread)
    net, by_energy = small_net(learned, spread), small_net(learned, uq_energy)
    by_distance = power_law(learned, distance(learned))
    yield "s", by_spread
    yield "s, |F|", power_law(learned, spread, factors=(mean_force,))
    yield "s, uq_energy", power_law(learned, spread, factors=(uq_energy,))
    yield "s and its local mean", power_law(learned, local_spread)
    yield "h(AEV, s)", net
    yield "max(s, h(AEV, s))", scaled(learned, largest(by_spread, net))
    yield "h(AEV, uq_energy)", by_energy
    yield "distance", by_distance
    yield "max(h(AEV, uq_energy), distance)", scaled(learned, largest(by_energy, by_distance))


def with_heads(learned: Evaluated, n_heads: int) -> Iterator[tuple[str, Recipe]]:
    """Yield recipes with last-layer heads, calibrated on data that the heads were not fitted to."""
    own = learned.of_atoms(np.isfinite(learned.jacobian).all((1, 2)))
    half = np.unique(own.frame, return_inverse=True)[1] % 2 == 0
    unseen = np.empty(len(half))
    for part in (half, ~half):
        unseen[~part] = heads(own.of_atoms(part), n_heads)(own.of_atoms(~part))
    final = heads(own, n_heads)
    calibrated = replace(own, local=unseen)  # `local` now contains the spread of the heads

    def of_heads(atoms: Evaluated) -> np.ndarray:
        return atoms.local

    def prepared(recipe: Recipe) -> Recipe:
        return lambda atoms: recipe(replace(atoms, local=final(atoms)))

    yield f"{n_heads} heads", prepared(power_law(calibrated, of_heads))
    if len(own.forces) > 1:
        yield f"s, {n_heads} heads", prepared(power_law(calibrated, spread, of_heads))


def on_one(sets: Sets) -> dict[str, Any]:
    found = {}
    for n_members in (5, 3, 2, 1):
        few = sets.of_members(n_members)
        learned = few.training.out_of_fold(sets.folder)
        if n_members == 5:
            recipes = list(of_all_members(learned))
        else:
            recipes = [("s", power_law(learned, spread))] if n_members > 1 else [("h(AEV)", small_net(learned))]
            recipes += with_heads(learned, 5 if n_members != 2 else 3)
        for label, recipe in recipes:
            found[f"{n_members}: {label}"] = few.figures(recipe)
    return found


def row(label: str, figures: Mapping[str, Any]) -> list[str]:
    near, far, kinds = figures["inside"], figures["outside"], figures["kinds"].values()

    def covered(values: Mapping[str, Any]) -> str:
        return "/".join(f"{100 * share:.0f}" for share in values["coverage"])

    def between(values: list[float]) -> str:
        return f"{min(values):.2f}-{max(values):.2f}"

    return [
        label,
        f"{near['ratio']:.2f}",
        covered(near),
        between(near["tenths"]),
        f"{near['rank']:.2f}/{near['exact_rank']:.2f}",
        covered(far),
        f"{far['rank']:.2f}",
        between([kind["ratio"] for kind in kinds]),
        f"{100 * min(kind['coverage'][1] for kind in kinds):.0f}",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--work", type=Path, required=True, help="folder of the trained ensembles NAME-SEED")
    parser.add_argument("--sets", nargs="+", choices=SETS, default=SETS)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--output", type=Path, default=HERE / "results" / "uncertainty_recipes.json")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    console = Console(width=160)
    found = {}
    for name in arguments.sets:
        found[name] = on_one(Sets.read(arguments.folder, arguments.work / f"{name}-{arguments.seed}", name))
        table = Table(*COLUMNS)
        for label, figures in found[name].items():
            table.add_row(name, *row(label, figures))
        console.print(table)
    content = {"seed": arguments.seed, "sets": found}
    write_record(arguments.output, "uncertainty_recipes", ("nnpal", "torch", "numpy", "scipy"), content)


if __name__ == "__main__":
    main()
