"""The same numbers on a GPU as on the CPU. Run with `pytest -m cuda` where there is one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from ensembles import one_element_ensemble
from lmp_runner import THERMO_FORMAT, Lmp
from lmp_single_point import MEASURE, SinglePoint, header, single_point
from lmp_systems import System, fcc, random_hcno
from nnpal.model import export_ensemble
from nnpal.model.ops import load_ops
from torchani_reference import ExportedModel

load_ops()

pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU and a CUDA build of torch"),
]


has_operations = pytest.mark.skipif("cuda" not in torch.ops.nnpal.devices(), reason="nnpal was built without nvcc")
# float64: sums in another order. float32: 7 digits, of which sums over 1e3 edges and the networks lose two.
RELATIVE = {"double": 1e-11, "single": 2e-5}
QUANTITIES = ("atomic_energies", "forces", "virial", "uq_energy", "uq_force")


def assert_same(found: SinglePoint, expected: SinglePoint, relative: float) -> None:
    for name in QUANTITIES:
        values = np.asarray(getattr(expected, name))
        np.testing.assert_allclose(
            np.asarray(getattr(found, name)), values, atol=relative * np.abs(values).max(), rtol=0, err_msg=name
        )


def al_system() -> System:
    return fcc("Al", 4.05, 2)


def hcno_system() -> System:
    return random_hcno(24, 0.1, periodic=True)


@has_operations
@pytest.mark.parametrize("neighbors", ["auto", "list"])
@pytest.mark.parametrize("n_ranks", [1, pytest.param(2, marks=pytest.mark.mpi)])
@pytest.mark.parametrize("precision", RELATIVE)
@pytest.mark.parametrize("case", ["al", "hcno"])
def test_gpu_equals_cpu(
    lmp: Lmp,
    al_model: ExportedModel,
    hcno_model: ExportedModel,
    case: str,
    precision: str,
    n_ranks: int,
    neighbors: str,
) -> None:
    """With cells, which is auto, and with LAMMPS's list; two ranks share the GPU."""
    model, system = (al_model, al_system()) if case == "al" else (hcno_model, hcno_system())
    cpu = single_point(lmp, model, system, options=f"device cpu precision {precision}")
    options = f"device cuda precision {precision} neighbors {neighbors}"
    gpu = single_point(lmp, model, system, n_ranks=n_ranks, options=options)
    assert_same(gpu, cpu, RELATIVE[precision])


@has_operations
def test_tf32(lmp: Lmp, al_model: ExportedModel) -> None:
    """3 digits of each factor, of which the sums of a layer lose one; and it does something."""
    if torch.cuda.get_device_capability() < (8, 0):
        pytest.skip("a GPU without TF32")
    tf32, single = (
        single_point(lmp, al_model, al_system(), options=f"device cuda precision {precision}")
        for precision in ("tf32", "single")
    )
    assert_same(tf32, single, 3e-2)
    assert np.abs(tf32.forces - single.forces).max() > 1e-6 * np.abs(single.forces).max()


@has_operations
def test_hybrid(lmp: Lmp, al_model: ExportedModel) -> None:
    """Under hybrid the list is taken, and the other style's forces are added."""
    al_system().write(lmp.folder / "data")
    frames = {}
    for device in ("cpu", "cuda"):
        script = f"""units metal
read_data data
pair_style hybrid/overlay zbl 3.0 3.5 nnp {al_model.path} device {device} precision double
pair_coeff 1 1 zbl 13 13
pair_coeff * * nnp Al
"""
        frames[device] = lmp(script + MEASURE + "run 0 post no\n").dump("all.dump")[0]
    scale = np.abs(frames["cpu"].forces).max()
    np.testing.assert_allclose(frames["cuda"].forces, frames["cpu"].forces, atol=1e-11 * scale, rtol=0)


@has_operations
def test_more_atoms_than_are_evaluated_at_once(lmp: Lmp, al_model: ExportedModel) -> None:
    """2 GiB hold some 25 million edges; 442,368 atoms have 37 million. All are images of 108, with their forces."""
    system = fcc("Al", 4.05, 3)
    system.write(lmp.folder / "data")
    sums = []
    for n in (1, 16):
        run = lmp(
            header(al_model, system, options="device cuda precision single")
            + f"""replicate {n} {n} {n}
compute sum all reduce sumsq fx fy fz
compute max all reduce max fx fy fz
compute min all reduce min fx fy fz
thermo_style custom step atoms pe c_sum[*] c_max[*] c_min[*]
{THERMO_FORMAT}
run 0 post no
"""
        ).thermo[0]
        intensive = [run[f"c_{kind}[{k}]"][0] for kind in ("max", "min") for k in (1, 2, 3)]
        extensive = [run[name][0] / run["Atoms"][0] for name in ("PotEng", "c_sum[1]", "c_sum[2]", "c_sum[3]")]
        sums.append(np.array(intensive + extensive))
    assert np.abs(sums[0]).max() > 0.05
    np.testing.assert_allclose(sums[1], sums[0], rtol=2e-5, atol=2e-6)


@has_operations
def test_monte_carlo_takes_the_list(lmp: Lmp, al_model: ExportedModel) -> None:
    """`fix gcmc` excludes a group after the style chose how to find neighbors."""
    al_system().write(lmp.folder / "data")
    energies = []
    for neighbors in ("auto", "list"):
        script = header(
            al_model, al_system(), options=f"device cuda precision double neighbors {neighbors} self_energies no"
        )
        run = lmp(
            script
            + f"""group gas type 1
fix mc gas gcmc 1 20 0 1 29494 3000.0 -3.0 0.0 full_energy
thermo 1
thermo_style custom step atoms pe
{THERMO_FORMAT}
run 6
"""
        )
        energies.append(run.thermo[-1]["PotEng"])
    np.testing.assert_allclose(energies[0], energies[1], rtol=1e-10)


@pytest.mark.skipif("cuda" in torch.ops.nnpal.devices(), reason="nnpal was built with nvcc")
@pytest.mark.parametrize("kernel", ["fused", "torchani"])
def test_operations_without_cuda(lmp: Lmp, tmp_path: Path, kernel: str) -> None:
    """The defaults run: what calls the operations on the CPU, what does not on the GPU with LAMMPS's list."""
    model = one_element_ensemble("Al", 2)
    export_ensemble(model, tmp_path / "model.nnp.pt", dtype=torch.float32, kernel=kernel)
    exported = ExportedModel(tmp_path / "model.nnp.pt", model.double(), ("Al",), 2)
    cpu = single_point(lmp, exported, al_system(), options="device cpu precision double")
    default = single_point(lmp, exported, al_system(), options="precision double")
    assert_same(default, cpu, RELATIVE["double"])
    text = lmp(header(exported, al_system(), options="") + "run 0\n").text
    assert ("device auto uses the CPU" in text) == (kernel == "fused")


def test_index_beyond_the_node(lmp: Lmp, al_model: ExportedModel) -> None:
    system = fcc("Al", 4.05, 2)
    system.write(lmp.folder / "data")
    script = header(al_model, system, options=f"device cuda:{torch.cuda.device_count()}") + "run 0\n"
    lmp.expect_error(script, r"pair_style nnp: .*this node has \d+ CUDA device\(s\), numbered from 0")
