"""Metadata of a model file: the record `nnpal.json` of its archive."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from nnpal.calibration import Calibration

FORMAT = "nnpal-model"
FORMAT_VERSION = 4
"""New in 2: calibration; 3: kind, hops above 1, pair terms, charges; 4: the record fused.json."""
RECORD = "nnpal.json"

_FIXED = {"format": FORMAT, "energy_unit": "eV", "length_unit": "angstrom"}
EXPORT_AGAIN = "export the model again with nnpal.export_ensemble"
MOST_HOPS = 16
"""With more, every atom of a rank's halo would matter."""
KINDS = ("ani", "schnet", "module")
KERNELS = ("fused", "torchani", "modules")
CALIBRATE_AGAIN = "calibrate the file again with nnpal calibrate"


class ModelFileError(ValueError):
    """A model file that cannot be used; the message names the file, the fault and the fix."""


@dataclass(frozen=True)
class ReferenceConfiguration:
    """Small cluster with its results in float64, for a self-check on loading.

    Attributes:
        species: element index of each atom, [n_atoms].
        n_local: number of centers.
        edge_index: (center, neighbor), [2][n_edges].
        edge_vec: r_neighbor - r_center, Å, [n_edges][3].
        energies: energy of each center by each member, eV, [n_members][n_local].
        gradient: gradient of the members' mean energy in edge_vec, eV/Å, [n_edges][3].
        charges: charge of each center, e, [n_local], with a sum of 0; None if the model has no charges.
    """

    species: list[int]
    n_local: int
    edge_index: list[list[int]]
    edge_vec: list[list[float]]
    energies: list[list[float]]
    gradient: list[list[float]]
    charges: list[float] | None = None


@dataclass(frozen=True)
class Metadata:
    """Keys of `nnpal.json`, of which only ``charges`` may be missing.

    Attributes:
        elements: chemical symbols in the order of the element index.
        cutoff: cutoff of the edges, Å.
        n_members: ensemble size.
        dtype: dtype of the weights, ``float32`` or ``float64``.
        kernel: evaluation of the model: ``fused``, nnpal's operations; ``torchani``, TorchANI's modules; ``modules``:
            each member is a separate module, see :class:`nnpal.model.member_modules.MemberModules`.
        dataset_hash: hash of the training data, if known.
        provenance: how the model was trained.
        versions: versions of nnpal, torch and torchani at export.
        reference: see :class:`ReferenceConfiguration`.
        hops: number of message-passing steps; edges of all atoms within ``hops - 1`` neighbor steps of a center are
            needed, so that 1 means only edges of centers.
        kind: network type: ``ani``, ``schnet``, or ``module`` for a custom one.
        pair_terms: names of the pair energies of the model, in addition to its networks.
        charges: whether the module has a method for charges, see :mod:`nnpal.model.charges`; false if the key is
            missing.
        calibration: calibration of the whole ensemble; None if there is none, as in files of format 1.
        format, format_version: name and version of the layout of the file.
        energy_unit: always eV.
        length_unit: always Å.
    """

    elements: list[str]
    cutoff: float
    n_members: int
    dtype: str
    kernel: str
    dataset_hash: str | None
    provenance: dict[str, Any]
    versions: dict[str, str]
    reference: ReferenceConfiguration
    hops: int = 1
    kind: str = "ani"
    pair_terms: tuple[str, ...] = ()
    charges: bool = False
    calibration: Calibration | None = None
    format: str = FORMAT
    format_version: int = FORMAT_VERSION
    energy_unit: str = field(default=_FIXED["energy_unit"])
    length_unit: str = field(default=_FIXED["length_unit"])

    def to_json(self) -> str:
        """Return the record's text.

        Raises:
            TypeError: a value of the provenance cannot be written as JSON.
        """
        return json.dumps(dataclasses.asdict(self), allow_nan=False)


