"""Model files that are missing, damaged or not ours: each a clear error that names the file."""

from __future__ import annotations

import io
import json
import pickle
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from broken_files import foreign_torchscript, plain_zip, record_bytes
from damaged_files import damaged_copies, write_model_in_a_new_process
from lmp_runner import Lmp
from lmp_systems import fcc
from torchani_reference import ExportedModel

DRIVER = Path(__file__).parents[1] / "lammps_driver.py"


def script_with(lmp: Lmp, model: Path) -> str:
    fcc("Al", 4.05, 2).write(lmp.folder / "data")
    return f"units metal\nread_data data\npair_style nnp {model}\npair_coeff * * Al\nrun 0\n"


def state_dict() -> bytes:
    buffer = io.BytesIO()
    torch.save(torch.nn.Linear(3, 1).state_dict(), buffer)
    return buffer.getvalue()


FOREIGN_FILES: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty": (lambda: b"", "not a TorchScript archive"),
    "text": (lambda: b"pair_style nnp wants a model, not this text\n" * 50, "not a TorchScript archive"),
    "pickle": (lambda: pickle.dumps({"weights": [1.0, 2.0]}), "not a TorchScript archive"),
    "plain zip": (plain_zip, "not one that torch.jit.save wrote"),
    "foreign TorchScript": (foreign_torchscript, "no nnpal model.*export_ensemble"),
    "state dict": (state_dict, "no nnpal model.*export_ensemble"),
}


@pytest.mark.parametrize("kind", FOREIGN_FILES)
def test_file_that_is_no_model(lmp: Lmp, kind: str) -> None:
    content, expected = FOREIGN_FILES[kind]
    path = lmp.folder / "bad.nnp.pt"
    path.write_bytes(content())
    ranks = (1, 2) if kind in ("text", "foreign TorchScript") else (1,)
    lmp.expect_error(script_with(lmp, path), rf"pair_style nnp: model .*bad\.nnp\.pt.*({expected})", ranks=ranks)


def test_missing_file_and_folder(lmp: Lmp) -> None:
    missing = lmp.folder / "absent.nnp.pt"
    lmp.expect_error(script_with(lmp, missing), r"pair_style nnp: model .*absent\.nnp\.pt.*No such file")
    lmp.expect_error(script_with(lmp, lmp.folder), "pair_style nnp: model .*directory", ranks=(1,))


def resaved(source: Path, target: Path, edit: Callable[[dict[str, Any]], None]) -> Path:
    """Write the model again with another nnpal.json."""
    extra = {"nnpal.json": ""}
    module = torch.jit.load(str(source), _extra_files=extra)
    metadata = json.loads(extra["nnpal.json"])
    edit(metadata)
    torch.jit.save(module, str(target), _extra_files={"nnpal.json": json.dumps(metadata)})
    return target


def shift_reference_energy(metadata: dict[str, Any]) -> None:
    energies = metadata["reference"]["energies"]
    energies[0][0] += 0.01 * np.abs(energies).max()


def swap_reference_vectors(metadata: dict[str, Any]) -> None:
    metadata["reference"]["gradient"].reverse()


EDITS: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "newer format": (lambda m: m.update(format_version=2), "format version is 2.*newer nnpal"),
    "format zero": (lambda m: m.update(format_version=0), "format version is 0"),
    "another format": (lambda m: m.update(format="x-model"), "format 'x-model'.*'nnpal-model'"),
    "another energy unit": (lambda m: m.update(energy_unit="hartree"), "'hartree'.*'eV'"),
    "another length unit": (lambda m: m.update(length_unit="bohr"), "'bohr'.*'angstrom'"),
    "message passing": (lambda m: m.update(hops=2), "2 hops"),
    "gap": (lambda m: m.pop("cutoff"), "no key 'cutoff'"),
    "text for a number": (lambda m: m.update(n_members="three"), "'n_members'"),
    "negative cutoff": (lambda m: m.update(cutoff=-6.9), "cutoff"),
    "more elements than weights": (lambda m: m["elements"].append("Ni"), "self_energies"),
    "no elements": (lambda m: m.update(elements=[]), "elements"),
    "more members than weights": (lambda m: m.update(n_members=9), "reference|members"),
    "reference out of range": (
        lambda m: m["reference"]["edge_index"][1].__setitem__(0, 10**6),
        "reference",
    ),
    "another reference energy": (shift_reference_energy, "self-check"),
    "another reference gradient": (swap_reference_vectors, "self-check"),
    "half a reference": (lambda m: m["reference"]["gradient"].pop(), "reference"),
}


