"""Compare a step of a small MACE ensemble in pair_style nnp with an ANI ensemble with the fused kernel, on n-butane.

    pip install mace-torch
    python benchmarks/mace_step.py [--rounds 5] [--output mace_step.json]

CPU time of whole LAMMPS steps on one rank and one thread, with every member's forces (uq_force): the difference between
a long and a short run, which excludes start-up and torch's first calls. Both ensembles take turns in every round; the
ratio is the median of the rounds' ratios. Random weights, 5 members, float32.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import tempfile
from pathlib import Path

import numpy as np
import torch
from ase import Atoms
from rich.console import Console
from rich.table import Table

from lmp_timing import run_lmp
from networks import ani_file, systems
from nnpal.lammps.data_file import write_data
from nnpal.model.adapters import export_mace
from record import write_record

N_MEMBERS = 5
SIZES = {"MACE 16x0e": "16x0e", "MACE 32x0e + 32x1o": "32x0e + 32x1o"}
"""Hidden features; two interactions, correlation 3, 8 radial functions, spherical harmonics to l = 3, 5 Å."""
WARM_UP, STEPS = 5, 5


def mace_model(hidden: str, seed: int) -> torch.nn.Module:
    import mace.modules as modules
    from e3nn import o3  # after mace, which lets torch.load read e3nn's constants
    from mace.tools.torch_tools import default_dtype

    torch.manual_seed(seed)
    residual = modules.interaction_classes["RealAgnosticResidualInteractionBlock"]
    with default_dtype("float32"):
        return modules.ScaleShiftMACE(
            atomic_inter_scale=1.0, atomic_inter_shift=0.0, r_max=5.0, num_bessel=8, num_polynomial_cutoff=5, max_ell=3,
            interaction_cls=residual, interaction_cls_first=residual, num_interactions=2, num_elements=2,
            hidden_irreps=o3.Irreps(hidden), MLP_irreps=o3.Irreps("16x0e"), atomic_energies=np.zeros(2),
            avg_num_neighbors=50.0, atomic_numbers=[1, 6], correlation=3, gate=torch.nn.functional.silu,
        )  # fmt: skip


def cpu_seconds(model: Path, atoms: Atoms, n_steps: int, folder: Path) -> float:
    """Return the CPU time of a run of ``lmp``, s; the timestep is so short that the atoms hardly move."""
    start = write_data(folder / "box.data", atoms, ["H", "C"])
    script = f"""units metal
atom_modify map array
boundary {start.boundary}
read_data box.data
pair_style nnp {model} device cpu
pair_coeff * * H C
fix uq all pair 1 nnp uq_energy 1 uq_force 1
velocity all create 300 4711 loop geom
timestep 1e-6
fix nve all nve
run {n_steps}
"""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    run_lmp(script, folder, 1)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def us_per_atom(model: Path, atoms: Atoms, n_steps: int, folder: Path) -> float:
    seconds = [cpu_seconds(model, atoms, n, folder) for n in (WARM_UP, WARM_UP + n_steps)]
    return 1e6 * (seconds[1] - seconds[0]) / n_steps / len(atoms)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--output", type=Path, help="JSON file with results, machine and versions")
    arguments = parser.parse_args()
    ((name, atoms),) = ((key, value) for key, value in systems().items() if "butane" in key)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        # (file, steps): the fused kernel is so fast that it needs more steps
        models = {"ANI, fused": (ani_file(("H", "C"), folder), 40 * STEPS)}
        for label, hidden in SIZES.items():
            members = [mace_model(hidden, seed) for seed in range(N_MEMBERS)]
            models[label] = (export_mace(members, folder / f"{hidden[:2]}.nnp.pt"), STEPS)
        found: dict[str, list[float]] = {label: [] for label in models}
        for _ in range(arguments.rounds):
            for label, (model, n_steps) in models.items():
                found[label].append(us_per_atom(model, atoms, n_steps, folder))
    table = Table("", "CPU µs per atom and step", "ratio to ANI")
    ratios = {}
    for label, values in found.items():
        ratios[label] = statistics.median(a / b for a, b in zip(values, found["ANI, fused"], strict=True))
        table.add_row(f"{label}, {N_MEMBERS} members", f"{statistics.median(values):.0f}", f"{ratios[label]:.1f}")
    Console(width=100).print(name, table)
    content = {"system": name, "members": N_MEMBERS, "us_per_atom": found, "over_ani": ratios}
    if arguments.output:
        write_record(arguments.output, "mace_step", ("nnpal", "torch", "torchani", "mace-torch", "e3nn"), content)


if __name__ == "__main__":
    main()
