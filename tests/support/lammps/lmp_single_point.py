"""Evaluate a configuration with `pair_style nnp` and return all quantities of the style as arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lmp_runner import FULL_DIGITS, THERMO_FORMAT, Frame, Lmp, LmpRun
from lmp_systems import System
from torchani_reference import ExportedModel

# LAMMPS's conversion from energy per volume to pressure (atm in real units, bar in metal).
NKTV2P = {"metal": 1.6021765e6, "real": 68568.415}

# Computes all quantities; a script adds a `run` or `rerun` after it.
MEASURE = f"""
fix uq all pair 1 nnp uq_energy 1 uq_force 1
compute uq all pair nnp
compute e all pe/atom
compute s all stress/atom NULL virial
compute cs all centroid/stress/atom NULL virial
compute p all pressure NULL virial
thermo 1
thermo_style custom step pe vol c_p[*] c_uq c_uq[*]
{THERMO_FORMAT}
dump d all custom 1 all.dump id type x y z fx fy fz c_e f_uq[*] c_s[*] c_cs[*]
dump_modify d sort id format float {FULL_DIGITS}
"""


@dataclass(frozen=True)
class SinglePoint:
    """All quantities of one frame, in the units of the script.

    Attributes:
        energy: total potential energy.
        pair_energy: energy by `compute pair`.
        virial: global virial, xx yy zz xy xz yz, energy units, [6].
        summary: vector of `compute pair`, [4].
        frame: per-atom values, by dump column.
    """

    energy: float
    pair_energy: float
    virial: np.ndarray
    summary: np.ndarray
    frame: Frame

    @property
    def forces(self) -> np.ndarray:
        return self.frame.forces

    @property
    def atomic_energies(self) -> np.ndarray:
        return self.frame["c_e"]

    @property
    def uq_energy(self) -> np.ndarray:
        return self.frame["f_uq[1]"]

    @property
    def uq_force(self) -> np.ndarray:
        return self.frame["f_uq[2]"]


def header(
    model: ExportedModel,
    system: System,
    *,
    data: str = "data",
    units: str = "metal",
    boundary: str | None = None,
    options: str = "precision double",
    before_box: str = "",
) -> str:
    """Return the script up to and including pair_coeff, with the elements of the system."""
    return f"""
units {units}
atom_style atomic
boundary {boundary or ("p p p" if system.periodic else "f f f")}
{before_box}
read_data {data}
pair_style nnp {model.path} {options}
pair_coeff * * {" ".join(system.elements)}
"""


def single_points(run: LmpRun, *, units: str = "metal") -> list[SinglePoint]:
    """Return the frames written by MEASURE, in the order of steps."""
    return [_point(run.thermo[-1], row, frame, units) for row, frame in enumerate(run.dump("all.dump"))]


def _point(table: dict[str, np.ndarray], row: int, frame: Frame, units: str) -> SinglePoint:
    pressure = np.array([table[f"c_p[{k}]"][row] for k in range(1, 7)])
    return SinglePoint(
        energy=table["PotEng"][row],
        pair_energy=table["c_uq"][row],
        virial=pressure * table["Volume"][row] / NKTV2P[units],
        summary=np.array([table[f"c_uq[{k}]"][row] for k in range(1, 5)]),
        frame=frame,
    )


def points_in_one_process(lmp: Lmp, scripts: Sequence[str], *, n_ranks: int = 1) -> list[SinglePoint]:
    """Evaluate `run 0` after each of the scripts (units metal), with `clear` between them."""
    parts = [
        script + MEASURE.replace("all.dump", f"{number}.dump") + "run 0 post no\nclear\n"
        for number, script in enumerate(scripts)
    ]
    run = lmp("".join(parts), n_ranks=n_ranks)
    frames = [run.dump(f"{number}.dump")[0] for number in range(len(scripts))]
    return [_point(table, 0, frame, "metal") for table, frame in zip(run.thermo, frames, strict=True)]


def single_point(
    lmp: Lmp,
    model: ExportedModel,
    system: System,
    *,
    n_ranks: int = 1,
    units: str = "metal",
    boundary: str | None = None,
    options: str = "precision double",
    before_box: str = "",
    before_run: str = "",
) -> SinglePoint:
    """Evaluate one system with `run 0`."""
    system.write(lmp.folder / "data")
    script = header(model, system, units=units, boundary=boundary, options=options, before_box=before_box)
    run = lmp(script + before_run + MEASURE + "run 0 post no\n", n_ranks=n_ranks)
    return single_points(run, units=units)[0]


def write_frames(path: Path, systems: Sequence[System]) -> None:
    """Write systems of the same atoms as one text dump, for `rerun`."""
    lines: list[str] = []
    for step, system in enumerate(systems):
        _, (xy, _, _), (xz, yz, _) = system.cell
        low, high = system.origin, system.origin + np.diag(system.cell)
        # Dumps contain the bounding box of a triclinic box.
        tilts = [
            (min(0, xy, xz, xy + xz), max(0, xy, xz, xy + xz)),
            (min(0, yz), max(0, yz)),
            (0, 0),
        ]
        lines += ["ITEM: TIMESTEP", str(step), "ITEM: NUMBER OF ATOMS", str(len(system.types))]
        boundary = " ".join(3 * ["pp" if system.periodic else "ff"])
        lines.append(f"ITEM: BOX BOUNDS xy xz yz {boundary}")
        for axis, tilt in enumerate((xy, xz, yz)):
            bounds = (low[axis] + tilts[axis][0], high[axis] + tilts[axis][1], tilt)
            lines.append(" ".join(f"{value:.17g}" for value in bounds))
        lines.append("ITEM: ATOMS id type x y z")
        for i, (type_, r) in enumerate(zip(system.types, system.positions, strict=True)):
            lines.append(f"{i + 1} {type_} " + " ".join(f"{value:.17g}" for value in r))
    path.write_text("\n".join(lines) + "\n")


def rerun_points(
    lmp: Lmp,
    model: ExportedModel,
    systems: Sequence[System],
    *,
    options: str = "precision double",
    before_run: str = "",
) -> list[SinglePoint]:
    """Evaluate many systems of the same atoms (triclinic boxes) in one process, by `rerun`."""
    systems[0].write(lmp.folder / "data")
    write_frames(lmp.folder / "frames.dump", systems)
    triclinic = "change_box all triclinic\n" if not np.any(np.triu(systems[0].cell.T, 1)) else ""
    script = header(model, systems[0], options=options) + triclinic + before_run + MEASURE
    return single_points(lmp(script + "rerun frames.dump dump x y z box yes\n"))
