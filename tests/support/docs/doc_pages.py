"""Prepare folders to run the examples of a page: small versions of the files that the page assumes."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
from ase import Atoms, units
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import write

from doc_blocks import ROOT, blocks
from ensembles import one_element_ensemble
from nnpal.data import write_dataset
from nnpal.model import export_ensemble
from nnpal.smd.trace import TraceFile

EXAMPLES = ROOT / "docs" / "examples"
BUTANE = EXAMPLES / "butane.xyz"


def shaken(element: str, n: int = 4, size: tuple[int, int, int] = (2, 2, 1), seed: int = 0) -> list[Atoms]:
    """Return fcc crystals with different random displacements, and energies, forces and stresses by ASE's EMT."""
    frames = [bulk(element, cubic=True) * size for _ in range(n)]
    for i, frame in enumerate(frames):
        frame.arrays.pop("initial_magmoms", None)  # ASE sets them for nickel; EAM and these models have none
        frame.rattle(0.08, seed=seed + i)
        frame.calc = EMT()
        labels = (frame.get_potential_energy(), frame.get_forces(), frame.get_stress())
        frame.calc = SinglePointCalculator(frame, **dict(zip(("energy", "forces", "stress"), labels, strict=True)))
    return frames


def toml_of(page: str, number: int = 0) -> str:
    return blocks("toml", page)[number].text


def in_kbar(frames: list[Atoms]) -> list[Atoms]:
    """Return frames as written by a program with stresses in kbar."""
    for frame in frames:
        results = {**frame.calc.results, "stress": frame.get_stress() / (1000 * units.bar)}
        frame.calc = SinglePointCalculator(frame, **results)
    return frames


def write_published_layout(path: Path, frames: list[Atoms]) -> None:
    """Write frames as in the published sets: TorchANI's layout, hartree, elements named C, LAMMPS's virials."""
    n_atoms = len(frames[0])
    with h5py.File(path, "w") as file:
        group = file.create_group(f"C{n_atoms}")
        group["species"] = np.full((len(frames), n_atoms), 6)
        group["coordinates"] = [frame.positions for frame in frames]
        group["cell"] = [frame.cell.array for frame in frames]
        group["energies"] = [frame.get_potential_energy() / units.Hartree for frame in frames]
        group["forces"] = [frame.get_forces() / units.Hartree for frame in frames]
        virials = [-frame.get_volume() * frame.get_stress()[[0, 1, 2, 5, 4, 3]] / units.Hartree for frame in frames]
        group["virials"] = virials


def write_dump(path: Path, n_types: int = 2) -> None:
    """Write a dump with LAMMPS types, such as nickel and aluminum."""
    lines = ["ITEM: TIMESTEP", "0", "ITEM: NUMBER OF ATOMS", "2", "ITEM: BOX BOUNDS pp pp pp", *["0 6"] * 3]
    path.write_text("\n".join([*lines, "ITEM: ATOMS id type x y z", "1 1 0 0 0", f"2 {n_types} 2.5 0 0", ""]))


def data_page(folder: Path) -> None:
    write(folder / "dft.xyz", shaken("Ni"), format="extxyz")
    write(folder / "vasp.xyz", in_kbar(shaken("Ni")), format="extxyz")
    write_published_layout(folder / "ni32.h5", shaken("Ni"))
    write_dump(folder / "dump.nial")
    write_dataset(folder / "more.h5", shaken("Ni", 2, seed=10), provenance={})


def evaluate_page(folder: Path) -> None:
    export_ensemble(one_element_ensemble("Ni", 2, self_energy=-0.16), folder / "ni.nnp.pt")
    export_ensemble(one_element_ensemble("Al", 2), folder / "al.nnp.pt")
    write_dataset(folder / "held_out.h5", shaken("Ni", 6), provenance={})
    write_dump(folder / "traj.lammpstrj", n_types=1)
    # the page relaxes crystals, which are not stable under random weights
    text = toml_of("evaluate.md").partition("structures = [")[0]
    (folder / "ni.toml").write_text(text)


