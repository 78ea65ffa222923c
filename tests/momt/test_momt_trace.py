"""The trace file: rows to the bit, continuation after a restart, refusals; files of earlier runs are kept."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nnpal.hooks import HookError
from nnpal.momt.grid import Axis
from nnpal.momt.trace import TraceWriter, is_trace_file, read_trace
from nnpal.runtime.places import set_aside

CONSTANTS = {
    "units": "metal",
    "boltz": 8.617343e-5,
    "nktv2p": 1.6021765e6,
    "n_atoms": 32,
    "temp": 0.1 + 0.2,
    "press": 1.0,
}


def write(path: Path, steps: range, continued_from: int | None = None) -> None:
    writer = TraceWriter(path, CONSTANTS, continued_from)
    for step in steps:
        writer.add(step / 8, step, -100 / 3, 500.1, float("nan"), step / 7, step % 5 - 1, int(step > 50), 0.3)
    writer.close()


def test_rows_and_constants_to_the_bit(tmp_path: Path) -> None:
    write(tmp_path / "t", range(0, 100, 10))
    trace = read_trace(tmp_path / "t")
    assert len(trace) == 10
    assert trace.step.tolist() == list(range(0, 100, 10))
    assert trace.time is not None
    assert trace.time.tolist() == [step / 8 for step in range(0, 100, 10)]
    assert trace.H[3] == -100 / 3
    assert trace.dH[3] == 30 / 7
    assert np.isnan(trace.O).all()
    assert trace.bin.tolist() == [-1] * 10
    assert trace.phase.tolist() == [0] * 6 + [1] * 4
    assert (trace.units, trace.temp, trace.n_atoms) == ("metal", 0.1 + 0.2, 32)
    text = (tmp_path / "t").read_text()
    assert text.startswith("#! FIELDS time step H V O dH bin phase lnf\n#! SET units metal\n")


def test_grid_of_the_header(tmp_path: Path) -> None:
    axes = (Axis("H", -43145354.25, -43145300.0, 60), Axis("O", -5.0, 0.1 + 0.2, 110))
    TraceWriter(tmp_path / "t", CONSTANTS, None, axes).close()
    assert read_trace(tmp_path / "t").axes == axes
    write(tmp_path / "old", range(2))
    assert read_trace(tmp_path / "old").axes == ()
    (tmp_path / "bad").write_text((tmp_path / "t").read_text().replace(",60,", ",sixty,"))
    with pytest.raises(HookError, match=r"its header has grid 'H,-43145354\.25,-4\.31453e\+07,sixty,O"):
        read_trace(tmp_path / "bad")


def test_continued_run_repeats_nothing(tmp_path: Path) -> None:
    """The first run went on to 90 and was cut off while writing; the restart is of step 50."""
    path = tmp_path / "t"
    write(path, range(0, 100, 10))
    path.write_text(path.read_text() + "100 -33.3 5")
    write(path, range(60, 120, 10), continued_from=50)
    assert read_trace(path).step.tolist() == list(range(0, 120, 10))
    write(path, range(0, 20, 10))  # a new run begins anew
    assert read_trace(path).step.tolist() == [0, 10]


def test_a_trace_of_an_earlier_version_goes_on(tmp_path: Path) -> None:
    """It states no time, and its grid with spaces."""
    path = tmp_path / "t"
    axes = (Axis("H", -1.0, 1.0, 60), Axis("O", 0.0, 1.0, 110))
    facts = "".join(f"#! SET {name} {value}\n" for name, value in CONSTANTS.items())
    row = "-1.5 500 nan 0.25 3 1 0.3\n"
    text = "#! FIELDS step H V O dH bin phase lnf\n" + facts + "#! SET grid H -1 1 60, O 0 1 110\n"
    path.write_text(text + "".join(f"{step} {row}" for step in (0, 10, 20)))
    assert is_trace_file(path)
    assert read_trace(path).axes == axes
    assert read_trace(path).time is None
    writer = TraceWriter(path, CONSTANTS, 10, axes)
    writer.add(2.5, 20, -2.5, 501.0, 0.5, 0.5, 4, 1, 0.3)
    writer.close()
    again = read_trace(path)
    assert again.step.tolist() == [0, 10, 20]
    assert again.time is None  # of the first two rows
    assert again.H.tolist() == [-1.5, -1.5, -2.5]
    assert [line.split()[0] for line in path.read_text().splitlines()[-3:]] == ["nan", "nan", "2.5"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "its header lacks step, H, V"),
        ("#! FIELDS step H V O dH bin phase lnf\n", "its header lacks units, temp"),
        ("#! FIELDS step H\n1 2\n1\n", "line 3: expected 2 numbers, found '1'"),
        ("#! FIELDS step H\n1 x\n", "line 2: expected 2 numbers, found '1 x'"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "t").write_text(text)
    with pytest.raises(HookError, match=message):
        read_trace(tmp_path / "t")


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(HookError, match=r"trace .*none: no such file"):
        read_trace(tmp_path / "none")


def test_set_aside(tmp_path: Path) -> None:
    path = tmp_path / "momt.h5"
    assert set_aside(path) is None
    for number in (1, 2):
        path.write_text(str(number))
        kept = set_aside(path)
        assert kept == tmp_path / f"momt.h5.bak{number}"
        assert kept.read_text() == str(number)
        assert not path.exists()
