"""What MOMT says of options and paths, before any run: its constructor in a LAMMPS that is not there."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from momt_biases import BOLTZ, NKTV2P, write_function
from nnpal.hooks import HookError
from nnpal.momt import MOMT
from nnpal.momt.grid import Axis
from nnpal.momt.trace import TraceWriter

NAN, INF = float("nan"), float("inf")
GRIDS: dict[str, Any] = {"H": (-130.0, -60.0, 30), "O": (-5.0, 40.0, 45)}


def create(**options: Any) -> MOMT:
    """Create the hook for 32 atoms of fcc in a cube of 8.1."""
    context: Any = SimpleNamespace(
        boltz=BOLTZ,
        nktv2p=NKTV2P,
        units="metal",
        n_atoms=32,
        n_group=32,
        group="all",
        box=np.eye(3) * 8.1,
        comm=SimpleNamespace(rank=0, size=1),
        n_partitions=1,
        partition=0,
    )
    return MOMT(context, **({"temp": 900.0, "lattice": "fcc"} | GRIDS | options))


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


BAD_OPTIONS: list[tuple[dict[str, Any], str]] = [
    ({"temp": NAN}, r"option temp: expected a finite temperature above 0, .* found nan"),
    ({"temp": INF}, "option temp: .* found inf"),
    ({"temp": 1e300}, r"option temp: .* 1e\+08 at most, found 1e\+300"),
    ({"press": -1e300}, r"option press: .* -1e\+18 at least, found -1e\+300"),
    ({"ln_f": 1e20}, r"options ln_f 1e\+20 and ln_f_end 0.001: .* 100 kT at most; ln_f 0.3"),
    ({"wall_length": 1e300}, r"option wall_length: .* 1e\+06 at most \(kT\), found 1e\+300"),
    ({"H": (-1e300, 1e300, 30)}, r"grid H -1e\+300 1e\+300 30: expected numbers of 1e\+18 at most"),
    ({"temp": -3.0}, "option temp: .* found -3"),
    ({"press": NAN}, r"option press: expected a finite pressure, .* found nan"),
    ({"press": -INF}, "option press: .* found -inf"),
    ({"H": (NAN, -60.0, 30)}, "grid H nan -60 30: expected low < high, finite numbers"),
    ({"H": (-130.0, INF, 30)}, "grid H -130 inf 30: expected low < high, finite numbers"),
    ({"O": (40.0, -5.0, 30)}, "grid O 40 -5 30: expected low < high"),
    ({"O": (-5.0, 40.0, -3)}, "grid O -5 40 -3: expected 1 to 10000000 bins"),
    ({"H": (1e16, 1e16 + 10, 30)}, r"grid H 1e\+16 1e\+16 30: expected bins that numbers of 16 digits can resolve"),
    (
        {"H": (-130.0, -60.0, 10_000), "O": (-5.0, 40.0, 10_000)},
        "grids H -130 -60 10000, O -5 40 10000: 100000000 bins in all, expected at most 10000000; give fewer bins",
    ),
    ({"ln_f": INF}, "options ln_f inf and ln_f_end 0.001: expected 0 < ln_f_end <= ln_f, finite numbers"),
    ({"ln_f": NAN}, "options ln_f nan"),
    ({"ln_f_end": NAN}, "ln_f_end nan"),
    ({"flatness": NAN}, "option flatness: expected a number between 0 and 1, found nan"),
    ({"wall_strength": NAN}, "option wall_strength: expected a finite number above 0"),
    ({"wall_length": INF}, "option wall_length: expected a finite number above 0"),
    ({"ends": (NAN, 9.0)}, "option ends nan 9: expected low < high, finite numbers"),
    ({"ends": (-INF, 9.0)}, "option ends -inf 9: expected low < high, finite numbers"),
    ({"learn": 0}, "option learn: expected a number of steps from 1, found 0"),
    (
        {"stride": 10**20},
        f"option stride: expected a number of steps from 1 to {2**63 - 1}, found 100000000000000000000",
    ),
    ({"progress": -1}, "option progress: expected a number of steps from 1, found -1"),
    ({"cells": [NAN, 2, 2]}, "option cells nan 2 2: expected finite numbers"),
    ({"cells": [2, 2, INF]}, "option cells 2 2 inf: expected finite numbers"),
    ({"cells": [2, -2, 2]}, "option cells 2 -2 2: expected numbers above 0"),
    ({"cells": [2, 2, 0, 2, 2, 0, 0, 0, 2]}, "option cells 2 2 0 2 2 0 0 0 2: these vectors span no volume"),
    ({"cells": [3, 3, 3]}, "cells 3 3 3 contradicts the number of atoms: 108 sites for 32 atoms"),
    ({"cells": [1, 1, 1]}, "cells 1 1 1 contradicts the number of atoms: 4 sites for 32 atoms"),
    ({"cells": [1, 2, 4]}, "cells 1 2 4 contradicts the box: one cell would have the edges 8.1 4.05 2.025"),
    ({"cells": [2, 2, 0, 0, 2, 0, 0, 0, 2]}, r"contradicts the box: .* with the cosines -0\.71 0\.00 0\.00"),
    ({"lattice": "none", "reciprocal": [10**9, 0, 0]}, "option reciprocal: expected indices up to 100000"),
]


@pytest.mark.parametrize(("options", "message"), BAD_OPTIONS, ids=[str(options) for options, _ in BAD_OPTIONS])
def test_options_that_no_run_can_have(options: dict[str, Any], message: str) -> None:
    with pytest.raises(HookError, match=message):
        create(**options)


def test_cells_that_agree_with_the_box() -> None:
    create()
    create(cells=[2, 2, 2])
    # The same crystal by the vectors of its primitive cell's supercell, and one with vacancies
    create(cells=[2, 0, 0, 0, 2, 0, 0, 0, 2])


def place(kind: str, path: Path) -> None:
    """Put something of the user's at a path."""
    if kind == "folder":
        path.mkdir()
        (path / "thesis.txt").write_text("three years")
    elif kind == "text":
        path.write_text("three years")
    elif kind == "other HDF5":
        import h5py

        with h5py.File(path, "w") as file:
            file.attrs["format"] = "something"
    elif kind == "COLVAR":
        path.write_text("#! FIELDS time d1\n0 1.0\n")
    else:
        path.symlink_to("nowhere")


