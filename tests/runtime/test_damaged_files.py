"""Damaged datasets, bias files, label stores, checkpoints and manifests: refused by their own errors, and no crash."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from damage_search import KINDS, outcome, search
from damaged_files import damaged_copies, flipped
from nnpal.data import DatasetError, read_dataset
from nnpal.hooks import HookError
from nnpal.momt import read_bias
from nnpal.training.storage import remove_damaged

OTHER = {"labels.db": {"same", "refused", "other"}, "run.json": {"same", "refused", "other"}}
"""No checksum covers the labels of a store, nor a manifest; damage within a number is another number."""


def check(name: str, found: list[list[Any]]) -> None:
    assert not [one for one in found if one[2] not in OTHER.get(name, {"same", "refused"})]
    assert Counter(one[2] for one in found)["refused"] >= 3


@pytest.mark.parametrize("name", ["labels.db", "checkpoint.pt", "run.json"])
def test_some_damage(name: str, tmp_path: Path) -> None:
    kind, path = KINDS[name], tmp_path / name
    kind.write(path)
    content = path.read_bytes()
    expected = kind.read(path)
    found: list[list[Any]] = []
    for what, copy in damaged_copies(content, 1, 40):
        path.write_bytes(copy)
        found.append([0, what, *outcome(kind, path, expected)])
    check(name, found)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("name", KINDS)
def test_random_damage(name: str, seed: int, tmp_path: Path) -> None:
    check(name, search(name, tmp_path, seed, 1500))


def test_hdf5_never_opens_a_file_that_is_not_as_written(tmp_path: Path) -> None:
    """It may hang there. A file that someone has changed by HDF5 has no seal any more, and is read as HDF5 finds it."""
    for name, read, error in (("dataset.h5", read_dataset, DatasetError), ("momt.h5", read_bias, HookError)):
        path = tmp_path / name
        KINDS[name].write(path)
        content = path.read_bytes()
        for place in (0, len(content) // 2, len(content) - 2, len(content) - 94):
            path.write_bytes(flipped(content, place, 1))
            with pytest.raises(error, match=rf"{name}.*its bytes do not fit the SHA-256 at its end"):
                read(path)
        path.write_bytes(content[:-94])
        read(path)


def test_checkpoints_whose_headers_torch_refuses_are_made_anew(tmp_path: Path) -> None:
    """zipfile does not look at the number of the disk."""
    path = tmp_path / "checkpoint.pt"
    said: list[str] = []
    KINDS["checkpoint.pt"].write(path)
    content = path.read_bytes()
    remove_damaged([path], said.append)
    assert path.exists()
    for damaged in (
        flipped(content, content.index(b"PK\x01\x02") + 34, 4),
        flipped(content, content.index(b"PK\x01\x02") + 8, 0),
        flipped(content, content.index(b"PK\x01\x02") + 46, 7),
    ):
        path.write_bytes(damaged)
        remove_damaged([path], said.append)
        assert not path.exists()
    assert len(said) == 3
