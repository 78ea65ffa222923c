"""Evaluate a member's energies and gradient by a compiled program."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from nnpal.model.compiled.record import COMPILE_AGAIN, PACKAGE, RECORD, SMALLEST, CompiledRecord, parse_record
from nnpal.model.metadata import ModelFileError
from nnpal.model.zip_records import what_it_says


class CompiledProgram:
    """AOTInductor package: one program for all members, with their weights as inputs.

    The package assumes the dtypes, shapes and strides of compile time without checking its inputs: they are checked
    here.

    Arguments:
        records: records of the archive, by name; see :mod:`nnpal.model.compiled.record`.
        module: module of the archive, a scripted :class:`nnpal.model.member_modules.MemberModules`.
        n_members: number of members in the file.
        path: path of the file, for error messages.
        dtype, device: dtype and device that the caller requests.

    Raises:
        ModelFileError: the program is for another machine, does not fit the archive's weights, or cannot be loaded.
        ValueError: ``dtype`` or ``device`` is not the program's.
    """

    def __init__(
        self,
        records: Mapping[str, bytes],
        module: torch.jit.ScriptModule,
        n_members: int,
        path: str,
        dtype: torch.dtype,
        device: str,
    ) -> None:
        record = parse_record(records[RECORD], path)
        record.check(path, dtype, device)
        if PACKAGE not in records:
            raise ModelFileError(f"{path}: it has a {RECORD} but no {PACKAGE}; {COMPILE_AGAIN}")
        self._dtype, self._largest_halo = dtype, record.largest_halo
        self._weights = [_inputs(getattr(module.members, str(k)), record, path) for k in range(n_members)]
        self._loader = _load(records[PACKAGE], path)

    def takes(self, species: Tensor, n_local: int, edge_index: Tensor) -> bool:
        """Return whether the program evaluates a graph: large enough, and with mostly edges of centers."""
        n_edges = edge_index.shape[1]
        if species.shape[0] < SMALLEST or n_edges < SMALLEST:
            return False
        if self._largest_halo is None or n_local == species.shape[0]:
            return True
        return n_edges <= self._largest_halo * int((edge_index[0] < n_local).sum())

    def member(
        self, k: int, species: Tensor, n_local: int, edge_index: Tensor, edge_vec: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return the energies of the centers, eV, [n_local], and the gradient of their sum in ``edge_vec``, eV/Å.

        Arguments:
            k: index of the member.
            species, n_local, edge_index, edge_vec: see :class:`nnpal.model.member_modules.MemberModules`.

        Raises:
            ValueError: a tensor is not of the dtype or on the device that the program reads.
        """
        for name, tensor, dtype in (
            ("species", species, torch.int64),
            ("edge_index", edge_index, torch.int64),
            ("edge_vec", edge_vec, self._dtype),
        ):
            if tensor.dtype != dtype or tensor.device.type != "cpu":
                raise ValueError(f"{name} is {tensor.dtype} on {tensor.device}, expected {dtype} on the CPU")
        inputs = (species.contiguous(), torch.tensor(n_local), edge_index.contiguous(), edge_vec.detach().contiguous())
        energies, gradient = self._loader.run([*self._weights[k], *inputs])
        return energies[:n_local], gradient


def member_weights(member: Any) -> dict[str, Tensor]:
    """Return the parameters and buffers of a member by name, detached."""
    return {name: tensor.detach() for name, tensor in (*member.named_parameters(), *member.named_buffers())}


def layout_of(weights: Mapping[str, Tensor]) -> list[tuple[str, str, list[int]]]:
    """Return name, dtype and shape of each tensor, as stored in a record."""
    return [(name, str(one.dtype).removeprefix("torch."), list(one.shape)) for name, one in weights.items()]


def _inputs(member: Any, record: CompiledRecord, path: str) -> list[Tensor]:
    weights = member_weights(member)
    chosen = {name: weights[name] for name, _, _ in record.weights if name in weights}
    if layout_of(chosen) != record.weights:
        raise ModelFileError(
            f"{path}: a member has other weights than its compiled program accepts; compile the file again"
        )
    return [weight.contiguous() for weight in chosen.values()]


def _load(package: bytes, path: str) -> Any:
    # torch._inductor.aoti_load_package would run the C++ compiler to detect the processor's features
    with tempfile.TemporaryDirectory(prefix="nnpal-") as folder:
        file = Path(folder) / "model.pt2"
        file.write_bytes(package)
        try:
            return torch._C._aoti.AOTIModelPackageLoader(str(file), "model", True, 1, -1)
        except RuntimeError as error:
            raise ModelFileError(
                f"{path}: torch cannot load its compiled program ({what_it_says(error)}); {COMPILE_AGAIN}"
            ) from error
