"""Energies, forces and virials of configurations from ``lmp`` with ``pair_style nnp``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ase import Atoms

from nnpal.geometry.lammps_box import box_of
from nnpal.lammps.data_file import write_data
from nnpal.lammps.dump import read_dump
from nnpal.lammps.process import run_lmp
from nnpal.lammps.units import BAR_PER_EV_A3
from nnpal.runtime.files import aside

VACUUM = 10.0
"""Å of space around atoms along nonperiodic directions, where LAMMPS needs a box."""

BLOCK = """\
clear
units        metal
atom_style   atomic
boundary     {boundary}
read_data    {name}.data
pair_style   nnp "{model}" device {device} precision {precision}
pair_coeff   * * {elements}
compute      w all pressure NULL virial
thermo_style custom step pe vol c_w[*]
run          0 post no
print        "$(pe:%.17g) $(c_w[1]*vol:%.17g) $(c_w[2]*vol:%.17g) $(c_w[3]*vol:%.17g) &
 $(c_w[6]*vol:%.17g) $(c_w[5]*vol:%.17g) $(c_w[4]*vol:%.17g)" file {name}.{precision}.values
write_dump   all custom {name}.{precision}.forces id fx fy fz modify sort id format float %.17g
"""


@dataclass(frozen=True)
class Values:
    """LAMMPS's results for one configuration.

    Attributes:
        energy: eV.
        forces: eV/Å, [n_atoms, 3].
        virial: sum of d_ij (x) f_ij in Voigt order xx yy zz yz xz xy, eV, [6].
    """

    energy: float
    forces: np.ndarray
    virial: np.ndarray


def boxed(atoms: Atoms) -> Atoms:
    """Return a copy without labels, rotated to a lower triangular cell, with space along nonperiodic directions."""
    box = box_of(atoms)
    return Atoms(atoms.symbols, box.positions, cell=box.cell, pbc=atoms.pbc)


def lammps_values(
    model: Path,
    frames: Sequence[Atoms],
    folder: Path,
    *,
    precisions: Sequence[str],
    device: str,
    launch: Sequence[str] = (),
) -> dict[str, list[Values]]:
    """Evaluate configurations in one run of ``lmp``.

    Arguments:
        model: a model file.
        frames: configurations from :func:`boxed`.
        folder: folder for the input script ``in.gate``, data files and results.
        precisions: ``single``, ``double`` or both.
        device: ``cpu``, ``cuda`` or ``cuda:N``.
        launch: launch prefix of ``lmp``, such as mpirun -np 2.

    Returns:
        {precision: values in the order of ``frames``}.

    Raises:
        nnpal.lammps.process.LmpError: ``lmp`` fails.
    """
    blocks = []
    for index, frame in enumerate(frames):
        elements = sorted(set(frame.symbols))
        start = write_data(folder / f"{index}.data", frame, elements, room=VACUUM)
        for precision in precisions:
            blocks.append(
                BLOCK.format(
                    boundary=start.boundary,
                    name=index,
                    model=model.resolve(),
                    device=device,
                    precision=precision,
                    elements=" ".join(elements),
                )
            )
    with aside(folder / "in.gate") as path:
        path.write_text("\n".join(blocks))
    run_lmp(["-in", "in.gate", "-log", "log.gate", "-nocite"], folder, launch=launch)
    return {p: [_read(folder, f"{index}.{p}") for index in range(len(frames))] for p in precisions}


def _read(folder: Path, name: str) -> Values:
    energy, *virial = map(float, (folder / f"{name}.values").read_text().split())
    forces = read_dump(folder / f"{name}.forces").column("fx", "fy", "fz")[0]
    return Values(energy, forces, np.array(virial) / BAR_PER_EV_A3)
