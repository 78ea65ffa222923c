"""Export ensembles of MACE models (package ``mace-torch``) as model files."""

import copy
import os
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
from ase.data import chemical_symbols
from torch import Tensor

from nnpal.calibration import Calibration
from nnpal.model.module_export import export_module
from nnpal.model.torchscript import deprecation_ignored

_CLASSES = ("MACE", "ScaleShiftMACE")
_UNSAFE_LOAD = "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"


class MACEMember(torch.nn.Module):
    """MACE model that satisfies the contract: energies of centers without the elements' E0.

    MACE's forward is called with all positions 0 and the edge vectors as shifts; MACE's vectors point from sender to
    receiver, that is from neighbor to center.

    Attributes:
        model: a MACE model whose E0 are 0.
        head: index of the head.
        offsets: constant added to the energy of an atom of each element, eV, [n_elements].
    """

    offsets: Tensor

    def __init__(self, model: torch.nn.Module, head: int, offsets: Tensor) -> None:
        super().__init__()
        self.model = model
        self.head = head
        self.register_buffer("offsets", offsets)

    def forward(self, species: Tensor, n_local: int, edge_index: Tensor, edge_vec: Tensor) -> Tensor:
        n_atoms = species.shape[0]
        # one configuration, not periodic
        data = {
            "node_attrs": torch.nn.functional.one_hot(species, self.offsets.shape[0]).to(edge_vec.dtype),
            "positions": torch.zeros((n_atoms, 3), dtype=edge_vec.dtype, device=edge_vec.device),
            "shifts": -edge_vec,
            "unit_shifts": torch.zeros_like(edge_vec),
            "cell": torch.zeros((3, 3), dtype=edge_vec.dtype, device=edge_vec.device),
            "edge_index": edge_index.flip(0),
            "batch": torch.zeros_like(species),
            "ptr": torch.tensor([0, n_atoms], dtype=torch.int64, device=species.device),
            "head": torch.full((1,), self.head, dtype=torch.int64, device=species.device),
        }
        energies = self.model(data, compute_force=False)["node_energy"]
        assert energies is not None
        return (energies[:n_local] + self.offsets[species[:n_local]]).to(edge_vec.dtype)


def export_mace(
    models: torch.nn.Module | str | os.PathLike[str] | Sequence[torch.nn.Module | str | os.PathLike[str]],
    path: str | os.PathLike[str],
    *,
    head: str | None = None,
    dtype: torch.dtype | None = None,
    dataset_hash: str | None = None,
    provenance: dict[str, Any] | None = None,
    calibration: Calibration | None = None,
) -> Path:
    """Write one or several MACE models as a file for ``pair_style nnp`` and NNPCalculator.

    The means of the members' E0s become the file's self-energies, and each member keeps its difference from them.
    Scale, shift and pair repulsion (ZBL) remain in the energies with ``self_energies no``.

    Arguments:
        models: ensemble members, or their files for ``torch.load``, which can execute arbitrary code: load only trusted
            ones. All need the same elements, in the same order, and the same cutoff. They are not changed.
        path: path of the model file.
        head: name of the head, for models with several; by default the only one.
        dtype: torch.float32 or torch.float64; by default that of the weights.
        dataset_hash, provenance, calibration: see :func:`nnpal.export_module`.

    Returns:
        The path.

    Raises:
        ImportError: mace-torch is not installed.
        ValueError: a model has another class, takes charge or spin, was converted for cuEquivariance or
            OpenEquivariance, differs in elements or cutoff, or needs ``head``. Names the model.
        nnpal.model.module_checks.ModuleCheckError, nnpal.model.ModelFileError: see :func:`nnpal.export_module`.
    """
    compiled = _compiler()
    given = [models] if isinstance(models, torch.nn.Module | str | os.PathLike) else list(models)
    members = [_loaded(model, k) for k, model in enumerate(given)]
    if not members:
        raise ValueError("models is empty, expected at least one MACE model")
    _require_alike(members)
    symbols = [chemical_symbols[int(z)] for z in members[0].atomic_numbers]
    heads = [_head_index(member, k, head) for k, member in enumerate(members)]
    e0 = torch.stack([_e0(member, index) for member, index in zip(members, heads, strict=True)])
    alone = e0.mean(0)
    modules = []
    for member, index, own in zip(members, heads, e0, strict=True):
        copied = copy.deepcopy(member).cpu().eval()
        copied.atomic_energies_fn.atomic_energies.zero_()
        offsets = (own - alone).to(next(copied.parameters()).dtype)
        with deprecation_ignored():
            modules.append(compiled(MACEMember(copied, index, offsets)))
    return export_module(
        modules,
        path,
        elements=symbols,
        cutoff=float(members[0].r_max),
        hops=max(int(member.num_interactions) for member in members),
        self_energies=dict(zip(symbols, alone.tolist(), strict=True)),
        dtype=dtype,
        dataset_hash=dataset_hash,
        provenance={**(provenance or {}), "mace": _versions()},
        calibration=calibration,
    )