@pytest.fixture(scope="module")
def edited_models(al_model: ExportedModel, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("edited")
    return [resaved(al_model.path, folder / f"{name.replace(' ', '_')}.pt", edit) for name, (edit, _) in EDITS.items()]


def test_a_gradient_by_torchs_slope_of_celu(lmp: Lmp, al_model: ExportedModel) -> None:
    """What an earlier nnpal recorded of models with CELU: off by some 1e-8, which double precision sees."""

    def off(metadata: dict[str, Any]) -> None:
        reference = metadata["reference"]
        reference["gradient"] = [[(1 - 3e-8) * x for x in row] for row in reference["gradient"]]

    script = script_with(lmp, resaved(al_model.path, lmp.folder / "old.nnp.pt", off))
    lmp(script)  # in single precision
    script = script.replace("old.nnp.pt", "old.nnp.pt precision double")
    lmp.expect_error(script, r"old\.nnp\.pt.*self-check fails.*CELU.*earlier nnpal.*export the model again", ranks=(1,))


def drive(folder: Path, models: list[Path], *, same_instance: bool = False) -> list[dict[str, Any]]:
    """Evaluate model files one after another in one Python process that runs LAMMPS."""
    fcc("Al", 4.05, 2).write(folder / "data")
    jobs = {
        "data": str(folder / "data"),
        "element": "Al",
        "models": [str(model) for model in models],
        "same_instance": same_instance,
    }
    (folder / "jobs.json").write_text(json.dumps(jobs))
    process = subprocess.run(
        [sys.executable, str(DRIVER), "jobs.json", "answers.json"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert process.returncode == 0, process.stdout + process.stderr
    answers: list[dict[str, Any]] = json.loads((folder / "answers.json").read_text())
    return answers


def test_edited_metadata(tmp_path: Path, edited_models: list[Path]) -> None:
    answers = drive(tmp_path, edited_models)
    for (name, (_, expected)), path, answer in zip(EDITS.items(), edited_models, answers, strict=True):
        assert "error" in answer, f"{name}: accepted"
        assert path.name in answer["error"], f"{name}: {answer['error']}"
        assert re.search(expected, answer["error"]), f"{name}: {answer['error']}"


def test_newer_format_on_two_ranks(lmp: Lmp, edited_models: list[Path]) -> None:
    lmp.expect_error(script_with(lmp, edited_models[0]), "format version is 2.*newer nnpal")


def flip_bit(content: bytes, bit: int) -> bytes:
    damaged = bytearray(content)
    damaged[bit // 8] ^= 1 << (bit % 8)
    return bytes(damaged)


@pytest.fixture(scope="module")
def small_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model_in_a_new_process(tmp_path_factory.mktemp("small") / "al.nnp.pt")


def outcomes(folder: Path, whole: Path, copies: list[bytes]) -> list[bool]:
    """Return which copies are refused; require the very numbers of the whole file of the others."""
    models = [whole]
    for index, copy in enumerate(copies):
        models.append(folder / f"damaged_{index}.pt")
        models[-1].write_bytes(copy)
    expected, *answers = drive(folder, models, same_instance=True)
    assert "energy" in expected
    for model, answer in zip(models[1:], answers, strict=True):
        if "error" in answer:
            assert f"pair_style nnp: model {model}" in answer["error"]
        else:
            assert answer == expected, f"{model.name} gives other numbers silently"
    return ["error" in answer for answer in answers]


def test_truncated_and_flipped_archives(tmp_path: Path, small_model: Path) -> None:
    """Every damaged copy must be refused, or give the very numbers of the whole one."""
    content = small_model.read_bytes()
    rng = np.random.default_rng(8)
    places = [
        *rng.integers(0, 8 * len(content), 60),  # mostly weights
        *rng.integers(0, 8 * 2000, 15),  # the first records
        *rng.integers(8 * (len(content) - 4000), 8 * len(content), 45),  # the central directory
        *range(8 * (len(content) - 22), 8 * len(content), 7),  # the end record
    ]
    lengths = [1, 100, len(content) // 2, len(content) - 1000, len(content) - 1]
    damaged = [flip_bit(content, int(place)) for place in places]
    damaged += [content[:length] for length in lengths]
    refused = outcomes(tmp_path, small_model, damaged)
    assert all(refused[-len(lengths) :])
    is_content = record_bytes(content)
    in_content = [is_bad for place, is_bad in zip(places, refused, strict=False) if is_content[place // 8]]
    assert len(in_content) > 40
    assert all(in_content)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [5, 6])
def test_random_damage(seed: int, tmp_path: Path, small_model: Path) -> None:
    """As in tests/python/test_damaged_models.py."""
    copies = [copy for _, copy in damaged_copies(small_model.read_bytes(), seed, 1000)]
    assert 500 < sum(outcomes(tmp_path, small_model, copies)) < 1000


def test_damaged_archive_on_two_ranks(lmp: Lmp, al_model: ExportedModel) -> None:
    content = al_model.path.read_bytes()
    path = lmp.folder / "damaged.pt"
    path.write_bytes(flip_bit(content, 4 * len(content)))
    lmp.expect_error(script_with(lmp, path), r"pair_style nnp: model .*damaged\.pt", ranks=(2,))


def test_python_process_survives_a_bad_model(tmp_path: Path, al_model: ExportedModel) -> None:
    """An error is a Python exception; the same LAMMPS then takes a valid model."""
    bad = tmp_path / "bad.pt"
    bad.write_text("no model")
    for same_instance in (True, False):
        models = [al_model.path, bad, tmp_path / "absent.pt", al_model.path]
        first, *refused, last = drive(tmp_path, models, same_instance=same_instance)
        assert all("error" in answer for answer in refused)
        assert "energy" in first
        assert last == first
