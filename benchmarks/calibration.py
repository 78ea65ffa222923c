"""Compare the error bars of nnpal's models with true errors, in and out of distribution.

    python benchmarks/training_sets.py FOLDER
    python benchmarks/outside_sets.py FOLDER
    python benchmarks/calibration.py FOLDER [--work WORK] [--sets ni32 al ninb butane] [--seeds 1] [--quick]

Trains an ensemble of five members on each NAME_train.h5 with nnpal's defaults, which calibrate it on configurations
that some members were not trained on, and compares `error_force` and `error_energy` of the model file with the errors
on NAME_test.h5 (inside) and on NAME_KIND.h5 of each kind (outside). Training and calibration see no test data, with one
exception: *left out* recalibrates with the labeled configurations of all kinds but one, as a loop does with its
candidates, and tests on that one. Trainings are kept in WORK and reused. Not timed.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ase import Atoms
from rich.console import Console
from rich.table import Table

from calibration_figures import Errors, Figures, energies, forces, judged, promises
from calibration_pairs import out_of_fold
from nnpal.calibration import Calibration, Pairs, calibrate
from nnpal.data import read_frames
from nnpal.evaluation.pairs import labeled_pairs
from nnpal.model import read_metadata
from nnpal.model.aev import AEVS
from nnpal.model.description import NetworkDescription
from nnpal.training import EnsembleSettings, TrainingSettings
from nnpal.training.ensemble import train_ensemble
from nnpal.training.plan import read_plan
from nnpal.training.release import release
from record import write_record
from time_to_accuracy import SETS

HERE = Path(__file__).parent
POOLED = "pooled"
"""All kinds together."""
QUICK_UPDATES, QUICK_FRAMES, QUICK_MEMBERS = 40, 40, 2


@dataclass(frozen=True)
class Seen:
    """A model's predictions on labeled configurations, and its calibration's error bars."""

    pairs: Pairs
    calibration: Calibration

    @classmethod
    def by(cls, model: Path, frames: Sequence[Atoms]) -> Seen:
        calibration = read_metadata(model).calibration
        if calibration is None:
            raise SystemExit(f"{model} has no calibration: too few configurations that some member was not trained on")
        return cls(labeled_pairs(model, frames), calibration)

    def errors(self, calibration: Calibration | None = None) -> Errors:
        own = calibration or self.calibration
        pairs = self.pairs
        return Errors(pairs.force_error, own.error_force(pairs.uq_force, pairs.species), pairs.uq_force)

    @property
    def error_energy(self) -> np.ndarray:
        pairs = self.pairs
        return self.calibration.error_energy(pairs.energy_std, pairs.uq_force, pairs.species, pairs.n_atoms)


def energies_of(parts: Sequence[Seen]) -> Figures:
    error, n_atoms = (
        np.concatenate([getattr(seen.pairs, name) for seen in parts]) for name in ("energy_error", "n_atoms")
    )
    return energies(error, np.concatenate([seen.error_energy for seen in parts]), n_atoms)


def left_out(learned: Pairs, symbols: Sequence[str], kinds: Mapping[str, Seen]) -> dict[str, Figures]:
    """Return results for each kind if all other kinds were labeled as candidates, and for all kinds pooled."""
    found = {}
    for kind, seen in kinds.items():
        candidates = Pairs.joined([other.pairs for name, other in kinds.items() if name != kind])
        found[kind] = seen.errors(calibrate(learned, symbols, candidates))
    found[POOLED] = Errors.joined(list(found.values()))
    return {kind: judged(errors.error, errors.sigma) for kind, errors in found.items()}


def trained(name: str, frames: Sequence[Atoms], folder: Path, arguments: argparse.Namespace, seed: int) -> Path:
    """Return the model file of an ensemble in a folder; train the ensemble if the file does not exist."""
    model = folder / "model.nnp.pt"
    if not model.exists():
        symbols = tuple(sorted({symbol for frame in frames for symbol in frame.get_chemical_symbols()}))
        ensemble = train_ensemble(
            frames,
            folder,
            network=NetworkDescription(symbols, aev=AEVS[SETS[name].aev]),
            training=TrainingSettings(updates=arguments.updates, best_by=arguments.best_by),
            ensemble=EnsembleSettings(members=arguments.members, seed=seed),
        )
        release(ensemble, model)
    return model


def kinds_in(folder: Path, name: str) -> dict[str, Path]:
    """Return the file of each out-of-distribution kind of a set."""
    parts = {f"{name}_train", f"{name}_test"}
    paths = sorted(path for path in folder.glob(f"{name}_*.h5") if path.stem not in parts)
    return {path.stem.removeprefix(f"{name}_"): path for path in paths}


def on_one(name: str, seed: int, work: Path, arguments: argparse.Namespace) -> Figures:
    """Return all results of one training on one set."""
    most = QUICK_FRAMES if arguments.quick else None
    train, test = (read_frames(arguments.folder / f"{name}_{part}.h5")[:most] for part in ("train", "test"))
    folder = work / f"{name}-{seed}"
    model = trained(name, train, folder, arguments, seed)
    inside = Seen.by(model, test)
    kinds = {kind: Seen.by(model, read_frames(path)) for kind, path in kinds_in(arguments.folder, name).items()}
    near = forces(inside.errors())
    of_kinds = {kind: forces(seen.errors()) for kind, seen in kinds.items()}
    far = forces(Errors.joined([seen.errors() for seen in kinds.values()]))
    training = read_plan(folder).training
    return {
        "seed": seed,
        "n_learned": len(train),
        "training": {key: getattr(training, key) for key in ("updates", "best_by")},
        "calibration": inside.calibration.to_json(),
        "inside": near,
        "outside": far,
        "kinds": of_kinds,
        "energies": {
            "inside": energies_of([inside]),
            "outside": energies_of(list(kinds.values())),
            **{kind: energies_of([seen]) for kind, seen in kinds.items()},
        },
        "left_out": left_out(out_of_fold(model, train, folder), read_metadata(model).elements, kinds),
        "promises": [promise.to_json() for promise in promises(near, far, of_kinds)],
    }


def show(name: str, found: Figures, console: Console) -> None:
    table = Table(title=f"{name}, seed {found['seed']}: error_force (raw uq_force in parentheses)")
    for column in ("", "RMS, meV/Å", "ratio", "68 %", "90 %", "tenths", "rank / exact"):
        table.add_column(column, justify="right" if column else "left")
    for title, own in (("inside", found["inside"]), ("outside", found["outside"]), *found["kinds"].items()):
        new, raw = own["calibrated"], own["raw"]
        table.add_row(
            title,
            f"{new['force_rms']:.1f}",
            f"{new['ratio']:.2f} ({raw['ratio']:.2f})",
            *(f"{new['coverage'][k]:.1f} ({raw['coverage'][k]:.0f})" for k in range(2)),
            f"{min(new['tenth_ratios']):.2f}-{max(new['tenth_ratios']):.2f}",
            f"{new['rank']:.2f} / {new['exact_rank']:.2f} = {new['rank_of_exact']:.2f}",
        )
    console.print(table)
    for kind, own in found["energies"].items():
        bar = "ratio {ratio:.2f}, {coverage[0]:.0f}/{coverage[1]:.0f} %".format(**own) if "ratio" in own else ""
        console.print(f"  energy, {kind}: {own['given']} of {own['n']} have a bar; {own['rms']:.2f} meV/atom; {bar}")
    for line in found["promises"]:
        mark, style = ("met", "green") if line["met"] else ("NOT MET", "red")
        low, high = line["found"]
        limits = f"[{line['low']}, {line['high']}]".replace("None", "-")
        console.print(
            f"  {mark}: {line['what']}: {low:.2f} to {high:.2f}, promised {limits}", style=style, markup=False
        )


def arguments_of(command_line: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, help="folder with the files of training_sets.py and outside_sets.py")
    parser.add_argument("--work", type=Path, help="folder that keeps trainings for reuse; by default deleted")
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[1])
    parser.add_argument("--updates", type=int, help="updates of each member; by default nnpal's")
    parser.add_argument("--best-by", default=TrainingSettings().best_by, help="validation value; by default nnpal's")
    parser.add_argument("--members", type=int, default=5)
    parser.add_argument(
        "--quick", action="store_true", help=f"{QUICK_UPDATES} updates on {QUICK_FRAMES} configurations"
    )
    parser.add_argument("--output", type=Path, default=HERE / "results" / "calibration.json")
    arguments = parser.parse_args(command_line)
    if arguments.quick:
        arguments.updates = arguments.updates or QUICK_UPDATES
    return arguments


def main(command_line: Sequence[str] | None = None) -> None:
    arguments = arguments_of(command_line)
    console = Console(soft_wrap=True)
    results: dict[str, list[Figures]] = {}
    with tempfile.TemporaryDirectory() as temporary:
        work = arguments.work or Path(temporary)
        for name in arguments.sets:
            absent = [p for p in ("train", "test") if not (arguments.folder / f"{name}_{p}.h5").is_file()]
            if absent or not kinds_in(arguments.folder, name):
                scripts = "benchmarks/training_sets.py and outside_sets.py"
                console.print(f"{name} is left out: {arguments.folder} lacks files of {scripts}", style="red")
                continue
            for seed in arguments.seeds:
                found = on_one(name, seed, work, arguments)
                show(name, found, console)
                results.setdefault(name, []).append(found)
    if not results:
        raise SystemExit("calibration.py: no set to test on")
    content = {"members": arguments.members, "sets": results}
    write_record(arguments.output, "calibration", ("nnpal", "torch", "numpy", "scipy"), content)
    console.print(f"Wrote {arguments.output}")


if __name__ == "__main__":
    main()