def parse_metadata(text: str | bytes, path: str) -> Metadata:
    """Read the record of the model file ``path``.

    Raises:
        ModelFileError: it is not JSON, a key is missing or has a wrong value, or the format is newer than this nnpal.
    """
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ModelFileError(f"{path}: its {RECORD} is not valid JSON ({error}); {EXPORT_AGAIN}") from error
    if not isinstance(values, dict):
        raise ModelFileError(f"{path}: its {RECORD} is not a JSON object; {EXPORT_AGAIN}")
    missing = [key for key in (*_FIXED, "format_version") if key not in values]
    if missing:
        raise ModelFileError(f"{path}: its {RECORD} has no key {missing[0]!r}; {EXPORT_AGAIN}")
    for key, expected in _FIXED.items():
        if values[key] != expected:
            raise ModelFileError(
                f"{path}: its {RECORD} says {key} {values[key]!r}, expected {expected!r}; {EXPORT_AGAIN}"
            )
    version = values["format_version"]
    if not _is_number(version, int) or not 1 <= version <= FORMAT_VERSION:
        raise ModelFileError(
            f"{path}: its format version is {version!r}, this version of nnpal reads up to {FORMAT_VERSION}; install "
            "a newer version of nnpal"
        )
    if version < 3:
        values |= {"kind": "ani", "pair_terms": [], "charges": False}
    values.setdefault("charges", False)
    if isinstance(reference := values.get("reference"), dict) and values["charges"] is False:
        reference["charges"] = None
    values["reference"] = _build(ReferenceConfiguration, values.get("reference"), path)
    if version == 1:
        values["calibration"] = None
    metadata = _build(Metadata, values, path)
    if metadata.dtype not in ("float32", "float64"):
        raise ModelFileError(
            f"{path}: its {RECORD} says dtype {metadata.dtype!r}, expected float32 or float64; {EXPORT_AGAIN}"
        )
    for key, usable in (
        ("elements", _are_symbols(metadata.elements)),
        ("cutoff", _is_number(metadata.cutoff, int | float) and 0 < metadata.cutoff < float("inf")),
        ("n_members", _is_number(metadata.n_members, int) and metadata.n_members >= 1),
        ("kernel", metadata.kernel in KERNELS),
        ("hops", _is_number(metadata.hops, int) and 1 <= metadata.hops <= (MOST_HOPS if version >= 3 else 1)),
        ("kind", metadata.kind in KINDS),
        ("charges", isinstance(metadata.charges, bool)),
        ("pair_terms", isinstance(metadata.pair_terms, list) and _are_texts(metadata.pair_terms)),
        ("dataset_hash", metadata.dataset_hash is None or isinstance(metadata.dataset_hash, str)),
        ("provenance", isinstance(metadata.provenance, dict)),
        ("versions", isinstance(metadata.versions, dict)),
    ):
        if not usable:
            raise ModelFileError(f"{path}: its {RECORD} says {key} {values[key]!r}, which cannot be; {EXPORT_AGAIN}")
    if metadata.charges and metadata.reference.charges is None:
        raise ModelFileError(f"{path}: its reference configuration has no charges; {EXPORT_AGAIN}")
    calibration = _calibration(metadata.calibration, metadata, path)
    if not _fits(metadata.reference, metadata.n_members, len(metadata.elements), metadata.hops):
        raise ModelFileError(f"{path}: the arrays of its reference configuration do not fit each other; {EXPORT_AGAIN}")
    return dataclasses.replace(metadata, calibration=calibration, pair_terms=tuple(metadata.pair_terms))


def _calibration(values: Any, metadata: Metadata, path: str) -> Calibration | None:
    """Read the calibration, and refuse one that does not fit this model."""
    if values is None:
        return None
    try:
        found = Calibration.from_json(values)
    except ValueError as error:
        raise ModelFileError(f"{path}: its {RECORD} has an unusable calibration: {error}; {CALIBRATE_AGAIN}") from error
    for wanted, n_found, what in (
        (len(metadata.elements), len(found.force.knee), "elements"),
        (max(metadata.n_members, 2), metadata.n_members, "members"),
    ):
        if n_found != wanted:
            raise ModelFileError(
                f"{path}: its {RECORD} has an unusable calibration: of {n_found} {what}, expected {wanted}; "
                f"{CALIBRATE_AGAIN}"
            )
    return found


def _is_number(value: Any, kind: Any) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)


def _are_symbols(elements: Any) -> bool:
    return isinstance(elements, list) and bool(elements) and _are_texts(elements)


def _are_texts(values: list[Any]) -> bool:
    return all(isinstance(value, str) for value in values)


def _fits(reference: ReferenceConfiguration, n_members: int, n_elements: int, hops: int) -> bool:
    """Return whether the arrays have the shapes of :class:`ReferenceConfiguration` and the indices are in range."""
    try:
        species = np.asarray(reference.species, dtype=np.int64)
        edge_index = np.asarray(reference.edge_index, dtype=np.int64)
        edge_vec, energies, gradient = (
            np.asarray(rows, dtype=np.float64) for rows in (reference.edge_vec, reference.energies, reference.gradient)
        )
        charges = None if reference.charges is None else np.asarray(reference.charges, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):  # ragged, or no numbers
        return False
    n_local, n_edges = reference.n_local, edge_index.shape[-1] if edge_index.ndim else 0
    return (
        isinstance(n_local, int)
        and species.ndim == 1
        and 1 <= n_local <= len(species)
        and edge_index.shape == (2, n_edges)
        and n_edges > 0
        and edge_vec.shape == gradient.shape == (n_edges, 3)
        and energies.shape == (n_members, n_local)
        and (charges is None or charges.shape == (n_local,))
        and all(
            bool(np.isfinite(values).all())
            for values in (edge_vec, energies, gradient, *(() if charges is None else (charges,)))
        )
        and bool((species >= 0).all() and (species < n_elements).all())
        and bool((edge_index >= 0).all() and (edge_index < len(species)).all())
        and bool((edge_index[0] < (n_local if hops == 1 else len(species))).all())
    )


def _build(kind: type[Any], values: Any, path: str) -> Any:
    if not isinstance(values, dict):
        raise ModelFileError(f"{path}: its {RECORD} lacks the reference configuration; {EXPORT_AGAIN}")
    names = [item.name for item in dataclasses.fields(kind)]
    missing = [name for name in names if name not in values]
    if missing:
        raise ModelFileError(f"{path}: its {RECORD} has no key {missing[0]!r}; {EXPORT_AGAIN}")
    return kind(**{name: values[name] for name in names})
