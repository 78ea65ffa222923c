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

from broken_files import foreign_torchscript, in_a_zip_of_ours, plain_zip, put
from calibrated_models import resaved
from damaged_files import damaged_archives, flipped, write_model_in_a_new_process
from lmp_runner import Lmp
from lmp_systems import fcc
from torchani_reference import ExportedModel
from zip_fields import fields

DRIVER = Path(__file__).parents[1] / "support/lammps/lammps_driver.py"


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


def shift_reference_energy(metadata: dict[str, Any]) -> None:
    energies = metadata["reference"]["energies"]
    energies[0][0] += 0.01 * np.abs(energies).max()


def swap_reference_vectors(metadata: dict[str, Any]) -> None:
    metadata["reference"]["gradient"].reverse()


NO_FIT = "arrays of its reference configuration do not fit each other"
EDITS: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "newer format": (lambda m: m.update(format_version=5), "format version is 5.*newer nnpal"),
    "format zero": (lambda m: m.update(format_version=0), "format version is 0"),
    "another format": (lambda m: m.update(format="x-model"), "format 'x-model'.*'nnpal-model'"),
    "another energy unit": (lambda m: m.update(energy_unit="hartree"), "'hartree'.*'eV'"),
    "another length unit": (lambda m: m.update(length_unit="bohr"), "'bohr'.*'angstrom'"),
    "no hops": (lambda m: m.update(hops=0), "'hops', expected 1 to 16"),
    "hops of an older format": (lambda m: m.update(hops=2, format_version=2), "'hops', expected 1"),
    "unknown kernel": (lambda m: m.update(kernel="fast"), "'kernel', expected fused"),
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
    "rows of two lengths": (lambda m: m["reference"]["edge_vec"].__setitem__(slice(2), [[0, 1], [0, 1, 2, 3]]), NO_FIT),
    "an element that does not exist": (lambda m: m["reference"]["species"].__setitem__(0, -1), NO_FIT),
    "a center that does not exist": (lambda m: m["reference"]["edge_index"][0].__setitem__(0, -1), NO_FIT),
    "more members than an int holds": (lambda m: m.update(n_members=2**32 + m["n_members"]), "'n_members'"),
    "more hops than an int holds": (lambda m: m.update(hops=2**64 + 1), "'hops'"),
    "cutoff as truth": (lambda m: m.update(cutoff=True), "'cutoff'"),
    "half an atom": (lambda m: m["reference"].update(n_local=1.5), "'n_local'"),
    "charges as a number": (lambda m: m.update(charges=1), "'charges'"),
    "charges that are not recorded": (lambda m: m.update(charges=True), "'reference.charges'"),
    "charges that are none": (
        lambda m: (m.update(charges=True), m["reference"].update(charges=8 * [0.1])),
        "no charge networks",
    ),
    "reference as a list": (lambda m: m.update(reference=[1]), "lacks the reference"),
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
    lmp.expect_error(script_with(lmp, edited_models[0]), "format version is 5.*newer nnpal")


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
    parts = [field for field in fields(content) if field.record % 3 == 0 or field.part == "content"]
    copies = [flipped(content, one.start + int(rng.integers(one.size)), int(rng.integers(8))) for one in parts]
    lengths = [1, 100, len(content) // 2, len(content) - 1000, len(content) - 1]
    refused = outcomes(tmp_path, small_model, copies + [content[:length] for length in lengths])
    assert all(refused[-len(lengths) :])
    missed = [str(field) for field, found in zip(parts, refused, strict=False) if field.is_vital and not found]
    assert not missed
    assert not all(refused)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [5, 6])
def test_random_damage(seed: int, tmp_path: Path, small_model: Path) -> None:
    """As in tests/model/test_damaged_models.py."""
    copies = [copy for _, copy in damaged_archives(small_model.read_bytes(), seed, 1000)]
    assert 500 < sum(outcomes(tmp_path, small_model, copies)) < 1000


def no_list_has_an_end(records: dict[str, bytes]) -> None:
    put(records, "nnpal.json", b'{"format": ' + b"[" * 10**6)


def lists_without_number(records: dict[str, bytes]) -> None:
    """A copy of them would take more stack than there is."""
    text = records["archive/extra/nnpal.json"]
    put(
        records,
        "nnpal.json",
        text.replace(b'"provenance": {', b'"provenance": {"a": ' + 10**6 * b"[" + 10**6 * b"]" + b", "),
    )


def of_libtorch(records: dict[str, bytes], ending: str, content: bytes) -> None:
    """Without the record fused.json libtorch reads the rest."""
    records.pop("archive/extra/fused.json")
    put(records, ending, content)


