"""Check that a pull acts on the same atoms as before: a script may change IDs and groups between runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnpal.hooks import Context, HookError

# Largest move relative to d: between runs only rounding moves atoms; another atom is about a bond length away.
JUMP = 1e-3

_HOW_TO_FIX = (
    "delete_atoms (without compress no) and reset_atoms id renumber atoms. If it is so, unfix {fix} and define it "
    "again with the IDs that are right now"
)


@dataclass(frozen=True)
class Pulled:
    """The pulled atoms or groups at the end of a run.

    Attributes:
        names: names, such as `atom 4` or `group tip`.
        kinds: kind of each as text: type and mass of an atom, number of atoms and mass of a group.
        places: positions or centers of mass, [n, 3].
        d: the pulled distance.
    """

    names: list[str]
    kinds: list[str]
    places: NDArray[np.float64]
    d: float

    def state(self) -> dict[str, Any]:
        return {"names": self.names, "kinds": self.kinds, "places": np.array(self.places), "d": self.d}


def require_same_atoms(context: Context, left: Pulled, now: Pulled) -> None:
    """Check that the pulled atoms or groups are the same, and warn if they have moved since the last run.

    Arguments:
        context: access to LAMMPS, for minimum images and warnings.
        left: state at the end of the last run, or of the run that wrote the restart file.
        now: state at the start of this run.

    Raises:
        HookError: the type or mass of an atom, or the number of atoms or mass of a group, has changed.
    """
    how_to_fix = _HOW_TO_FIX.format(fix=context.fix_id)
    for name, was, is_ in zip(now.names, left.kinds, now.kinds, strict=True):
        if was != is_:
            raise HookError(
                f"{name} had {was} at the end of the last run and has {is_} now, so another atom or group is pulled; "
                + how_to_fix
            )
    moved = [float(np.linalg.norm(context.minimum_image(shift.tolist()))) for shift in now.places - left.places]
    worst = int(np.argmax(moved))
    jump = abs(now.d - left.d)
    if max(moved[worst], jump) > JUMP * max(abs(left.d), abs(now.d)):
        context.log(
            f"WARNING: fix {context.fix_id} (python/hook nnpal.smd:SMD): {now.names[worst]} is {moved[worst]:.4g} from "
            f"where the last run left it, and d is {now.d:.6g}, which was {left.d:.6g}: either the script moved atoms, "
            f"or other atoms are pulled now. {how_to_fix}"
        )


def kinds_of_atoms(context: Context, tags: list[int]) -> list[str]:
    """Return type and mass of each atom as text, the same on every rank (collective)."""
    mine = np.zeros(len(tags))
    for i, tag in enumerate(tags):
        mine[i] = context.type[context.tag == tag].sum()
    types = (context.comm.allreduce(mine) if context.comm.size > 1 else mine).astype(int)
    try:
        masses = context.masses
    except HookError:  # an atom style with per-atom masses
        return [f"type {type_}" for type_ in types]
    return [f"type {type_} and mass {masses[type_]:g}" for type_ in types]


def kinds_of_groups(context: Context, names: list[str]) -> list[str]:
    """Return number of atoms and mass of each group as text, the same on every rank (collective)."""
    return [f"{context.group_count(name)} atoms and mass {context.group_mass(name):.10g}" for name in names]


def require_whole_groups(context: Context, names: list[str], counts: list[int]) -> None:
    """Check that groups have all their atoms in a trial state (collective).

    Raises:
        HookError: a Monte Carlo fix tries to delete or insert atoms of a group.
    """
    for name, count in zip(names, counts, strict=True):
        found = context.group_count(name)
        if found != count:
            raise HookError(
                f"group {name} has {found} atoms in a trial state of a Monte Carlo fix, and {count} are pulled; keep "
                "pulled atoms out of insertions and deletions"
            )
