"""The value `charge` of fix pair against TorchANI called directly on the dumped frame."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from ase import Atoms

from calibrated_models import resaved
from ensembles import charged_ensemble
from lmp_runner import FULL_DIGITS, THERMO_FORMAT, Frame, Lmp
from lmp_single_point import header
from lmp_systems import System, random_hcno, tilted
from nnpal.model import export_ensemble
from torchani_reference import ExportedModel, charges_of

ROUNDING = 1e-9  # e; float64 sums in another order

# kernel, and reach of a dispersion, with which messages pass over two hops
FORMS = {"fused": ("fused", 0.0), "torchani": ("torchani", 0.0), "two hops": ("fused", 5.4)}


def observe(name: str, every: int, columns: str = "") -> str:
    return f"""
fix q all pair {every} nnp charge 1
compute q all reduce sum f_q
thermo {every}
thermo_style custom step c_q {columns}
{THERMO_FORMAT}
dump d all custom {every} {name}.dump id type x y z f_q
dump_modify d sort id format float {FULL_DIGITS}
"""


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, ExportedModel]:
    folder, found = tmp_path_factory.mktemp("charges"), {}
    for name, (kernel, reach) in FORMS.items():
        model = charged_ensemble(reach=reach)
        path = export_ensemble(model, folder / f"{len(found)}.pt", kernel=kernel, dtype=torch.float64)
        found[name] = ExportedModel(path, model.double(), tuple(model.symbols), 2)
    return found


def bulk() -> System:
    """Shorter than twice the cutoff, and with the elements in another order than the model's."""
    known = tilted(random_hcno(24, 0.06, periodic=True), 1.0, -0.8, 0.6)
    return System(("O", "N", "C", "H"), 5 - known.types, known.positions, known.cell)


def expected_of(model: ExportedModel, system: System, frame: Frame) -> np.ndarray:
    symbols = [system.elements[int(kind) - 1] for kind in frame["type"]]
    cell = system.cell if system.periodic else None
    return charges_of(model.model, Atoms(symbols, frame.positions - system.origin, cell=cell, pbc=system.periodic))


def assert_belongs(model: ExportedModel, system: System, frame: Frame) -> None:
    np.testing.assert_allclose(frame["f_q"], expected_of(model, system, frame), rtol=0, atol=ROUNDING)


@pytest.mark.mpi
@pytest.mark.parametrize(
    ("form", "n_ranks"),
    [
        ("fused", 1),
        ("fused", 2),
        pytest.param("fused", 4, marks=pytest.mark.slow),
        pytest.param("torchani", 1, marks=pytest.mark.slow),
        ("torchani", 2),
        ("two hops", 1),
        ("two hops", 2),
        pytest.param("two hops", 4, marks=pytest.mark.slow),
    ],
)
def test_they_are_torchanis(lmp: Lmp, models: dict[str, ExportedModel], form: str, n_ranks: int) -> None:
    """In a crystal in motion, and of a cluster in a corner of its box, which leaves ranks without atoms."""
    model, systems = models[form], {"bulk": bulk(), "cluster": random_hcno(12, 0.08, periodic=False)}
    systems["cluster"] = dataclasses.replace(systems["cluster"], cell=60.0 * np.eye(3))
    script = ""
    for name, system in systems.items():
        system.write(lmp.folder / f"{name}.data")
        script += header(model, system, data=f"{name}.data")
        script += "fix u all pair 2 nnp uq_energy 1 charge 1\ncompute u all reduce sum f_u[2]\n"
        script += observe(name, 2, "c_u") + "fix n all nve\ntimestep 0.0005\nrun 2 post no\nclear\n"
    run = lmp(script, n_ranks=n_ranks)
    for table, (name, system) in zip(run.thermo, systems.items(), strict=True):
        frames = run.dump(f"{name}.dump")
        assert [frame.step for frame in frames] == [0, 2]
        assert np.abs(frames[0]["f_q"]).max() > 0.05
        assert np.abs(frames[0]["f_q"] - frames[1]["f_q"]).max() > 1e4 * ROUNDING
        for frame in frames:
            assert_belongs(model, system, frame)
        np.testing.assert_allclose([table["c_q"], table["c_u"]], 0.0, rtol=0, atol=1e-12)


