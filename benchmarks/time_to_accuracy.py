"""Time trainings to stated held-out errors: the settings before the new optimizer, and the current defaults.

    python benchmarks/training_sets.py FOLDER
    python benchmarks/time_to_accuracy.py FOLDER [--quick] [--sets ni32 al] [--seeds 1 2] [--baseline PYTHON]
    python benchmarks/time_to_accuracy.py FOLDER --without before --contender wide learning_rate=4e-3 updates=640,1280

One member on one core, in a separate process; CPU seconds (`time.process_time`) are those of updates and validation,
without imports, features and the evaluation on held-out configurations. Contenders run one after another, A B A B, with
equal seeds and therefore equal splits. Errors are those on held-out configurations of the weights that would be kept
after an epoch. A target is reached when the energy and the force error are both at or below it.

Contenders: *before*, the settings of earlier builds, in this build or, with `--baseline PYTHON`, in the nnpal of that
interpreter; *after*, the defaults of this build. `--contender NAME KEY=VALUE ...` changes one of these or adds another;
keys are those of [training], or of [loss] and [network] as loss.KEY and network.KEY; values are TOML. `KEY=A,B,C`
trains once with each value, because the length of a schedule must be given; for each target the fastest of them counts.
"""

from __future__ import annotations

import argparse
import itertools
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from accuracy_curves import COLUMNS, Run, Target, comparison, thinned
from nnpal.config.toml import tomllib
from nnpal.training import TrainingSettings
from record import write_record

HERE = Path(__file__).parent
TABLES = ("training", "loss", "network")
BEFORE = {"batch_size": 16, "learning_rate": 2e-3, "plateau_patience": 20, "ema": 0.99, "max_epochs": 300}
OLD_WAY = {  # used if a build has these keys
    "optimizer": "adamw",
    "schedule": "plateau",
    "initialization": "uniform",
    "aev_scaling": "none",
}
LENGTHS = (650, 1300, 2600, None)  # updates of *after*; None: the default
QUICK = 5.0  # CPU seconds
LENGTH_KEYS = ("updates", "max_epochs")


@dataclass(frozen=True)
class TrainingSet:
    """AEV and target held-out errors of a training set."""

    aev: str
    targets: Sequence[Target]


SETS = {
    "ni32": TrainingSet("ani2x-6.9", ((2.36, 73.0), (1.0, 40.0), (0.56, 24.0))),  # the first is the published error
    "al": TrainingSet("ani2x-6.9", ((4.0, 65.0), (2.0, 45.0), (1.1, 33.0))),
    "ninb": TrainingSet("ani2x-6.9", ((23.0, 480.0), (20.0, 390.0), (17.4, 305.0))),
    "butane": TrainingSet("ani2x", ((3.3, 110.0), (2.4, 85.0), (1.9, 70.0))),
}


@dataclass
class Contender:
    """A build and the settings of a member; `choices` are training settings with one value for each training."""

    python: str = sys.executable
    settings: dict[str, dict[str, Any]] = field(default_factory=lambda: {table: {} for table in TABLES})
    choices: dict[str, list[Any]] = field(default_factory=dict)
    fallback: dict[str, Any] = field(default_factory=dict)

    def set(self, pair: str) -> None:
        """Set KEY=VALUE from the command line."""
        key, equals, text = pair.partition("=")
        if not equals:
            raise SystemExit(f"--contender: {pair!r}, expected KEY=VALUE, for example learning_rate=2e-3")
        table, _, name = key.rpartition(".")
        if (table or "training") not in TABLES:
            raise SystemExit(f"--contender: {key!r}, expected a key of [training], or loss.KEY or network.KEY")
        own = self.settings[table or "training"]
        if name in LENGTH_KEYS:  # a given length replaces the previous one
            for other in LENGTH_KEYS:
                own.pop(other, None)
                self.choices.pop(other, None)
        whole = value_of(text)
        if isinstance(whole, str) and "," in whole:
            self.choices[name] = [value_of(part) for part in whole.split(",")]
        else:
            self.choices.pop(name, None)
            own[name] = whole

    def variants(self) -> Iterator[dict[str, dict[str, Any]]]:
        """Yield the settings of each training."""
        for values in itertools.product(*self.choices.values()):
            chosen = dict(zip(self.choices, values, strict=True))
            yield {**self.settings, "training": {**self.settings["training"], **chosen}}


