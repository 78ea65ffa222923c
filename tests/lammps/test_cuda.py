"""The same numbers on a GPU as on the CPU. Run with `pytest -m cuda` where there is one."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lmp_runner import Lmp
from lmp_single_point import SinglePoint, header, single_point
from lmp_systems import System, fcc, random_hcno
from torchani_reference import ExportedModel

pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU and a CUDA build of torch"),
]


def on_both(lmp: Lmp, model: ExportedModel, system: System, precision: str) -> tuple[SinglePoint, SinglePoint]:
    cpu, gpu = (
        single_point(lmp, model, system, options=f"device {device} precision {precision}") for device in ("cpu", "cuda")
    )
    return cpu, gpu


# float64: sums in another order. float32: 7 digits, of which sums over 1e3 edges and the networks lose two.
@pytest.mark.parametrize(("precision", "relative"), [("double", 1e-11), ("single", 2e-5)])
@pytest.mark.parametrize("case", ["al", "hcno"])
def test_gpu_equals_cpu(
    lmp: Lmp, al_model: ExportedModel, hcno_model: ExportedModel, case: str, precision: str, relative: float
) -> None:
    if case == "al":
        model, system = al_model, fcc("Al", 4.05, 2)
    else:
        model, system = hcno_model, random_hcno(24, 0.1, periodic=True)
    cpu, gpu = on_both(lmp, model, system, precision)
    for name in ("atomic_energies", "forces", "virial", "uq_energy", "uq_force"):
        expected = np.asarray(getattr(cpu, name))
        scale = np.abs(expected).max()
        np.testing.assert_allclose(
            np.asarray(getattr(gpu, name)), expected, atol=relative * scale, rtol=0, err_msg=name
        )


def test_index_beyond_the_node(lmp: Lmp, al_model: ExportedModel) -> None:
    system = fcc("Al", 4.05, 2)
    system.write(lmp.folder / "data")
    script = header(al_model, system, options=f"device cuda:{torch.cuda.device_count()}") + "run 0\n"
    lmp.expect_error(script, r"pair_style nnp: .*this node has \d+ CUDA device\(s\), numbered from 0")