def test_what_other_commands_do_to_them(lmp: Lmp, models: dict[str, ExportedModel]) -> None:
    """Swaps, exclusions, and hybrid with real units, in one process; 100 trial deletions that leave a lone atom."""
    model, system = models["fused"], bulk()
    system.write(lmp.folder / "data")
    guest = np.array([[0.3, 0.2, 0.1]]) @ system.cell
    hosted = dataclasses.replace(
        system,
        elements=(*system.elements, "Al"),
        types=np.append(system.types, 5),
        positions=np.vstack([system.positions, guest]),
    )
    hosted.write(lmp.folder / "hosted.data")
    pair = System(("H",), np.array([1, 1]), np.array([[5, 5, 5], [5, 5, 5.8]]), 14.0 * np.eye(3))
    pair.write(lmp.folder / "pair.data")
    start, nnp = header(model, system), f"pair_style nnp {model.path} precision double"
    hybrid = header(model, hosted, data="hosted.data", units="real").replace(
        f"{nnp}\npair_coeff * * {' '.join(hosted.elements)}",
        nnp.replace("pair_style", "pair_style hybrid lj/cut 5.0")
        + "\npair_coeff * * nnp O N C H NULL\npair_coeff * 5 lj/cut 0.01 1.0",
    )
    assert "NULL" in hybrid
    run = lmp(
        f"""{start}
fix swap all atom/swap 1 4 4711 3000.0 types 1 3
{observe("swaps", 2, "f_swap[2]")}
fix n all nve
timestep 0.0001
run 4 post no
clear
{start}{observe("excluded", 1)}
group gone id 3 7 11
neigh_modify exclude group gone all
run 0 post no
clear
{hybrid}{observe("hybrid", 1)}
run 0 post no
clear
{header(model, pair, data="pair.data", options="precision double self_energies no")}
fix mc all gcmc 1 20 0 1 4711 5000.0 100.0 0.3 full_energy min 1 max 2
{observe("deletions", 5, "atoms f_mc[5]")}
run 5 post no
"""
    )
    swaps, excluded, hosting = run.dump("swaps.dump"), run.dump("excluded.dump")[0], run.dump("hybrid.dump")[0]
    assert run.thermo[0]["f_swap[2]"][-1] > 0, "no swap was accepted: the test sees nothing"
    for frame in swaps:
        assert_belongs(model, system, frame)

    is_left = ~np.isin(excluded["id"], [3, 7, 11])
    left = Frame(0, {name: values[is_left] for name, values in excluded.columns.items()})
    assert_belongs(model, system, left)
    np.testing.assert_array_equal(excluded["f_q"][~is_left], 0.0)

    hosts = Frame(0, {name: values[:-1] for name, values in hosting.columns.items()})
    assert_belongs(model, system, hosts)
    assert hosting["f_q"][-1] == 0.0

    assert run.thermo[-1]["f_mc[5]"][-1] >= 20, "no deletion was tried: the test sees nothing"
    assert run.thermo[-1]["Atoms"][-1] == 2
    for frame in run.dump("deletions.dump"):
        assert_belongs(model, pair, frame)


def test_the_self_check_looks_at_them(lmp: Lmp, models: dict[str, ExportedModel]) -> None:
    system, model = bulk(), models["fused"]
    system.write(lmp.folder / "data")
    path = resaved(model.path, lmp.folder / "edited.pt", lambda m: m["reference"]["charges"].reverse())
    script = header(dataclasses.replace(model, path=path), system) + "run 0\n"
    lmp.expect_error(script, r"edited\.pt: its self-check fails: .* charges differ by 0\.\d+ e", ranks=(1,))


def test_a_lone_atom_stops_on_every_rank(lmp: Lmp, models: dict[str, ExportedModel]) -> None:
    """Where TorchANI gives NaN; a step that does not ask for charges is none of it."""
    lone = System(("O", "H"), np.array([1, 2]), np.array([[1.0, 1, 1], [11, 1, 1]]), 20.0 * np.eye(3))
    lone.write(lmp.folder / "data")
    script = header(models["fused"], lone) + "fix q all pair 2 nnp charge 1\ntimestep 1e-6\nfix n all nve\n"
    message = r"step 2: charges are not defined: .* give 0 to atom [12] and to each of the 2 atom"
    lmp.expect_error(script + "reset_timestep 1\nrun 3\n", message)


REFUSED = {
    "a model without": ("al_model", "", "run 0\n", "charge needs a model with charge networks.*ANImbis.*has none"),
    "cells": ("", "neighbors cells", "run 0\n", "neighbors is cells, but the value charge of fix pair needs"),
    "hmc": (
        "",
        "members 1",
        "fix n all nve\nfix h all hmc 2 4711 300\nrun 2\n",
        "fix pair would show charges of states that fix hmc has rejected",
    ),
}


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=() if n == "a model without" else pytest.mark.slow) for n in REFUSED]
)
def test_refusals(lmp: Lmp, models: dict[str, ExportedModel], al_model: ExportedModel, name: str) -> None:
    which, options, run, message = REFUSED[name]
    system = System(("Al",), np.ones(1, int), np.zeros((1, 3)), 9.0 * np.eye(3)) if which else bulk()
    system.write(lmp.folder / "data")
    script = header(al_model if which else models["fused"], system, options=options)
    lmp.expect_error(script + "fix q all pair 1 nnp charge 1\n" + run, message, ranks=(1,))