def value_of(text: str) -> Any:
    """Return a TOML value, or the text itself if it is not TOML."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def default_contenders(baseline: str | None) -> dict[str, Contender]:
    before = Contender(baseline or sys.executable, fallback=OLD_WAY)
    before.settings["training"] |= BEFORE
    after = Contender()
    if "updates" in TrainingSettings.model_fields:
        after.choices["updates"] = list(LENGTHS)
    return {"before": before, "after": after}


def train(contender: Contender, settings: dict[str, Any], what: dict[str, Any], console: Console) -> Run:
    """Run one training and return its output, with the curve by column."""
    spec = {**what, **settings, "fallback": contender.fallback}
    command = [contender.python, str(HERE / "training_contender.py"), json.dumps(spec)]
    run: Run = {"curve": {name: [] for name in COLUMNS}}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in map(json.loads, process.stdout):
            if "epoch" not in line:
                run |= line
                continue
            for name in COLUMNS:
                run["curve"][name].append(line[name])
            if console.is_terminal:
                console.print(
                    "  {epoch}: {cpu_s:.0f} s, {energy:.2f} meV/atom, {force:.1f} meV/Å".format(**line), end="\r"
                )
    if process.returncode:
        raise SystemExit(f"{' '.join(command[:2])} ended with exit code {process.returncode}")
    return run


def alternately(contenders: dict[str, Contender], what: dict[str, Any], name: str, console: Console) -> Iterator[Run]:
    """Yield the trainings of one set and seed; contenders alternate, A B A B, until all are done."""
    variants = {who: list(contender.variants()) for who, contender in contenders.items()}
    for row in itertools.zip_longest(*variants.values()):
        for who, settings in zip(variants, row, strict=True):
            if settings is None:
                continue
            run = {"contender": who, "seed": what["seed"], **train(contenders[who], settings, what, console)}
            said = f"{name}, {who}, seed {what['seed']}, {settings['training']}: "
            if "diverged" in run:
                console.print(f"{said}{run['diverged']}", style="red")
            if run["curve"]["epoch"]:
                last = {key: values[-1] for key, values in run["curve"].items()}
                end = "{epoch} epochs, {cpu_s:.1f} s, {energy:.3f} meV/atom, {force:.2f} meV/Å".format(**last)
                console.print(f"{said}{end}", highlight=False)
                yield run


def show(name: str, results: dict[str, Any], console: Console) -> None:
    """Print the cost of each contender to each target."""
    table = Table(title=f"{name}: CPU seconds (updates, epochs) to held-out errors")
    table.add_column("meV/atom, meV/Å")
    for contender in results["to_targets"][0]["costs"] if results["to_targets"] else ():
        table.add_column(contender, justify="right")
    for row in results["to_targets"]:
        cells = []
        for contender, cost in row["costs"].items():
            ratio = row["times_sooner"].get(contender)
            said = "not reached" if cost is None else "{cpu_s:.1f} ({updates:.0f}, {epoch:.0f})".format(**cost)
            cells.append(said if ratio is None else f"{said}, speed-up {ratio:.1f}")
        table.add_row("{:g}, {:g}".format(*row["target"]), *cells)
    console.print(table)
    for contender, rows in results["at_equal_time"].items():
        for row in rows:
            found = "; ".join(f"{who} {e:.2f}, {f:.1f}" for who, (e, f) in row["errors"].items())
            better = "{:.2f} and {:.2f}".format(*row["times_better"])
            console.print(f"by {row['cpu_s']:.0f} s, seed {row['seed']}: {found}; ratio to {contender}: {better}")


def arguments_of(command_line: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, help="folder with NAME_train.h5 and NAME_test.h5 of training_sets.py")
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--baseline", help="Python interpreter whose nnpal trains `before`")
    parser.add_argument("--contender", nargs="+", action="append", default=[], metavar=("NAME", "KEY=VALUE"))
    parser.add_argument("--without", nargs="+", default=[], metavar="NAME", help="contenders to leave out")
    parser.add_argument("--cpu-seconds", type=float, help="end each training at the first epoch after this time")
    parser.add_argument("--quick", action="store_true", help="5 CPU seconds for each training, one seed")
    parser.add_argument("--output", type=Path, default=HERE / "results" / "time_to_accuracy.json")
    return parser.parse_args(command_line)


def chosen_contenders(arguments: argparse.Namespace) -> dict[str, Contender]:
    found = default_contenders(arguments.baseline)
    for name, *pairs in arguments.contender:
        contender = found.setdefault(name, Contender())
        for pair in pairs:
            contender.set(pair)
    left = {name: contender for name, contender in found.items() if name not in arguments.without}
    if not left:
        raise SystemExit(f"--without {' '.join(arguments.without)} leaves no contender")
    return left


def main(command_line: Sequence[str] | None = None) -> None:
    arguments = arguments_of(command_line)
    contenders = chosen_contenders(arguments)
    console = Console(soft_wrap=True)
    seeds = arguments.seeds[:1] if arguments.quick else arguments.seeds
    limit = arguments.cpu_seconds or (QUICK if arguments.quick else None)
    sets = {}
    for name in arguments.sets:
        paths = {part: arguments.folder / f"{name}_{part}.h5" for part in ("train", "test")}
        if absent := [str(path) for path in paths.values() if not path.is_file()]:
            console.print(f"{name} is skipped: no file {' and '.join(absent)}; benchmarks/training_sets.py makes it")
            continue
        what: dict[str, Any] = {key: str(path) for key, path in paths.items()}
        what |= {"aev": SETS[name].aev, "cpu_seconds": limit}
        runs = [run for seed in seeds for run in alternately(contenders, {**what, "seed": seed}, name, console)]
        results = comparison(runs, SETS[name].targets)
        show(name, results, console)
        sets[name] = {**results, "runs": [{**run, "curve": thinned(run["curve"])} for run in runs]}
    write_record(arguments.output, "time_to_accuracy", ("nnpal", "torch", "torchani", "numpy"), {"sets": sets})
    console.print(f"Wrote {arguments.output}")


if __name__ == "__main__":
    main()