def uncertainty_page(folder: Path) -> None:
    evaluate_page(folder)
    (folder / "ni.nnp.pt").rename(folder / "model.nnp.pt")
    write_dataset(folder / "more_held_out.h5", shaken("Ni", seed=6), provenance={})


SHORT = """
[training]
batch_size = 4
max_epochs = 1

[ensemble]
members = 2
folder = "train"

[network]
hidden = [8]
"""


def start_page(folder: Path) -> None:
    """Prepare labels by EAM, as in docs/label.md, and a training that ends at once."""
    write(folder / "al.xyz", [bare(frame) for frame in shaken("Al", 8)], format="extxyz")
    oracle = '[oracle]\nkind = "lammps"\nelements = ["Al"]\n'
    oracle += 'commands = ["pair_style eam/fs", "pair_coeff * * Al_mm.eam.fs {symbols}"]\n'
    files = '[label]\ninput = [{ path = "al.xyz", units = "eV Å" }]\n[data]\ntrain = ["labeled.h5"]\n'
    write_dataset(folder / "held_out.h5", shaken("Al", 6), provenance={})
    export_ensemble(one_element_ensemble("Al", 2), folder / "old.nnp.pt")
    (folder / "config.toml").write_text(oracle + files + '[evaluate]\ndata = ["labeled.h5"]\n' + SHORT)


def bare(frame: Atoms) -> Atoms:
    frame = frame.copy()
    frame.calc = None
    return frame


def training_page(folder: Path) -> None:
    """Prepare the files of `nnpal demo aluminum`, and a shortened version of the page's configuration."""
    (folder / "demo-output").mkdir()
    frames = shaken("Al", 12)
    write(folder / "demo-output" / "train.extxyz", frames[:9], format="extxyz")
    write(folder / "demo-output" / "held_out.extxyz", frames[9:], format="extxyz")
    text = toml_of("training.md")
    for printed, short in (("updates = 2000", "updates = 4"), ("members = 5", "members = 2")):
        assert printed in text
        text = text.replace(printed, short)
    (folder / "al.toml").write_text(text + "[network]\nhidden = [8]\n")
    write_published_layout(folder / "ni32_distilled_train.h5", shaken("Ni", 12))
    ni = '[data]\ntrain = ["train.h5"]\n[evaluate]\ndata = ["test.h5"]\n'
    (folder / "ni.toml").write_text(ni + SHORT)


def smd_page(folder: Path) -> None:
    """Prepare three noisy pulls that break a bond."""
    target = np.linspace(1.5, 5.0, 200)
    x = np.exp(-2.0 * (target - 1.5))
    for i in (1, 2, 3):
        force = 16.0 * (x - x**2) + np.random.default_rng(i).normal(0, 0.05, len(target))
        work = np.concatenate([[0.0], np.cumsum(0.5 * (force[1:] + force[:-1]) * np.diff(target))])
        facts = {"units": "metal", "pulled": "atoms 1 4", "k": 100.0, "rate": 1.0, "boltz": 8.617343e-5}
        trace = TraceFile(folder / f"pull.{i}.txt", facts, writes=True)
        for step, row in enumerate(zip(target - force / 100, target, force, work, strict=True)):
            trace.write(0.001 * step, step, np.array(row))
        trace.close()


def label_page(folder: Path) -> None:
    shutil.copy(BUTANE, folder)
    crystals = [bare(frame) for frame in shaken("Ni", 2)]
    write(folder / "crystal.xyz", crystals, format="extxyz")
    write_dump(folder / "liquid.lammpstrj")


def export_page(folder: Path) -> None:
    export_ensemble(one_element_ensemble("Al", 2), folder / "al.nnp.pt")


def pair_nnp_page(folder: Path) -> None:
    (folder / "in.file").write_text("units metal\n")


SET_UP: dict[str, Callable[[Path], None]] = {
    "data.md": data_page,
    "evaluate.md": evaluate_page,
    "export.md": export_page,
    "label.md": label_page,
    "pair_nnp.md": pair_nnp_page,
    "smd.md": smd_page,
    "start.md": start_page,
    "training.md": training_page,
    "uncertainty.md": uncertainty_page,
}
