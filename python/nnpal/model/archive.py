"""Write and load model files, with all checks."""

from __future__ import annotations

import dataclasses
import io
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from nnpal.calibration import Calibration
from nnpal.geometry.neighbor_graph import Graph
from nnpal.model.charge_sums import normalized
from nnpal.model.compiled.program import CompiledProgram
from nnpal.model.compiled.record import PACKAGE as COMPILED_PACKAGE
from nnpal.model.compiled.record import RECORD as COMPILED_RECORD
from nnpal.model.core_model import load_core_model
from nnpal.model.denormals import denormals_flushed
from nnpal.model.files import read_file
from nnpal.model.fused_record import RECORD as FUSED_RECORD
from nnpal.model.fused_record import fused_record, needs_libtorch
from nnpal.model.metadata import EXPORT_AGAIN, FORMAT_VERSION, RECORD, Metadata, ModelFileError
from nnpal.model.ops import OpsError, load_ops
from nnpal.model.reference import check_reference
from nnpal.model.torchscript import deprecation_ignored
from nnpal.model.zip_records import what_it_says
from nnpal.runtime.files import aside


@dataclass(frozen=True)
class LoadedModel:
    """A model file ready to evaluate.

    Attributes:
        module: ``module(species, n_local, edge_index, edge_vec)`` gives energies, eV, [n_members, n_local].
        metadata: metadata of the file.
        self_energies: self-energy of each element, eV, float64 [n_elements].
        dtype: dtype of ``edge_vec`` and the energies.
        device: device of the module.
        program: compiled program that evaluates the members, if any; see :mod:`nnpal.model.compiled`.
    """

    module: torch.jit.ScriptModule
    metadata: Metadata
    self_energies: Tensor
    dtype: torch.dtype
    device: str
    program: CompiledProgram | None = None

    @property
    def calibration(self) -> Calibration | None:
        """Calibration of the members in use; None if the file has none, or if it was fitted to more members."""
        n_members = self.metadata.n_members
        return self.metadata.calibration if 1 < n_members == int(self.module.n_active) else None

    def energies_and_gradients(self, graph: Graph, *, of_members: bool) -> tuple[Tensor, Tensor]:
        """Return energies of the centers and their gradients with respect to the edge vectors.

        Arguments:
            graph: atoms and edges within the cutoff, on any device.
            of_members: whether to return each member's gradient, too. With kernel ``fused`` they come in the same pass,
                with ``modules`` members are evaluated one by one anyway, with ``torchani`` each costs a backward pass.

        Returns:
            Energies without self-energies, eV, [n_members, n_local], and gradients of their sums over the centers,
            float64 on the CPU, eV/Å: of the members' mean and, if ``of_members``, of each member, [1 or 1 + n_members,
            n_edges, 3].
        """
        inputs = (graph.species.to(self.device), graph.n_local, graph.edge_index.to(self.device))
        edge_vec = graph.edge_vec.to(self.device, self.dtype).detach()
        if self.metadata.kernel == "fused":
            with torch.no_grad():
                energies, gradients = self.module.energies_and_gradients(*inputs, edge_vec, of_members)
            return energies, gradients.cpu().double()
        with denormals_flushed():
            if self.metadata.kernel == "modules":
                with torch.jit.optimized_execution(False):  # would recompile for each number of edges, for no gain
                    return self._one_by_one(inputs, edge_vec, of_members)
            return self._by_autograd(inputs, edge_vec, of_members)

    def charges(self, graph: Graph) -> Tensor:
        """Return the atoms' charges, e, float64 [n_local] on the CPU; all atoms are centers, and the sum is 0.

        Arguments:
            graph: atoms and edges of one or several configurations.

        Raises:
            ValueError: the model has no charges, or they are not defined for these atoms.
        """
        if not self.metadata.charges:
            raise ValueError("this model has no charges; expected one such as torchani.models.ANImbis")
        edge_vec = graph.edge_vec.to(self.device, self.dtype)
        inputs = (graph.species.to(self.device), graph.n_local, graph.edge_index.to(self.device), edge_vec)
        with torch.no_grad(), denormals_flushed(), torch.jit.optimized_execution(False):
            raw, weights = self.module.charges(*inputs)
        symbols = [self.metadata.elements[index] for index in graph.species[: graph.n_local].tolist()]
        return torch.from_numpy(normalized(raw.cpu().numpy(), weights.cpu().numpy(), symbols))

    def _one_by_one(
        self, inputs: tuple[Tensor, int, Tensor], edge_vec: Tensor, of_members: bool
    ) -> tuple[Tensor, Tensor]:
        edge_vec.requires_grad_(True)
        energies, gradients = [], []
        program = self.program if self.program and self.program.takes(*inputs) else None
        for k in range(int(self.module.n_active)):
            if program:
                of_member, gradient = program.member(k, *inputs, edge_vec)
            else:
                of_member = self.module.member(k, *inputs, edge_vec)
                (gradient,) = torch.autograd.grad(of_member.sum(), edge_vec, materialize_grads=True)
            energies.append(of_member.detach())
            gradients.append(gradient.cpu().double())
        mean = torch.stack(gradients).mean(0, keepdim=True)
        return torch.stack(energies), torch.cat((mean, *(g[None] for g in gradients))) if of_members else mean

    def _by_autograd(
        self, inputs: tuple[Tensor, int, Tensor], edge_vec: Tensor, of_members: bool
    ) -> tuple[Tensor, Tensor]:
        energies = self.module(*inputs, edge_vec.requires_grad_(True))
        sums = [energies.mean(0).sum(), *(energies.sum(1) if of_members else ())]
        found = [torch.autograd.grad(one, edge_vec, retain_graph=True, materialize_grads=True)[0] for one in sums]
        return energies.detach(), torch.stack(found).cpu().double()


