"""Make labeled out-of-distribution configurations for the sets of training_sets.py, by kind, for calibration.py.

    python benchmarks/outside_sets.py FOLDER [--sets ni32 al ninb butane] [--quick]

FOLDER gets NAME_KIND.h5 for each kind:

- ni32, al: fcc; fcc under random strain of up to 5 %; 1 to 3 vacancies; slabs with surfaces 100, 111, 110; icosahedra
  of 55 atoms; hcp; bcc (Ni at 300 to 1500 K, Al at 150 to 800 K), and a melt (4000 K and 2500 K)
- ninb: L1_2 and L1_0; rock salt; strain of up to 12 %; vacancies; slabs; clusters of 55; hcp; a melt at 5000 K
- butane: a C-C bond of 4 to 6 Å (training data end at 4); two C-C bonds stretched; a C-H distance of 1.4 to 3.5 Å;
  dynamics at 2500 K; ethane, propane, isobutane, pentane

Configurations are from short dynamics with the potential that labels them: the embedded-atom tables of Ni-Nb and of the
demo, and GFN2-xTB. The table of Ni and Nb is not distributed with nnpal; sets whose file is missing are skipped with a
message. Seeds are fixed. fcc is almost in distribution for ni32 and al, which contain crystals; it is a limit.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from nnpal.data import write_dataset
from nnpal.demo.eam import eam_potential
from nnpal.oracle.lammps_oracle import LammpsOracle
from outside_alkanes import outside_butane
from outside_metals import (
    ALLOY_HOT,
    ALLOY_TEMPERATURES,
    ALUMINIUM,
    NICKEL,
    Kinds,
    Metal,
    alloy_kinds,
    kinds_of,
    outside,
)
from training_sets import NI_NB, SEED


def finnis_sinclair(potential: Path, elements: list[str]) -> LammpsOracle:
    return LammpsOracle(["pair_style eam/fs", f'pair_coeff * * "{potential}" {" ".join(elements)}'], elements)


def outside_metal(metal: Metal, potential: Path, quick: bool) -> Kinds:
    oracle = finnis_sinclair(potential, [metal.symbol])
    return outside(kinds_of(metal), metal.temperatures, metal.hot, oracle, quick)


def makers(ni_nb: Path, quick: bool) -> dict[str, Callable[[], Kinds]]:
    def alloy() -> Kinds:
        oracle = finnis_sinclair(ni_nb, ["Ni", "Nb"])
        return outside(alloy_kinds(), ALLOY_TEMPERATURES, ALLOY_HOT, oracle, quick)

    return {
        "ni32": lambda: outside_metal(NICKEL, ni_nb, quick),
        "al": lambda: outside_metal(ALUMINIUM, eam_potential(), quick),
        "ninb": alloy,
        "butane": lambda: outside_butane(quick),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, help="folder for NAME_KIND.h5")
    parser.add_argument("--sets", nargs="+", choices=("ni32", "al", "ninb", "butane"))
    parser.add_argument("--potential", type=Path, default=NI_NB, help="Finnis-Sinclair table of Ni and Nb")
    parser.add_argument("--quick", action="store_true", help="a few configurations of each kind, to try the script")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    potential = arguments.potential.resolve()
    origin = {"made_by": "benchmarks/outside_sets.py", "seed": SEED, "quick": arguments.quick}
    for name, make in makers(potential, arguments.quick).items():
        if name not in (arguments.sets or makers(potential, arguments.quick)):
            continue
        if name in ("ni32", "ninb") and not potential.is_file():
            print(f"outside_sets.py: {name} is skipped: no file {potential}", file=sys.stderr)
            continue
        for kind, frames in make():
            path = arguments.folder / f"{name}_{kind}.h5"
            write_dataset(path, frames, provenance={**origin, "set": name, "kind": kind})
            print(f"{name}: {len(frames)} in {path}", flush=True)


if __name__ == "__main__":
    main()
