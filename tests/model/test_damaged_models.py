"""Damaged model files load as the whole one does, or are refused by a ModelFileError: there is no third outcome."""

from __future__ import annotations

import io
import zipfile
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
import torch

from damaged_files import damaged_archives, flipped, write_model_in_a_new_process
from nnpal.model import LoadedModel, ModelFileError, load_model
from zip_fields import Field, fields


@pytest.fixture(scope="module")
def model_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model_in_a_new_process(tmp_path_factory.mktemp("file") / "al.nnp.pt")


@pytest.fixture(scope="module")
def content(model_file: Path) -> bytes:
    return model_file.read_bytes()


def records(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@lru_cache(maxsize=1)
def loaded_whole(path: Path) -> LoadedModel:
    return load_model(path)


def is_refused(damaged: bytes, whole: Path, folder: Path, what: str) -> bool:
    """Load a damaged copy: return whether it is refused, and require it to be equal to the whole file if not."""
    path = folder / "damaged.pt"
    path.write_bytes(damaged)
    try:
        loaded = load_model(path)
    except ModelFileError as error:
        assert str(error).startswith(f"{path}: "), what  # noqa: PT017 - both outcomes are right
        return True
    except Exception as error:
        raise AssertionError(f"{what}: {error!r}") from error
    expected = loaded_whole(whole)
    assert loaded.metadata == expected.metadata, what
    found, weights = loaded.module.state_dict(), expected.module.state_dict()
    assert found.keys() == weights.keys(), what
    assert all(torch.equal(found[name], weights[name]) for name in weights), what
    assert loaded.module.code == expected.module.code, what
    return False


def test_every_flipped_bit_of_a_record_is_found(content: bytes, model_file: Path, tmp_path: Path) -> None:
    """Unless the record reads as before: one bit in 1e3 of the compressed ones is padding that nothing checks."""
    rng = np.random.default_rng(9)
    for field in [field for field in fields(content) if field.part == "content"]:
        for byte in rng.integers(field.size, size=6):
            damaged, what = flipped(content, field.start + int(byte), int(rng.integers(8))), f"byte {byte} of {field}"
            if not is_refused(damaged, model_file, tmp_path, what):
                assert field.is_deflated, what
                assert records(damaged) == records(content), what


def test_every_field_of_the_headers_is_checked_or_harmless(content: bytes, model_file: Path, tmp_path: Path) -> None:
    """No checksum covers the archive's headers, names and padding; some of them, such as dates, nobody reads."""
    rng = np.random.default_rng(11)
    refused: dict[bool, list[bool]] = {True: [], False: []}
    for field in [field for field in fields(content) if field.part != "content"]:
        byte, bit = int(rng.integers(field.size)), int(rng.integers(8))
        what = f"bit {bit} of byte {byte} of {field}"
        refused[field.is_vital].append(
            is_refused(flipped(content, field.start + byte, bit), model_file, tmp_path, what)
        )
        assert refused[field.is_vital][-1] or not field.is_vital, what
    assert len(refused[True]) > 100
    assert not all(refused[False])


def field_of(content: bytes, part: str, record: str, name: str) -> Field:
    number = list(records(content)).index(f"archive/{record}")
    return next(one for one in fields(content) if (one.part, one.record, one.name) == (part, number, name))


def encrypted(content: bytes) -> bytes:
    return flipped(content, field_of(content, "central", "data.pkl", "flags").start, 0)


def packed_by_lzma(content: bytes) -> bytes:
    start = field_of(content, "central", "data.pkl", "method").start
    return content[:start] + b"\x0e" + content[start + 1 :]


def no_utf8_in_a_name(content: bytes) -> bytes:
    return flipped(content, field_of(content, "central", "version", "name").start, 7)


def size_of_gigabytes(content: bytes) -> bytes:
    """Deflate ends before, and by its checksum the record is whole: torch would ask for the memory."""
    (code,) = [name for name in records(content) if name.endswith("fused_module.py")]
    return flipped(content, field_of(content, "central", code.removeprefix("archive/"), "size").start + 3, 6)


def self_energies_as_a_folder(content: bytes) -> bytes:
    """One bit that zipfile never looks at: torch would take what memory happens to hold for the self-energies."""
    return flipped(content, field_of(content, "central", "data/1", "external").start, 4)


def one_name_twice(content: bytes) -> bytes:
    """The first of two records, in which a bit of a weight is wrong, has the name of the second in both headers."""
    first = field_of(content, "content", "data/0", "content")
    damaged = bytearray(flipped(content, first.start + 1000, 3))
    for part in ("local", "central"):
        damaged[field_of(content, part, "data/0", "name").start + len("archive/data/")] = ord("1")
    return bytes(damaged)


CASES = {
    encrypted: "record archive/data.pkl has flags 0x809 and method 0",
    packed_by_lzma: "record archive/data.pkl has flags 0x808 and method 14",
    no_utf8_in_a_name: r"not a TorchScript archive, or truncated or damaged \(a text in it is not valid UTF-8\)",
    size_of_gigabytes: "bytes, its directory says 10737",
    self_energies_as_a_folder: "record archive/data/1 is marked as a folder",
    one_name_twice: "not a TorchScript archive, or truncated or damaged",
}


@pytest.mark.parametrize("damage", CASES, ids=lambda damage: damage.__name__)
def test_a_header_that_says_something_else(damage, content: bytes, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "damaged.pt"
    path.write_bytes(damage(content))
    with pytest.raises(ModelFileError, match=rf"damaged\.pt: .*{CASES[damage]}"):
        load_model(path)


def test_a_record_that_is_marked_as_a_folder_is_refused(content: bytes, tmp_path: Path) -> None:
    """One bit in the archive's directory, which no checksum covers; torch then reads zeros in place of a tensor."""
    entry, path = content.index(b"PK\x01\x02"), tmp_path / "folder.pt"
    for _ in range(len(records(content))):
        damaged = bytearray(content)
        damaged[entry + 38] |= 0x10
        path.write_bytes(damaged)
        with pytest.raises(ModelFileError, match=r"record archive/\S+ is marked as a folder\); export the model"):
            load_model(path)
        entry = content.find(b"PK\x01\x02", entry + 1)


@pytest.mark.parametrize(
    ("seed", "n"), [(0, 100), *(pytest.param(seed, 3000, marks=pytest.mark.slow) for seed in (1, 2, 3, 4))]
)
def test_random_damage(seed: int, n: int, content: bytes, model_file: Path, tmp_path: Path) -> None:
    outcomes = [is_refused(copy, model_file, tmp_path, what) for what, copy in damaged_archives(content, seed, n)]
    assert 0.5 * n < sum(outcomes) < n