def _compiler() -> Callable[[torch.nn.Module], torch.jit.ScriptModule]:
    """Return e3nn's TorchScript compiler; restore the variable that mace sets for torch.load.

    Raises:
        ImportError: mace-torch is not installed.
    """
    before = os.environ.get(_UNSAFE_LOAD)
    try:
        with deprecation_ignored():
            import_module("mace")  # sets the variable, without which e3nn 0.4 cannot be imported
            return import_module("e3nn.util.jit").script
    except ImportError as error:
        raise ImportError(f"export_mace needs mace-torch ({error}); run: pip install mace-torch") from error
    finally:
        if before is None:
            os.environ.pop(_UNSAFE_LOAD, None)


def _loaded(model: torch.nn.Module | str | os.PathLike[str], k: int) -> Any:
    """Return the model, loaded if it is a file, after checking that it is supported.

    Raises:
        ValueError: the model is not supported; gives the reason.
    """
    found: Any = model if isinstance(model, torch.nn.Module) else torch.load(model, "cpu", weights_only=False)
    name = f"models[{k}]" if isinstance(model, torch.nn.Module) else os.fspath(model)
    if type(found).__name__ not in _CLASSES:
        raise ValueError(f"{name} is a {type(found).__name__}, expected one of {', '.join(_CLASSES)}")
    if hasattr(found, "joint_embedding"):
        raise ValueError(
            f"{name} takes {', '.join(found.embedding_specs)} besides positions, which LAMMPS does not provide; "
            "expected a model without embedding_specs"
        )
    for block in found.interactions:
        for backend in ("cueq_config", "oeq_config"):
            if getattr(getattr(block, backend, None), "enabled", False):
                raise ValueError(
                    f"{name} was converted for an accelerated backend ({backend}), which TorchScript does not take; "
                    f"convert it back with python -m mace.cli.convert_{backend.removesuffix('_config')}_e3nn"
                )
    return found


def _require_alike(members: Sequence[Any]) -> None:
    """Refuse members that cannot share one list of edges.

    Raises:
        ValueError: their elements or cutoffs differ.
    """
    for k, member in enumerate(members[1:], start=1):
        for what, own, first in (
            ("atomic numbers", member.atomic_numbers.tolist(), members[0].atomic_numbers.tolist()),
            ("cutoff r_max, Å,", float(member.r_max), float(members[0].r_max)),
        ):
            if own != first:
                raise ValueError(f"models[{k}] has {what} {own}, models[0] {first}; expected the same")


def _head_index(model: Any, k: int, head: str | None) -> int:
    heads = list(getattr(model, "heads", None) or ["Default"])
    if head is None and len(heads) > 1:
        raise ValueError(f"models[{k}] has the heads {heads}; give head")
    if head is not None and head not in heads:
        raise ValueError(f"head is {head!r}, but models[{k}] has {heads}")
    return 0 if head is None else heads.index(head)


def _e0(model: Any, head: int) -> Tensor:
    """Return the self-energy of each element, eV, float64 [n_elements]."""
    of_heads = torch.atleast_2d(model.atomic_energies_fn.atomic_energies)
    return of_heads[head].detach().cpu().double()


def _versions() -> dict[str, str]:
    found = {}
    for package in ("mace-torch", "e3nn"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:  # imported from a source checkout
            continue
    return found
