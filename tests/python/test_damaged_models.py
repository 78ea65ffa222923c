"""Damaged model files load as the whole one does, or are refused by a ModelFileError: there is no third outcome."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from broken_files import record_bytes
from damaged_files import damaged_copies, write_model_in_a_new_process
from nnpal.export import ModelFileError, load_model


@pytest.fixture(scope="module")
def model_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model_in_a_new_process(tmp_path_factory.mktemp("file") / "al.nnp.pt")


@pytest.fixture(scope="module")
def content(model_file: Path) -> bytes:
    return model_file.read_bytes()


def records(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


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
    expected = load_model(whole)
    assert loaded.metadata == expected.metadata, what
    found, weights = loaded.module.state_dict(), expected.module.state_dict()
    assert found.keys() == weights.keys(), what
    assert all(torch.equal(found[name], weights[name]) for name in weights), what
    return False


def test_every_flipped_bit_of_a_record_is_found(content: bytes, model_file: Path, tmp_path: Path) -> None:
    """Unless the record reads as before: one bit in 1e3 of the compressed ones is padding that nothing checks."""
    rng = np.random.default_rng(9)
    refused = 0
    for place in rng.choice(np.flatnonzero(record_bytes(content)), 60, replace=False):
        damaged = bytearray(content)
        damaged[place] ^= 1 << int(rng.integers(8))
        if is_refused(bytes(damaged), model_file, tmp_path, f"byte {place}"):
            refused += 1
        else:
            assert records(bytes(damaged)) == records(content), place
    assert refused >= 50


def test_a_flipped_bit_between_records_is_found_or_harmless(content: bytes, model_file: Path, tmp_path: Path) -> None:
    """No checksum covers the archive's headers, names and padding; some of them, such as dates, nobody reads."""
    rng = np.random.default_rng(11)
    places = rng.choice(np.flatnonzero(~record_bytes(content)), 120, replace=False)
    bits = [(int(place), int(rng.integers(8))) for place in places]
    entry = content.index(b"PK\x01\x02")  # of the first record in the archive's directory
    bits += [(entry + 8, 0), (entry + 46, 7)]  # the flag "encrypted"; a record's name that is not UTF-8
    refused = 0
    for place, bit in bits:
        damaged = bytearray(content)
        damaged[place] ^= 1 << bit
        refused += is_refused(bytes(damaged), model_file, tmp_path, f"bit {bit} of byte {place}")
    assert 2 <= refused < len(bits)


def test_a_record_that_is_marked_as_a_folder_is_refused(content: bytes, tmp_path: Path) -> None:
    """One bit in the archive's directory, which no checksum covers; torch then reads zeros in place of a tensor."""
    entry, path = content.index(b"PK\x01\x02"), tmp_path / "folder.pt"
    for _ in range(len(records(content))):
        damaged = bytearray(content)
        damaged[entry + 38] |= 0x10
        path.write_bytes(damaged)
        with pytest.raises(
            ModelFileError, match=r"damaged, record archive/\S+ is marked as a folder; export the model"
        ):
            load_model(path)
        entry = content.find(b"PK\x01\x02", entry + 1)


@pytest.mark.parametrize(
    ("seed", "n"), [(0, 100), *(pytest.param(seed, 2000, marks=pytest.mark.slow) for seed in (1, 2, 3, 4))]
)
def test_random_damage(seed: int, n: int, content: bytes, model_file: Path, tmp_path: Path) -> None:
    outcomes = [is_refused(damaged, model_file, tmp_path, what) for what, damaged in damaged_copies(content, seed, n)]
    assert 0.5 * n < sum(outcomes) < n