def of_core(key: str, value: Any) -> Callable[[dict[str, bytes]], Any]:
    """Return an edit of the record fused.json: `aev.radial` is the key radial of its object aev."""

    def edit(records: dict[str, bytes]) -> None:
        fused = json.loads(records["archive/extra/fused.json"])
        *path, last = key.split(".")
        inner = fused
        for name in path:
            inner = inner[name]
        if value is None:
            inner.pop(last)
        else:
            inner[last] = value
        put(records, "fused.json", json.dumps(fused).encode())

    return edit


RECORDS: dict[str, tuple[Callable[[dict[str, bytes]], Any], str]] = {
    "version is huge": (lambda r: put(r, "/version", b"9" * 40), "not one that torch.jit.save wrote"),
    "version is no text": (lambda r: put(r, "/version", b"\x80\x02"), "not one that torch.jit.save wrote"),
    "no weights": (lambda r: r.pop("archive/data/0"), "names the record data/0 for the weights, which.*does not hold"),
    "weights of libtorch": (
        lambda r: (r.pop("archive/extra/fused.json"), r.pop("archive/data/0")),
        "libtorch cannot load it.*export the model again",
    ),
    "no code": (lambda r: of_libtorch(r, "fused_module.py", b"class \xff(Module):\n"), "libtorch cannot load it"),
    "no_list_has_an_end": (no_list_has_an_end, "is not a JSON object"),
    "lists_without_number": (lists_without_number, "is not a JSON object"),
    "no UTF-8": (lambda r: put(r, "nnpal.json", b'{"format": "\xff"}'), "is not a JSON object"),
    "self-energy nan": (lambda r: of_libtorch(r, "/data/1", b"\xff" * 8), "self_energies are not finite"),
    "a weight nan": (lambda r: put(r, "/data/0", b"\xff" * len(r["archive/data/0"])), "self-check fails"),
    "fewer weights": (lambda r: put(r, "/data/0", r["archive/data/0"][:-4]), "weights, but the record data/0 has"),
    "fused.json no JSON": (lambda r: put(r, "fused.json", b"{"), "fused.json is not a JSON object"),
    "fused.json newer": (of_core("version", 2), "fused.json has version 2, expected 1"),
    "no cutoff function": (of_core("aev.cutoff_function", None), "fused.json has no key 'cutoff_function'"),
    "another function": (of_core("aev.cutoff_function", "step"), "expected cosine or smooth"),
    "infinite shift": (of_core("aev.radial_shifts", [float("inf")]), "fused.json"),
    "cutoff beyond edges": (of_core("aev.radial", [99.0, 4.0]), "radial cutoff beyond"),
    "millions of features": (of_core("aev.angular_sections", [0.5] * 2**21), "more than a million"),
    "layers of nobody": (of_core("networks.layers", [[8, 1], [8, 1]]), "not the layers of each element"),
    "layers without end": (of_core("networks.layers", [[2**62, 1]]), "impossible size"),
    "negative layers": (of_core("networks.layers", [[-8, 1]]), "impossible size"),
    "more layers": (of_core("networks.layers", [[2**20, 2**20, 1]]), "weights, but the record"),
    "text for layers": (of_core("networks.layers", "many"), "unusable value for 'layers'"),
    "no activation": (of_core("networks.activation", "relu"), "neither gelu nor celu"),
    "another activation": (of_core("networks.activation", "celu"), "alpha of CELU|self-check fails"),
    "two self-energies": (of_core("self_energies", [0.5, 1.0]), "self_energies are not one"),
    "other networks": (of_core("networks.energy_scale", 1.0), "self-check fails"),
    "half a repulsion": (of_core("repulsion", {"cutoff": 5.0}), "fused.json has no key 'cutoff_function'"),
}


def test_records_of_another_content(tmp_path: Path, small_model: Path) -> None:
    """torch raises exceptions of its own and of the standard library; with right checksums nothing stops it before."""
    models = [in_a_zip_of_ours(small_model, tmp_path / f"{k}.pt", edit) for k, (edit, _) in enumerate(RECORDS.values())]
    same = in_a_zip_of_ours(small_model, tmp_path / "same.pt", lambda records: None)
    expected, found, *answers = drive(tmp_path, [small_model, same, *models], same_instance=True)
    assert found == expected
    for (name, (_, message)), answer in zip(RECORDS.items(), answers, strict=True):
        assert re.search(rf"pair_style nnp: model .*{message}", answer.get("error", "accepted")), f"{name}: {answer}"


def test_damaged_archive_on_two_ranks(lmp: Lmp, al_model: ExportedModel) -> None:
    content = al_model.path.read_bytes()
    path = lmp.folder / "damaged.pt"
    weights = max(fields(content), key=lambda field: field.size)
    path.write_bytes(flipped(content, weights.start + weights.size // 2, 4))
    lmp.expect_error(script_with(lmp, path), r"pair_style nnp: model .*damaged\.pt.*checksum", ranks=(2,))


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