@pytest.mark.parametrize("option", ["file", "trace"])
@pytest.mark.parametrize("kind", ["folder", "text", "other HDF5", "COLVAR", "dangling link"])
def test_what_is_not_of_momt_stays(tmp_path: Path, option: str, kind: str) -> None:
    path = tmp_path / "mine"
    place(kind, path)
    before = sorted(p.name for p in tmp_path.rglob("*"))
    what = "is a folder" if kind == "folder" else "exists and is not a .* file of MOMT; it is left unchanged"
    with pytest.raises(HookError, match=f"option {option}: .*mine {what}[;.] (G|g)ive "):
        create(**{option: str(path)})
    assert sorted(p.name for p in tmp_path.rglob("*")) == before


def test_bias_and_trace_are_told_apart(tmp_path: Path) -> None:
    """A trace is not renamed for a bias file, nor the other way about; files of a run before are MOMT's own."""
    write_function(tmp_path / "momt.h5", (Axis("H", -130.0, -60.0, 30),), lambda h: 0 * h, temp=900, press=0)
    TraceWriter(tmp_path / "momt.trace", {"units": "metal"}, None).close()
    create()
    with pytest.raises(HookError, match=r"option file: momt\.trace exists and is not a bias file of MOMT"):
        create(file="momt.trace", trace="t")
    with pytest.raises(HookError, match=r"option trace: momt\.h5 exists and is not a trace file of MOMT"):
        create(file="b", trace="momt.h5")


def test_places_that_are_not_there() -> None:
    with pytest.raises(HookError, match=r"option trace: there is no folder none for none/momt.trace; create it first"):
        create(file="none/momt.h5")
    with pytest.raises(HookError, match=r"option file: \. is a folder; give the name of a file"):
        create(file=".")
    with pytest.raises(HookError, match=r"options file and trace: both are a"):
        create(file="a", trace="./a")
