"""Every writer on a full disk: a message with file, bytes and fix, the old file whole, and nothing left behind."""

from __future__ import annotations

import errno
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import matplotlib.figure
import numpy as np
import pytest
import torch
from ase import Atoms
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointCalculator

from nnpal.data import write_dataset, write_extxyz
from nnpal.figures.figure import save
from nnpal.label.store import LabelStore
from nnpal.model.description import NetworkDescription
from nnpal.momt import read_bias, read_trace
from nnpal.momt.bias_file import Bias, Walls, write_bias
from nnpal.momt.grid import Axis
from nnpal.momt.trace import TraceWriter
from nnpal.oracle.calculation import Result
from nnpal.oracle.protocol import canonical
from nnpal.runtime.disk_full import DiskFullError, require_room, told_if_full
from nnpal.runtime.json_files import write_json
from nnpal.runtime.rows_file import RowsFile
from nnpal.training.data import build_training_data
from nnpal.training.storage import save_whole
from processes import run
from small_disk import SmallDisk, small_disk

KB = 1 << 10


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with small_disk(tmp_path / "disk", 4) as found:
        yield found


def labeled(n: int) -> list[Atoms]:
    frames = []
    for k in range(n):
        atoms = bulk("Al", cubic=True)
        atoms.rattle(0.1, seed=k)
        atoms.calc = SinglePointCalculator(atoms, energy=float(k), forces=np.zeros((4, 3)))
        frames.append(atoms)
    return frames


def bias(n_bins: int) -> Bias:
    axes = (Axis("H", -1.0, 1.0, n_bins), Axis("O", 0.0, 1.0, n_bins))
    visits = np.ones((n_bins, n_bins), dtype=np.int64)
    walls = (Walls(False, False, 0.0, 1.0, True),) * 2
    coefficients = np.ones((n_bins + 1, n_bins + 1))
    return Bias("metal", 900.0, 1.0, 8.6e-5, 1.6e6, axes, walls, coefficients, visits, visits, visits)


WRITERS: dict[str, tuple[str, Callable[[Path, bool], object]]] = {
    "dataset": ("a.h5", lambda path, large: write_dataset(path, labeled(800 if large else 2), provenance={})),
    "extended XYZ": ("a.xyz", lambda path, large: write_extxyz(path, labeled(800 if large else 2))),
    "bias": ("momt.h5", lambda path, large: write_bias(path, bias(120 if large else 3))),
    "checkpoint": ("checkpoint.pt", lambda path, large: save_whole(path, torch.zeros(100_000 if large else 1))),
    "JSON": ("manifest.json", lambda path, large: write_json(path, "x" * (400 * KB if large else 1))),
}


@pytest.mark.parametrize("name", WRITERS)
def test_the_old_file_stays_and_the_error_tells_the_cure(disk: SmallDisk, name: str) -> None:
    file, write = WRITERS[name]
    path = disk.path / file
    write(path, False)
    before = path.read_bytes()
    disk.leave(200 * KB)
    with pytest.raises(DiskFullError) as caught:
        write(path, True)
    assert caught.value.errno == errno.ENOSPC
    assert str(caught.value).startswith(f"{path}: no space left on its disk (")
    assert "bytes are free); free some space there" in str(caught.value)
    if name != "extended XYZ":  # written line by line
        assert "it needs " in str(caught.value)
    assert disk.names() == [file]
    assert path.read_bytes() == before
    disk.free()
    write(path, True)
    assert path.stat().st_size > 200 * KB
    assert disk.names() == [file]


