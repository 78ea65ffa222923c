"""Write docs/performance.md from the results in benchmarks/results.

python benchmarks/performance_page.py [--results benchmarks/results] [--root .]
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path

from page_accuracy import FIGURE, draw, peer_training, time_to_accuracy
from page_contenders import molecules, own_metals
from page_data import data_io
from page_format import Record, is_gpu
from page_networks import networks
from page_processors import ROWS, processors
from page_starts import warm_start
from page_steps import (
    cuda_step,
    hooks,
    pair_step,
    pair_step_before,
    profile_step,
    scaling,
    scaling_before,
    times_and_ratios,
    uq_cost,
)
from page_training import cuda_epoch, denormals, train_epoch

HERE = Path(__file__).parent

HEAD = """# Performance

Speed, scaling and memory of nnpal, measured by `make bench`. `python benchmarks/performance_page.py` writes this page
from [benchmarks/results](../benchmarks/results); [benchmarks](../benchmarks/README.md) describes each script. Each
section ends with processor, versions, date and the command that repeats it.

**How times are compared.** Ratios are medians over rounds of the ratios within a round. In a round, all contenders run
one after another on the same crystals (nickel with thermal displacements as at 600 K), with the same skin and the same
neighbor list rebuilds, after a warm-up. If the quartiles of the rounds differ by more than 5 % of the median (noise, or
other work on the machine), they are given in square brackets. Unless a section says otherwise, members have hidden
layers of 224-192-160 and an AEV of 54, in single precision.

**Correctness.** All scripts except `hooks.py` and `own_metals.py` first compare the results of what they time, in the
same run, and stop if these do not agree within a stated tolerance. Sections give the differences that were recorded.
Timed matrix products have random factors, so there is nothing to compare.

**Reference.** Times of the pair style are compared with *networks*: the matrix products of the ensemble's networks,
forward and backward to the AEV, computed by torch on the same core (*networks at the sgemm rate*). This is not a lower
limit: libraries do not reach the peak rate of a core for these matrices, and nnpal's own networks are faster. *Networks
at the best sgemm rate* is the time of the same number of operations at the rate of torch's fastest square matrices in
the same round.
"""

NO_GPU = """
## On a GPU

Nothing on this page was run on a GPU, so there are no GPU results. The targets for an H200 (5 members, uq_energy, a
million atoms: pair step at 20 million and LAMMPS step at 10 million atom-steps per second; an epoch of 20,000
configurations of 108 atoms in 2 s) have not been measured. `cuda_step.py`, `train_epoch.py --device cuda` and
`uq_cost.py` measure them if there is a GPU and nnpal was built for it.
"""

SECTIONS = {
    "pair_step": pair_step,
    "pair_step_before": pair_step_before,
    "profile_step": profile_step,
    "uq_cost": uq_cost,
    "scaling": scaling,
    "scaling_before": scaling_before,
    "own_metals": own_metals,
    "networks": networks,
    "molecules": molecules,
    "train_epoch": train_epoch,
    "time_to_accuracy": time_to_accuracy,
    "peer_training": peer_training,
    "warm_start": warm_start,
    "denormals": denormals,
    "data_io": data_io,
    "hooks": hooks,
    "cuda_step": cuda_step,
    "cuda_epoch": cuda_epoch,
}
GPU_ONLY = {"cuda_step", "cuda_epoch"}  # have results only from machines with a GPU
# Those, and benchmarks that need other data or are not part of `make bench`
OPTIONAL = GPU_ONLY | {"time_to_accuracy", "peer_training", "warm_start", "own_metals"}


BUILDS = {"builds", "pair_step_before"}  # results of an earlier build


def was_on_gpu(records: Mapping[str, Record]) -> bool:
    rows = [row for record in records.values() for row in record.get("results", ())]
    return bool(GPU_ONLY & records.keys()) or any(is_gpu(row) for row in rows)


def of_processors(results: Path) -> list[dict[str, Record]]:
    """Return the records of each processor: of the folder, and of each of its subfolders for another processor."""
    wanted = {benchmark for benchmark, *_ in ROWS} | BUILDS
    folders = [results, *sorted(path for path in results.iterdir() if path.is_dir())]
    return [
        {name: json.loads(path.read_text()) for name in wanted if (path := folder / f"{name}.json").exists()}
        for folder in folders
    ]


def page(results: Path) -> str:
    """Return the page for the records in a folder."""
    paths = {name: results / f"{name}.json" for name in SECTIONS}
    records = {
        name: json.loads(path.read_text()) for name, path in paths.items() if path.exists() or name not in OPTIONAL
    }
    text = (
        HEAD + processors(of_processors(results)) + "".join(SECTIONS[name](record) for name, record in records.items())
    )
    return text if was_on_gpu(records) else text + NO_GPU


BEGIN, END = "<!-- speed: written by benchmarks/performance_page.py -->\n", "<!-- end of speed -->\n"
IN_README = {
    "nnp": "`pair_style nnp`",
    "nnp + uq_energy": "with `uq_energy` at every step",
    "nnp + uq_energy + uq_force": "with `uq_energy` and `uq_force` at every step",
    "nnp, 2 ranks": "`pair_style nnp` on two ranks",
    "nnp, kernel torchani": "a file of kernel `torchani`",
    "TorchANI eager": "the same model in TorchANI, eager",
    "SNAP": "SNAP (Ni_Zuo_JPCA2020)",
}


def readme(text: str, results: Path) -> str:
    """Return the text of the README with the times of the pair step between its marks."""
    record = json.loads((results / "pair_step.json").read_text())
    before, _, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not end:
        raise ValueError(f"README.md has no lines {BEGIN.strip()} and {END.strip()}, between which the table goes")
    return before + BEGIN + times_and_ratios(record["results"], IN_README, scatter=False) + END + after


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--results", type=Path, default=HERE / "results")
    parser.add_argument("--root", type=Path, default=HERE.parent, help="folder that contains README.md and docs")
    arguments = parser.parse_args()
    pages = {
        arguments.root / "docs" / "performance.md": page(arguments.results),
        arguments.root / "README.md": readme((arguments.root / "README.md").read_text(), arguments.results),
    }
    for path, text in pages.items():
        partial = path.with_suffix(".partial")
        partial.write_text(text)
        partial.replace(path)
        print(f"Wrote {path}")
    curves = arguments.results / "time_to_accuracy.json"
    if curves.exists():
        figure = arguments.root / "docs" / FIGURE
        draw(json.loads(curves.read_text()), figure)
        print(f"Wrote {figure}")


if __name__ == "__main__":
    main()
