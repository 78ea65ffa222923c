"""Names of the keys that hold the labels of a file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from nnpal.data import how_to_give
from nnpal.data.error import DatasetError
from nnpal.runtime.spelling import did_you_mean

VirialOrder = Literal["ase", "lammps"]


@dataclass(frozen=True)
class Keys:
    """Names of the labels in a file; None uses the common names of the format.

    Attributes:
        energy, forces, stress, virial: key names; at most one of stress and virial. A stress of "" reads neither.
        order: order of the six components of stresses and virials: `ase` (Voigt: xx yy zz yz xz xy) or `lammps`
            (xx yy zz xy xz yz).

    Raises:
        ValueError: both a stress and a virial.
    """

    energy: str | None = None
    forces: str | None = None
    stress: str | None = None
    virial: str | None = None
    order: VirialOrder | None = None

    def __post_init__(self) -> None:
        if self.stress is not None and self.virial is not None:
            raise ValueError(f"keys: stress = {self.stress!r} and virial = {self.virial!r}, expected one at most")
        if self.order not in (None, "ase", "lammps"):
            raise ValueError(f"keys: order = {self.order!r}{did_you_mean(str(self.order), ['ase', 'lammps'])}")


ANY_KEYS = Keys()


def listing(indices: Sequence[int]) -> str:
    """Return the first few of ``indices`` as text for a message."""
    return ", ".join(map(str, indices[:5])) + (f" and {len(indices) - 5} more" if len(indices) > 5 else "")


def require_everywhere(path: object, key: str, present: Sequence[bool], known: Iterable[Iterable[str]]) -> None:
    """Refuse a key that some frame lacks; the message lists the keys of that frame.

    Arguments:
        present: for each frame, whether it has ``key``.
        known: for each frame, the keys that it has.
    """
    absent = [index for index, there in enumerate(present) if not there]
    if not absent:
        return
    first = sorted(list(known)[absent[0]])
    which = "no frame has" if len(absent) == len(present) else f"{len(absent)} of {len(present)} frames lack"
    raise DatasetError(
        f"{path}: {which} {key!r} (frame {listing(absent)}); frame {absent[0]} has {', '.join(first) or 'no labels'}; "
        "name the key that holds it (keys in a configuration file or in Python, nnpal data convert --energy-key and "
        f"--forces-key), remove the frames, or {how_to_give.STRUCTURES}"
    )