def test_a_model_file_is_refused_by_a_message_where_torch_would_abort(disk: SmallDisk, al_model) -> None:
    """In a process of its own: ``torch.jit.save`` on a full disk ends it."""
    size = al_model.path.stat().st_size
    disk.leave(size // 2)
    script = (
        "import sys\nfrom nnpal.model import load_model\nfrom nnpal.model.archive import write_archive\n"
        "from pathlib import Path\nmodel = load_model(sys.argv[1])\n"
        "write_archive(model.module, model.metadata, Path(sys.argv[2]))\n"
    )
    path = disk.path / "al.nnp.pt"
    done = run([sys.executable, "-c", script, str(al_model.path), str(path)])
    assert done.returncode == 1, done.stderr
    assert f"DiskFullError: {path}: no space left on its disk (it needs " in done.stderr
    assert disk.names() == []


def test_convert_ends_by_a_message(disk: SmallDisk, tmp_path: Path) -> None:
    """In a process of its own, for HDF5 crashed as it ended."""
    write_extxyz(tmp_path / "a.xyz", labeled(800))
    disk.leave(200 * KB)
    for name in ("a.h5", "b.xyz"):
        command = [sys.executable, "-m", "nnpal", "data", "convert", str(tmp_path / "a.xyz"), str(disk.path / name)]
        done = run(command)
        assert done.returncode == 1, done.stderr
        assert done.stderr.startswith(f"nnpal data convert: {disk.path / name}: no space left on its disk (")
        assert done.stderr.count("\n") == 1
        assert disk.names() == []


@pytest.mark.parametrize("suffix", ["pdf", "png"])
@pytest.mark.parametrize("n_points", [2, 400, 20_000])
def test_figures_whatever_the_library_meets_as_it_tidies_up(disk: SmallDisk, n_points: int, suffix: str) -> None:
    """For a PDF that is an AttributeError within a header, a zlib.error after it, or the system's error again."""
    path = disk.path / f"parity.{suffix}"
    path.write_bytes(b"the old one")
    canvas = matplotlib.figure.Figure()
    canvas.subplots().plot(np.random.default_rng(0).random(n_points))
    disk.leave(0)
    with pytest.raises(DiskFullError, match=rf"^{path}: no space left on its disk \(.* bytes are free\); free some"):
        save(canvas, path)
    assert disk.names() == [path.name]
    assert path.read_bytes() == b"the old one"
    disk.free()
    save(canvas, path)
    assert disk.names() == [path.name]


def test_labels_that_were_stored_stay(disk: SmallDisk) -> None:
    def fill(store: LabelStore) -> None:
        for k in range(3):
            store.put_label(f"more {k}", {"kind": "toy"}, large, rung=0, seconds=0.0)

    path = disk.path / "labels.sqlite"
    large = Result(1.0, np.zeros((5000, 3)), None)
    with LabelStore(path) as store:
        store.put_label("first", {"kind": "toy"}, large, rung=0, seconds=0.0)
        disk.leave(100 * KB)
        with pytest.raises(DiskFullError, match=rf"{path}: no space left on its disk \("):
            fill(store)
        n_stored = len(store)
        assert n_stored >= 1
        disk.free()
        store.put_label("another", {"kind": "toy"}, large, rung=0, seconds=0.0)
        assert len(store) == n_stored + 1
    assert disk.names() == ["labels.sqlite"]
    disk.leave(0)
    with pytest.raises(DiskFullError, match=rf"{disk.path / 'new.sqlite'}: no space left on its disk"):
        LabelStore(disk.path / "new.sqlite")
    with LabelStore(path) as store:  # to read needs no space
        assert store.get("first", {"kind": "toy"}) is not None
        assert canonical({"kind": "toy"}) in store.identities().values()


def test_rows_stay_whole(disk: SmallDisk) -> None:
    def fill(trace: TraceWriter) -> None:
        for step in range(1000):
            trace.add(0.1 * step, step, 1 / 3, 1 / 3, 1 / 3, 1 / 3, 0, 0, 0.1)

    path = disk.path / "momt.trace"
    header = {"units": "metal", "temp": 900.0, "press": 1.0, "boltz": 1.0, "nktv2p": 1.0, "n_atoms": 4}
    trace = TraceWriter(path, header, None)
    disk.leave(2 * 4 * KB)
    with pytest.raises(DiskFullError, match=r"momt\.trace: no space left on its disk"):
        fill(trace)
    trace.close()
    steps = read_trace(path).step
    assert len(steps) > 0
    assert steps.tolist() == list(range(len(steps)))


def test_mapped_features_ask_for_their_room_first(disk: SmallDisk) -> None:
    """Else the process is ended by SIGBUS at a write to the memory that is mapped."""
    disk.leave(20 * KB)
    frames, network = labeled(20), NetworkDescription(("Al",))
    with pytest.raises(DiskFullError, match=r"derivatives.bin: no space left on its disk \(it needs [\d,]+ bytes"):
        build_training_data(frames, network, features="stored", store=disk.path / "derivatives.bin")


def test_room_is_asked_for_after_programs_that_do_not_look(disk: SmallDisk) -> None:
    require_room(disk.path)
    disk.leave(8 * KB)
    with pytest.raises(DiskFullError, match="no space left"):
        require_room(disk.path)
    assert disk.names() == []


def test_other_errors_and_other_limits(tmp_path: Path) -> None:
    def fail(number: int) -> None:
        with told_if_full(tmp_path / "a", 1234567):
            raise OSError(number, "said by the system")

    for number, words in (
        (errno.ENOSPC, "no space left on its disk"),
        (errno.EDQUOT, "no space left in the disk quota"),
        (errno.EFBIG, "ulimit -f"),
    ):
        with pytest.raises(DiskFullError, match=words) as caught:
            fail(number)
        assert "it needs 1,234,567 bytes" in str(caught.value)
    with pytest.raises(PermissionError):
        fail(errno.EACCES)


def test_an_error_amid_another_file_of_a_full_disk_names_that_file(tmp_path: Path) -> None:
    def fail() -> None:
        with told_if_full(tmp_path / "outer"):
            try:
                with told_if_full(tmp_path / "inner"):
                    raise OSError(errno.ENOSPC, "said by the system")
            finally:
                raise RuntimeError("a second error")

    with pytest.raises(DiskFullError, match="inner: no space left"):
        fail()


def test_a_limit_of_the_shell_is_told_without_any_right_to_mount(tmp_path: Path) -> None:
    script = (
        "import resource, sys\nfrom pathlib import Path\nimport numpy as np\nfrom nnpal.runtime.hdf5_image "
        "import new_hdf5\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "with new_hdf5(Path('a.h5')) as file:\n    file['a'] = np.zeros(1000)\n"
    )
    done = run([sys.executable, "-c", script], cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    assert "DiskFullError: a.h5: no space left below the largest size" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_rows_file_closes_once(tmp_path: Path) -> None:
    file = RowsFile(tmp_path / "rows")
    file.add("1\n")
    file.close()
    file.close()
    assert (tmp_path / "rows").read_text() == "1\n"


def test_a_bias_is_read_as_it_was_written(tmp_path: Path) -> None:
    write_bias(tmp_path / "momt.h5", bias(3))
    assert read_bias(tmp_path / "momt.h5").coefficients.tolist() == np.ones((4, 4)).tolist()