def write_archive(
    module: torch.jit.ScriptModule, metadata: Metadata, path: Path, compiled: Mapping[str, bytes] | None = None
) -> None:
    """Write a temporary archive, load it as a user does, and rename it to ``path``, which a failure leaves unchanged.

    It is built in memory, because ``torch.jit.save`` to a full disk aborts the process.

    Arguments:
        module, metadata, path: module, metadata and path of the file.
        compiled: records of a compiled program, which supports only the file's own precision.

    Raises:
        ModelFileError: the new file cannot be loaded in its own or in double precision; gives the reason.
        nnpal.runtime.disk_full.DiskFullError: no space is left.
    """
    records = {RECORD: metadata.to_json(), **(compiled or {})}
    content = module.save_to_buffer(records)
    if not needs_libtorch(module, metadata):
        content = module.save_to_buffer(records | {FUSED_RECORD: fused_record(module, metadata, content)})
    own = getattr(torch, metadata.dtype)
    with aside(path, len(content)) as temporary:
        temporary.write_bytes(content)
        _check_written(os.fspath(temporary), (own,) if compiled or own == torch.float64 else (own, torch.float64), path)


def write_calibrated(
    model: str | os.PathLike[str], calibration: Calibration | None, path: str | os.PathLike[str] | None = None
) -> Path:
    """Write a model file with a new calibration, or without one; its networks are bitwise those of ``model``.

    Arguments:
        model: a model file, of this or an earlier format.
        calibration: calibration of the whole ensemble; None removes the existing one.
        path: path of the new file, by default ``model`` itself; a temporary file is written, loaded and renamed.

    Returns:
        The path of the new file.

    Raises:
        FileNotFoundError: no such file.
        ModelFileError: the file cannot be used.
    """
    name = os.fspath(model)
    module, metadata, compiled = read_module(name)
    new = dataclasses.replace(metadata, calibration=calibration, format_version=FORMAT_VERSION)
    target = Path(model if path is None else path)
    write_archive(module, new, target, compiled)
    return target


def _check_written(written: str, dtypes: tuple[torch.dtype, ...], path: Path) -> None:
    """Load the file ``written``, which is to become ``path``, in each precision."""
    for dtype in dtypes:
        try:
            load_model(written, dtype=dtype)
            load_core_model(written, dtype=str(dtype))
        except ModelFileError as error:
            precision, reason = str(dtype).removeprefix("torch."), str(error).removeprefix(f"{written}: ")
            raise ModelFileError(
                f"{path}: not written, because the new file cannot be loaded in {precision}: {reason}"
            ) from error


def _read(name: str) -> tuple[bytes, Metadata, dict[str, bytes]]:
    """Return a model file's bytes, metadata and compiled program's records, after checking its checksums."""
    content, metadata, records = read_file(name)
    return content, metadata, {key: records[key] for key in (COMPILED_RECORD, COMPILED_PACKAGE) if key in records}


