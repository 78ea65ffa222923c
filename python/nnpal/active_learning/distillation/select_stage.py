"""Select the configurations of a pool for which the previous iteration's ensemble is uncertain."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

import numpy as np
from ase import Atoms
from threadpoolctl import threadpool_limits

from nnpal.active_learning.distillation.facts import ChosenAtom, SelectFacts
from nnpal.active_learning.distillation.pools import pool, sampled_frames, series
from nnpal.active_learning.engine.error import StageError
from nnpal.active_learning.engine.stage import StageContext
from nnpal.active_learning.selection import Threshold, choose, classify, describe, tally, threshold
from nnpal.active_learning.selection.environment import cut_environment
from nnpal.active_learning.selection.grid import occupied_cells
from nnpal.active_learning.settings import DistillationSection
from nnpal.active_learning.shared.bare_frames import write_bare
from nnpal.active_learning.shared.error_limits import require_calibrated
from nnpal.active_learning.shared.learned_data import learned_so_far
from nnpal.active_learning.shared.thresholds import facts_of_threshold
from nnpal.active_learning.shared.train_ensemble import ENSEMBLE, MODEL
from nnpal.evaluation import predict
from nnpal.geometry.nearest_image import nearest_distances
from nnpal.training.plan import read_plan

CHOSEN = "chosen.traj"
CUTS_FOR_ONE = 3
"""Number of environments cut out per environment that may be selected; the most uncertain come first."""
Site = tuple[int, int, float]
"""Index of the frame in the pool, atom, and its uncertainty (eV; eV/Å with ``error_above``)."""


def select(ctx: StageContext, section: DistillationSection, budget: int | None) -> SelectFacts:
    """Select configurations of this iteration's pool; those of the first pool are selected without a model.

    Arguments:
        ctx: context of the stage.
        section: table [distillation].
        budget: largest number of labels in an iteration; None: no limit.
    """
    indices = pool(ctx, section, ctx.iteration)
    frames = sampled_frames(ctx, indices)
    if ctx.iteration == 0:
        return _begin(ctx, section, budget, indices, frames)
    if not frames:  # a grid may deselect only configurations of the test set
        write_bare(ctx.folder / CHOSEN, [])
        return SelectFacts(n_pool=0, threshold=None, counts=tally([]), chosen=(), files=(CHOSEN,))
    uq, n_atoms = _uncertainty(ctx, frames, section)
    found: Threshold | None = None
    if section.error_above is None:
        found = threshold(uq, section.k, estimator=section.estimator, name="atomic uncertainty")
        limit = found.value
    else:
        limit = section.error_above
    parts = np.split(uq, np.cumsum(n_atoms)[:-1])
    classes = classify(np.array([part.max() for part in parts]), limit, trajectory=False)
    most = section.max_chosen if budget is None else min(section.max_chosen, budget)
    if section.order == "random":
        sites = _drawn_sites(frames, parts, most, ctx.seed, section)
    else:
        sites = _sites(frames, parts, limit, section)[: CUTS_FOR_ONE * most]
    cut = _reduced([(frames[place], atom) for place, atom, _ in sites], section)
    network = read_plan(ctx.path(ctx.iteration - 1, "train", ENSEMBLE)).network
    chosen: list[int] = []
    near_known = near_chosen = 0
    if cut:
        values = np.array([value for _, _, value in sites])
        known = describe(learned_so_far(ctx), network)
        choice = choose(
            describe(cut, network), values, known, n_most=most, min_distance=section.min_distance,
            order=section.order, seed=ctx.seed,
        )  # fmt: skip
        chosen, near_known, near_chosen = choice.indices.tolist(), len(choice.near_known), len(choice.near_chosen)
    write_bare(ctx.folder / CHOSEN, [cut[i] for i in chosen])
    return SelectFacts(
        n_pool=len(frames),
        threshold=None if found is None else facts_of_threshold(found),
        counts=classes.counts(),
        n_atoms_above=int((uq > limit).sum()),
        n_environments=len(cut),
        n_near_known=near_known,
        n_near_chosen=near_chosen,
        error_above=section.error_above,
        chosen=tuple(_chosen(int(indices[sites[i][0]]), sites[i][1], sites[i][2], cut[i]) for i in chosen),
        files=(CHOSEN,),
    )


def _begin(
    ctx: StageContext, section: DistillationSection, budget: int | None, indices: np.ndarray, frames: Sequence[Atoms]
) -> SelectFacts:
    """Select the first pool, or one configuration from each of its (O, H) cells, around a random atom."""
    if not frames:
        raise StageError(
            "the first pool holds no configuration but those of the test set: sample more, or lower distillation.test, "
            f"which is {section.test}"
        )
    places = np.arange(len(indices))
    if section.initial == "grid":
        order, enthalpy, _ = series(ctx)
        places, _ = occupied_cells(order[indices], enthalpy[indices], section.delta_O, section.delta_H)
    rng = np.random.default_rng(ctx.seed)
    if budget is not None and budget < len(places):
        places = np.sort(rng.choice(places, budget, replace=False))
    kept: list[int] = places.tolist()
    atoms = [int(rng.integers(len(frames[place]))) for place in kept]
    cut = _reduced([(frames[place], atom) for place, atom in zip(kept, atoms, strict=True)], section)
    write_bare(ctx.folder / CHOSEN, cut)
    return SelectFacts(
        n_pool=len(frames),
        threshold=None,
        counts={},
        chosen=tuple(
            _chosen(int(indices[place]), atom, None, one) for place, atom, one in zip(kept, atoms, cut, strict=True)
        ),
        files=(CHOSEN,),
    )


def _chosen(frame: int, atom: int, uq: float | None, cut: Atoms) -> ChosenAtom:
    radius = cut.info.get("preserved_radius")
    return ChosenAtom(frame=frame, atom=atom, uq=uq, preserved_radius=None if radius is None else float(radius))


def _uncertainty(
    ctx: StageContext, frames: Sequence[Atoms], section: DistillationSection
) -> tuple[np.ndarray, np.ndarray]:
    """Return the uncertainty of all atoms, and the number of atoms of each configuration.

    The uncertainty is uq_energy, eV, or with ``error_above`` error_force, eV/Å.
    """
    model = ctx.path(ctx.iteration - 1, "train", MODEL)
    in_errors = section.error_above is not None
    require_calibrated(model, {"distillation.error_above": section.error_above})
    found = predict(model, frames, members=False, uq_force=in_errors, on_batch=lambda _: ctx.deadline.check())
    return (found.error_force if in_errors else found.uq_energy), found.n_atoms  # type: ignore[return-value]


def _sites(
    frames: Sequence[Atoms], parts: Sequence[np.ndarray], limit: float, section: DistillationSection
) -> list[Site]:
    """Return atoms above the threshold, the most uncertain first, none within the radius of another in its frame."""
    found: list[Site] = []
    for place, (frame, uq) in enumerate(zip(frames, parts, strict=True)):
        taken: list[int] = []
        for atom in np.argsort(-uq, kind="stable"):
            if uq[atom] <= limit or (taken and not _cuts(frame, section)):
                break
            if taken and _nearest(frame, int(atom), taken) < section.radius:
                continue
            taken.append(int(atom))
            found.append((place, int(atom), float(uq[atom])))
    return sorted(found, key=lambda site: (-site[2], site[0], site[1]))


def _drawn_sites(
    frames: Sequence[Atoms], parts: Sequence[np.ndarray], n: int, seed: int, section: DistillationSection
) -> list[Site]:
    """Return at most n random atoms of valid configurations, each from a different one as long as there are enough.

    Configurations that are kept whole have only one, because a second one would give the same configuration.
    """
    rng = np.random.default_rng(seed)
    sound = [place for place, uq in enumerate(parts) if np.isfinite(uq).all()]
    atoms = {
        place: rng.permutation(len(parts[place]))[: None if _cuts(frames[place], section) else 1] for place in sound
    }
    rounds = range(max((len(own) for own in atoms.values()), default=0))
    drawn = ((place, int(atoms[place][k])) for k in rounds for place in rng.permutation(sound) if k < len(atoms[place]))
    return [(int(place), atom, float(parts[place][atom])) for place, atom in islice(drawn, n)]


def _cuts(frame: Atoms, section: DistillationSection) -> bool:
    """Return whether environments are cut out; small configurations are kept whole."""
    return section.reduction != "none" and len(frame) > section.n_atoms


def _nearest(frame: Atoms, atom: int, others: list[int]) -> float:
    return float(nearest_distances(frame, [atom], others).min())


def _reduced(sites: Sequence[tuple[Atoms, int]], section: DistillationSection) -> list[Atoms]:
    """Return the environment of each atom, or a small configuration unchanged."""
    with threadpool_limits(1, "blas"):  # for matrices of ten rows, threads would only wait for each other
        return [_environment(frame, atom, section) for frame, atom in sites]


def _environment(frame: Atoms, atom: int, section: DistillationSection) -> Atoms:
    kind = section.reduction
    if kind == "none" or not _cuts(frame, section):
        return frame.copy()
    return cut_environment(frame, atom, section.radius, kind=kind, n_atoms=section.n_atoms)
