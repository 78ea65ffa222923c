"""Keep of a pool what the ensemble of the iteration before is uncertain of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from ase import Atoms
from threadpoolctl import threadpool_limits

from nnpal.distill import cut_environment, occupied_cells
from nnpal.distillation.pools import pool, sampled_frames, series
from nnpal.driver.data import learnt_so_far
from nnpal.driver.frames import write_bare
from nnpal.driver.training import ENSEMBLE, MODEL
from nnpal.evaluate import predict
from nnpal.loop.error import StageError
from nnpal.loop.stage import StageContext
from nnpal.nearest_image import nearest_distances
from nnpal.select import choose, classify, describe, tally, threshold
from nnpal.training.plan import read_plan

CHOSEN = "chosen.traj"
CUTS_FOR_ONE = 3
"""Environments that are cut out for each that may be chosen; the most uncertain come first."""
Site = tuple[int, int, float]
"""Place of the frame in the pool, atom, its uncertainty (eV)."""


def select(ctx: StageContext) -> dict[str, Any]:
    """Choose configurations of this iteration's pool; the first pool is learnt without a model's judgement."""
    indices = pool(ctx, ctx.iteration)
    frames = sampled_frames(ctx, indices)
    if ctx.iteration == 0:
        return _begin(ctx, indices, frames)
    if not frames:  # a grid may deselect nothing that is not of the test set
        write_bare(ctx.folder / CHOSEN, [])
        return {"n_pool": 0, "threshold": None, "counts": tally([]), "chosen": [], "files": [CHOSEN]}
    settings = ctx.tables["distillation"]
    uq, n_atoms = _uncertainty(ctx, frames)
    limit = threshold(uq, settings["k"], estimator=settings["estimator"], name="atomic uncertainty")
    parts = np.split(uq, np.cumsum(n_atoms)[:-1])
    classes = classify(np.array([part.max() for part in parts]), limit.value, trajectory=False)
    most = _most(ctx)
    sites = _sites(frames, parts, limit.value, settings)[: CUTS_FOR_ONE * most]
    cut = _reduced([(frames[place], atom) for place, atom, _ in sites], settings)
    network = read_plan(ctx.path(ctx.iteration - 1, "train", ENSEMBLE)).network
    chosen: list[int] = []
    near_known = near_chosen = 0
    if cut:
        values = np.array([value for _, _, value in sites])
        known = describe(learnt_so_far(ctx), network)
        choice = choose(
            describe(cut, network), values, known, n_most=most, min_distance=settings["min_distance"],
            order=settings["order"],
        )  # fmt: skip
        chosen, near_known, near_chosen = choice.indices.tolist(), len(choice.near_known), len(choice.near_chosen)
    write_bare(ctx.folder / CHOSEN, [cut[i] for i in chosen])
    return {
        "n_pool": len(frames),
        "threshold": {"mean": limit.mean, "deviation": limit.deviation, "k": limit.k, "n_values": limit.n_values},
        "counts": classes.counts(),
        "n_atoms_above": int((uq > limit.value).sum()),
        "n_environments": len(cut),
        "n_near_known": near_known,
        "n_near_chosen": near_chosen,
        "chosen": [
            {"frame": int(indices[sites[i][0]]), "atom": sites[i][1], "uq": sites[i][2],
             "preserved_radius": _number(cut[i].info.get("preserved_radius"))}
            for i in chosen
        ],
        "files": [CHOSEN],
    }  # fmt: skip


def _begin(ctx: StageContext, indices: np.ndarray, frames: Sequence[Atoms]) -> dict[str, Any]:
    """Take the first pool, or one configuration of each (O, H) cell of it, around an atom drawn at random."""
    settings = ctx.tables["distillation"]
    if not frames:
        raise StageError(
            "the first pool holds no configuration but those of the test set: sample more, or lower distillation.test, "
            f"which is {settings['test']}"
        )
    places = np.arange(len(indices))
    if settings["initial"] == "grid":
        order, enthalpy, _ = series(ctx)
        places, _ = occupied_cells(order[indices], enthalpy[indices], settings["delta_O"], settings["delta_H"])
    rng = np.random.default_rng(ctx.seed)
    budget = ctx.tables["run"]["labels_per_iteration"]
    if budget is not None and budget < len(places):
        places = np.sort(rng.choice(places, budget, replace=False))
    kept: list[int] = places.tolist()
    atoms = [int(rng.integers(len(frames[place]))) for place in kept]
    cut = _reduced([(frames[place], atom) for place, atom in zip(kept, atoms, strict=True)], settings)
    write_bare(ctx.folder / CHOSEN, cut)
    return {
        "n_pool": len(frames),
        "threshold": None,
        "counts": {},
        "chosen": [
            {"frame": int(indices[place]), "atom": atom, "uq": None,
             "preserved_radius": _number(one.info.get("preserved_radius"))}
            for place, atom, one in zip(kept, atoms, cut, strict=True)
        ],
        "files": [CHOSEN],
    }  # fmt: skip


def _uncertainty(ctx: StageContext, frames: Sequence[Atoms]) -> tuple[np.ndarray, np.ndarray]:
    """Return uq_energy of all atoms, eV, and the atoms of each configuration."""
    model = ctx.path(ctx.iteration - 1, "train", MODEL)
    found = predict(model, frames, members=False, uq_force=False, on_batch=lambda _: ctx.deadline.check())
    return found.uq_energy, found.n_atoms


def _sites(frames: Sequence[Atoms], parts: Sequence[np.ndarray], limit: float, settings: dict[str, Any]) -> list[Site]:
    """Return atoms above the threshold, the most uncertain first; of one configuration none within another's radius."""
    found: list[Site] = []
    for place, (frame, uq) in enumerate(zip(frames, parts, strict=True)):
        taken: list[int] = []
        for atom in np.argsort(-uq, kind="stable"):
            if uq[atom] <= limit or (taken and not _cuts(frame, settings)):
                break
            if taken and _nearest(frame, int(atom), taken) < settings["radius"]:
                continue
            taken.append(int(atom))
            found.append((place, int(atom), float(uq[atom])))
    return sorted(found, key=lambda site: (-site[2], site[0], site[1]))


def _cuts(frame: Atoms, settings: dict[str, Any]) -> bool:
    """Return whether environments are cut out; small configurations are kept whole."""
    return settings["reduction"] != "none" and len(frame) > settings["n_atoms"]


def _nearest(frame: Atoms, atom: int, others: list[int]) -> float:
    return float(nearest_distances(frame, [atom], others).min())


def _reduced(sites: Sequence[tuple[Atoms, int]], settings: dict[str, Any]) -> list[Atoms]:
    """Return the environment of each atom, or a small configuration as it is."""
    radius, kind, n_atoms = (settings[key] for key in ("radius", "reduction", "n_atoms"))
    with threadpool_limits(1, "blas"):  # matrices of ten rows: threads would wait for one another far longer
        return [
            cut_environment(frame, atom, radius, kind=kind, n_atoms=n_atoms) if _cuts(frame, settings) else frame.copy()
            for frame, atom in sites
        ]


def _most(ctx: StageContext) -> int:
    budget = ctx.tables["run"]["labels_per_iteration"]
    most = int(ctx.tables["distillation"]["max_chosen"])
    return most if budget is None else min(most, int(budget))


def _number(value: float | None) -> float | None:
    return None if value is None else float(value)