def load_model(
    path: str | os.PathLike[str],
    *,
    device: str = "cpu",
    dtype: torch.dtype | None = None,
    members: int | None = None,
) -> LoadedModel:
    """Load a model file and check it on its reference configuration.

    Arguments:
        path: model file written by :func:`nnpal.export_ensemble`.
        device: ``cpu``, ``cuda`` or ``cuda:N``.
        dtype: torch.float32 or torch.float64; by default that of the file.
        members: number of members to evaluate, the first ones; by default all.

    Returns:
        The model, ready to evaluate.

    Raises:
        FileNotFoundError: no such file.
        ModelFileError: the file is not a valid model file, or fails its self-check.
        ValueError: ``members``, ``dtype`` or ``device`` is out of range.

    Example:
        >>> from nnpal import load_model
        >>> model = load_model("al.nnp.pt")
        >>> model.metadata.elements, model.metadata.n_members, model.metadata.cutoff
        (['Al'], 3, 6.9)
    """
    name = os.fspath(path)
    content, metadata, compiled = _read(name)
    chosen = dtype or getattr(torch, metadata.dtype)
    if chosen not in (torch.float32, torch.float64):
        raise ValueError(f"dtype is {dtype}, expected torch.float32 or torch.float64")
    if members is not None and not 1 <= members <= metadata.n_members:
        raise ValueError(f"members is {members}, but {name} holds {metadata.n_members}")
    _check_device(device)
    if metadata.kernel == "fused":
        try:
            load_ops()
        except OpsError as error:
            raise ModelFileError(f"{name}: its kernel is 'fused', but {error}") from error
    module, self_energies = _module(content, metadata, name)
    program = None
    if COMPILED_RECORD in compiled:
        program = CompiledProgram(compiled, module, metadata.n_members, name, chosen, device)
    loaded = LoadedModel(module.to(device=device, dtype=chosen), metadata, self_energies, chosen, device, program)
    with denormals_flushed():
        check_reference(loaded, name)
    if members is not None:
        module.n_active = members
    return loaded


def read_module(path: str | os.PathLike[str]) -> tuple[torch.jit.ScriptModule, Metadata, dict[str, bytes]]:
    """Return a model file's module, metadata and compiled program's records as stored, to write them again.

    Raises:
        FileNotFoundError: no such file.
        ModelFileError: the file cannot be used.
    """
    name = os.fspath(path)
    content, metadata, compiled = _read(name)
    if metadata.kernel == "fused":
        load_ops()
    return _module(content, metadata, name)[0], metadata, compiled


def _module(content: bytes, metadata: Metadata, name: str) -> tuple[torch.jit.ScriptModule, Tensor]:
    """Return the module of the model file ``name``, on the CPU, and its self-energies, eV, float64 [n_elements]."""
    try:
        with deprecation_ignored():
            module = torch.jit.load(io.BytesIO(content), map_location="cpu")
        self_energies, _ = module.self_energies.clone(), int(module.n_active)
    except Exception as error:  # torch reads names, sizes and types before it checks them: IndexError, MemoryError, ...
        raise ModelFileError(f"{name}: torch cannot load it ({what_it_says(error)}); {EXPORT_AGAIN}") from error
    if self_energies.dtype != torch.float64 or self_energies.shape != (len(metadata.elements),):
        raise ModelFileError(
            f"{name}: its self_energies are {self_energies.dtype} of shape {tuple(self_energies.shape)}, "
            f"expected one float64 for each of {metadata.elements}"
        )
    if not self_energies.isfinite().all():
        raise ModelFileError(f"{name}: its self_energies {self_energies.tolist()} are not finite; {EXPORT_AGAIN}")
    return module, self_energies


def _check_device(device: str) -> None:
    kind, _, index = device.partition(":")
    if kind not in ("cpu", "cuda") or (index and not index.isdigit()):
        raise ValueError(f"device is {device!r}, expected cpu, cuda or cuda:N")
    n_gpus = torch.cuda.device_count()
    if kind == "cuda" and int(index or 0) >= n_gpus:
        raise ValueError(f"device is {device!r}, but torch {torch.__version__} finds {n_gpus} GPUs; use cpu")
