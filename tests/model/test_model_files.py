"""Model files on disk: what they say of themselves, and damaged ones, which are refused."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import pytest
import torch

from broken_files import foreign_torchscript, in_a_zip_of_ours, plain_zip, put
from ensembles import one_element_ensemble
from nnpal.model import Metadata, ModelFileError, export_ensemble, load_model, read_metadata
from nnpal.model.metadata import ReferenceConfiguration


@pytest.fixture(scope="module")
def model_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export_ensemble(
        one_element_ensemble(hidden=(8, 4)),
        tmp_path_factory.mktemp("file") / "al.nnp.pt",
        dataset_hash="sha256:0123",
        provenance={"epochs": 300, "splits": [1, 2, 3]},
    )


def test_what_a_file_says_of_itself(model_file: Path) -> None:
    metadata = read_metadata(model_file)
    assert metadata.elements == ["Al"]
    assert metadata.cutoff == 6.9
    assert (metadata.n_members, metadata.dtype, metadata.kernel, metadata.hops) == (3, "float32", "fused", 1)
    assert (metadata.energy_unit, metadata.length_unit) == ("eV", "angstrom")
    assert metadata.dataset_hash == "sha256:0123"
    assert metadata.provenance == {"epochs": 300, "splits": [1, 2, 3]}
    assert set(metadata.versions) == {"nnpal", "torch", "torchani"}
    assert len(metadata.reference.energies) == 3


FOREIGN = {
    "empty": (b"", "not a TorchScript archive"),
    "text": (b"no model", "not a TorchScript archive"),
    "plain zip": (plain_zip(), r"not an nnpal model file.*export_ensemble"),
    "foreign TorchScript": (foreign_torchscript(), r"not an nnpal model file.*export_ensemble"),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_files_of_others(name: str, tmp_path: Path) -> None:
    content, message = FOREIGN[name]
    path = tmp_path / "other.pt"
    path.write_bytes(content)
    with pytest.raises(ModelFileError, match=rf"other\.pt: {message}"):
        load_model(path)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"absent\.pt does not exist"):
        load_model(tmp_path / "absent.pt")


def test_arguments_out_of_range(model_file: Path) -> None:
    with pytest.raises(ValueError, match=r"members is 4, but .* holds 3"):
        load_model(model_file, members=4)
    with pytest.raises(ValueError, match="members is 0"):
        load_model(model_file, members=0)
    with pytest.raises(ValueError, match=r"dtype is torch\.float16"):
        load_model(model_file, dtype=torch.float16)


DEVICES = {
    "tpu": r"device is 'tpu', expected cpu, cuda or cuda:N",
    "cuda:x": r"device is 'cuda:x', expected cpu, cuda or cuda:N",
    "cuda:4096": r"device is 'cuda:4096', but torch .* finds \d+ GPUs",
}


@pytest.mark.parametrize("device", DEVICES)
def test_devices_that_are_not_there(device: str, model_file: Path) -> None:
    with pytest.raises(ValueError, match=DEVICES[device]):
        load_model(model_file, device=device)


def test_truncated(model_file: Path, tmp_path: Path) -> None:
    content = model_file.read_bytes()
    path = tmp_path / "short.pt"
    for length in (0, 1, 100, *(len(content) * k // 8 for k in range(1, 8)), len(content) - 22, len(content) - 1):
        path.write_bytes(content[:length])
        with pytest.raises(ModelFileError, match=r"short\.pt"):
            load_model(path)


def resaved(source: Path, target: Path, edit: Callable[[dict[str, Any]], Any]) -> Path:
    """Write a model again with another nnpal.json."""
    metadata = asdict(read_metadata(source))
    edit(metadata)
    module = torch.jit.load(str(source))
    torch.jit.save(module, str(target), _extra_files={"nnpal.json": json.dumps(metadata)})
    return target


RECORDS: dict[str, tuple[Callable[[dict[str, bytes]], Any], str]] = {
    "version is no text": (
        lambda r: put(r, "/version", b"\x80\x02"),
        r"torch cannot load it \(.*export the model again",
    ),
    "version is huge": (lambda r: put(r, "/version", b"9" * 40), r"torch cannot load it \(.*export the model again"),
    "no weights": (lambda r: r.pop(next(n for n in r if n.endswith("/data/0"))), "torch cannot load it"),
    "a bottomless list": (lambda r: put(r, "nnpal.json", b"[" * 10**5), "is not valid JSON .*export the model again"),
    "no UTF-8": (lambda r: put(r, "nnpal.json", b'{"format": "\xff"}'), "is not valid JSON .*export the model again"),
    "self-energy nan": (lambda r: put(r, "/data/1", b"\xff" * 8), r"self_energies \[nan\] are not finite"),
}


@pytest.mark.parametrize("name", RECORDS)
def test_records_of_another_content(name: str, model_file: Path, tmp_path: Path) -> None:
    """torch and json raise IndexError, UnicodeDecodeError, RecursionError, ... on them."""
    edit, message = RECORDS[name]
    path = in_a_zip_of_ours(model_file, tmp_path / "edited.pt", edit)
    with pytest.raises(ModelFileError, match=rf"edited\.pt: .*{message}"):
        load_model(path)


def test_a_zip_of_ours_loads(model_file: Path, tmp_path: Path) -> None:
    """The records above are refused for their edits."""
    assert load_model(in_a_zip_of_ours(model_file, tmp_path / "same.pt", lambda r: None)).metadata.n_members == 3


def test_folder_and_file_that_nobody_may_read(model_file: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=r"a folder; expected a model file, such as .*model\.nnp\.pt"):
        load_model(tmp_path)
    secret = tmp_path / "secret.pt"
    secret.write_bytes(model_file.read_bytes())
    secret.chmod(0)
    if not os.access(secret, os.R_OK):  # root may read everything
        with pytest.raises(ModelFileError, match=r"secret\.pt: cannot be read \(Permission denied\); make the file"):
            load_model(secret)


NO_FIT = "arrays of its reference configuration do not fit each other"
EDITS: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "newer format": (lambda m: m.update(format_version=5), "format version is 5.*newer version of nnpal"),
    "another format": (lambda m: m.update(format="x"), "format 'x', expected 'nnpal-model'"),
    "another unit": (lambda m: m.update(energy_unit="hartree"), "energy_unit 'hartree', expected 'eV'"),
    "no hops": (lambda m: m.update(hops=0), "hops 0"),
    "hops of an older format": (lambda m: m.update(hops=3, format_version=2), "hops 3"),
    "unknown kernel": (lambda m: m.update(kernel="fast"), "kernel 'fast'"),
    "wrong dtype": (lambda m: m.update(dtype="float16"), "dtype 'float16', expected float32 or float64"),
    "no elements": (lambda m: m.update(elements=[]), r"says elements \[\], which cannot be"),
    "elements of another model": (lambda m: m.update(elements=["Al", "Ni"]), r"self_energies .*\(1,\).*'Al', 'Ni'"),
    "cutoff as text": (lambda m: m.update(cutoff="6.9"), "says cutoff '6.9', which cannot be"),
    "negative cutoff": (lambda m: m.update(cutoff=-6.9), "says cutoff -6.9, which cannot be"),
    "cutoff as truth": (lambda m: m.update(cutoff=True), "says cutoff True, which cannot be"),
    "kernel as a number": (lambda m: m.update(kernel=3), "says kernel 3, which cannot be"),
    "provenance as a list": (lambda m: m.update(provenance=[1]), r"says provenance \[1\], which cannot be"),
    "hash as a number": (lambda m: m.update(dataset_hash=1.5), r"says dataset_hash 1\.5, which cannot be"),
    "versions as text": (lambda m: m.update(versions="x"), "says versions 'x', which cannot be"),
    "zero members": (lambda m: m.update(n_members=0), "says n_members 0, which cannot be"),
    "too many members": (lambda m: m.update(n_members=5), NO_FIT),
    "fewer members": (lambda m: m.update(n_members=2), NO_FIT),
    "members less by one": (
        lambda m: (m.update(n_members=2), m["reference"]["energies"].pop()),
        r"self-check fails, energies .* have shape \(3, 8\), the recorded ones \(2, 8\)",
    ),
    "atom that does not exist": (lambda m: m["reference"]["edge_index"][1].__setitem__(0, 99), NO_FIT),
    "element that does not exist": (lambda m: m["reference"]["species"].__setitem__(0, 1), NO_FIT),
    "center that does not exist": (lambda m: m["reference"].update(n_local=99), NO_FIT),
    "edges of two shapes": (lambda m: m["reference"]["edge_vec"].pop(), NO_FIT),
    "words for numbers": (lambda m: m["reference"].update(gradient="none"), NO_FIT),
    "null for a number": (lambda m: m["reference"]["energies"][0].__setitem__(0, None), NO_FIT),
    "reference as a list": (lambda m: m.update(reference=[]), "lacks the reference configuration"),
    "charges as a number": (lambda m: m.update(charges=1), "says charges 1, which cannot be"),
    "charges that are not recorded": (lambda m: m.update(charges=True), "its reference configuration has no charges"),
    "charges that are none": (
        lambda m: (m.update(charges=True), m["reference"].update(charges=8 * [0.1])),
        "cannot be evaluated .*no charge networks",
    ),
    "another energy": (lambda m: m["reference"]["energies"][0].reverse(), "self-check fails, energies"),
    "another gradient": (lambda m: m["reference"]["gradient"].reverse(), "self-check fails, gradients"),
}


@pytest.mark.parametrize("name", EDITS)
def test_edited_metadata(name: str, model_file: Path, tmp_path: Path) -> None:
    edit, message = EDITS[name]
    path = resaved(model_file, tmp_path / "edited.pt", edit)
    with pytest.raises(ModelFileError, match=rf"edited\.pt: .*{message}"):
        load_model(path)


@pytest.mark.parametrize("key", [item.name for item in fields(Metadata) if item.name != "charges"])
def test_missing_key(key: str, model_file: Path, tmp_path: Path) -> None:
    path = resaved(model_file, tmp_path / "gap.pt", lambda m: m.pop(key))
    with pytest.raises(ModelFileError, match=rf"gap\.pt: .*(no key '{key}'|lacks the {key} configuration)"):
        load_model(path)


def test_a_file_that_says_nothing_of_charges_has_none(model_file: Path, tmp_path: Path) -> None:
    """Files of format 3 from before there were any."""
    path = resaved(model_file, tmp_path / "gap.pt", lambda m: (m.pop("charges"), m["reference"].pop("charges")))
    assert not load_model(path).metadata.charges


@pytest.mark.parametrize("key", [item.name for item in fields(ReferenceConfiguration) if item.name != "charges"])
def test_missing_key_of_the_reference(key: str, model_file: Path, tmp_path: Path) -> None:
    path = resaved(model_file, tmp_path / "gap.pt", lambda m: m["reference"].pop(key))
    with pytest.raises(ModelFileError, match=rf"gap\.pt: .*no key '{key}'"):
        load_model(path)


@pytest.mark.parametrize(("text", "message"), [("{", "is not valid JSON"), ("[1]", "is not a JSON object")])
def test_metadata_that_is_no_object(text: str, message: str, model_file: Path, tmp_path: Path) -> None:
    path = tmp_path / "other.pt"
    torch.jit.save(torch.jit.load(str(model_file)), str(path), _extra_files={"nnpal.json": text})
    with pytest.raises(ModelFileError, match=message):
        read_metadata(path)


def test_resaved_without_an_edit_loads(model_file: Path, tmp_path: Path) -> None:
    assert load_model(resaved(model_file, tmp_path / "same.pt", lambda m: None)).metadata.n_members == 3


def test_a_gradient_by_torchs_slope_of_celu(model_file: Path, tmp_path: Path) -> None:
    """What an earlier nnpal recorded of models with CELU: off by some 1e-8, which double precision sees."""

    def off(metadata: dict[str, Any]) -> None:
        reference = metadata["reference"]
        reference["gradient"] = [[(1 - 3e-8) * x for x in row] for row in reference["gradient"]]

    path = resaved(model_file, tmp_path / "old.pt", off)
    assert load_model(path).dtype == torch.float32
    with pytest.raises(
        ModelFileError, match=r"old\.pt: self-check fails, gradients.*CELU.*earlier version of nnpal.*export"
    ):
        load_model(path, dtype=torch.float64)
