"""Sampling by NPT dynamics through the real lmp."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase.units import bar

from explore_runs import eam_oracle, npt_settings, run_folder, write_crystal
from nnpal.active_learning.sampling import IsobaricRun, npt, plan_isobaric, read_isobaric, read_momt
from nnpal.active_learning.sampling.force_field import OracleForces
from nnpal.active_learning.sampling.settings import NPTSection
from nnpal.config import validated
from nnpal.demo.eam import eam_potential, label
from nnpal.demo.order import fcc_order
from nnpal.oracle.settings import LammpsSection

PERFECT = 32.0  # O of 32 atoms


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, dict[str, Any], IsobaricRun]]:
    """The runs of one table: the crystal and its melt."""
    folder = tmp_path_factory.mktemp("npt")
    section = validated(npt_settings(pressure=1000.0), NPTSection, source="test")
    oracle = OracleForces(validated(eam_oracle(), LammpsSection, source="test"), folder)
    task, plan = plan_isobaric(section, oracle, folder / "runs", folder, seed=1)
    assert (task, list(plan)) == ("nnpal.active_learning.sampling.npt:npt", ["crystal-run-0", "liquid-run-0"])
    found = {}
    for name, arguments in plan.items():
        path = folder / "runs" / name
        path.mkdir(parents=True)
        result = npt(path, **json.loads(json.dumps(arguments)))
        found[arguments["start"]] = path, result, read_isobaric(path)
    return found


def test_frames_carry_their_enthalpy_and_order(runs: dict[str, tuple[Path, dict[str, Any], IsobaricRun]]) -> None:
    for start, (_, result, run) in runs.items():
        assert (result["ended"], run.ended, result["start"]) == ("complete", "complete", start)
        assert run.frame_step.tolist() == list(range(0, 401, 20))
        labeled = label(run.frames, eam_potential())
        energy = np.array([frame.get_potential_energy() for frame in labeled])
        volume = np.array([frame.get_volume() for frame in run.frames])
        np.testing.assert_allclose(run.energy, energy, atol=1e-8)
        np.testing.assert_allclose(run.V, volume, rtol=1e-10)
        np.testing.assert_allclose(run.H, energy + 1000.0 * bar * volume, atol=1e-8)
        np.testing.assert_allclose(run.O, [fcc_order(frame, 2) for frame in run.frames], atol=1e-8)
        assert run.V.std() > 0.5  # the box moves
        assert {frame.info["tag"] for frame in run.frames} == {f"npt-{start}"}
    _, _, crystal = runs["crystal"]
    _, _, liquid = runs["liquid"]
    assert crystal.O.min() > 0.4 * PERFECT
    assert liquid.O.max() < 0.3 * PERFECT
    assert liquid.energy.mean() > crystal.energy.mean() + 2.0  # heat of fusion, 0.1 eV an atom


def test_the_melt_is_heated_and_cooled_before_the_first_frame(
    runs: dict[str, tuple[Path, dict[str, Any], IsobaricRun]],
) -> None:
    script = (runs["liquid"][0] / "in.npt").read_text()
    assert script.count("fix          move all npt") == 2
    assert script.index("npt temp 3000.0 3000.0") < script.index("run          1000\n") < script.index("temp 900.0")
    assert "3000.0" not in (runs["crystal"][0] / "in.npt").read_text()
    # 93 degrees of freedom scatter by 15 %, the mean of 20 frames by less
    assert runs["liquid"][2].temperature.mean() == pytest.approx(900.0, rel=0.15)


def test_another_kind_of_run_is_not_read_as_one(
    runs: dict[str, tuple[Path, dict[str, Any], IsobaricRun]], tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match="npt"):
        read_momt(runs["crystal"][0])
    (tmp_path / "run.json").write_text('{"kind": "smd"}')
    with pytest.raises(ValueError, match="a run of kind 'smd', expected momt or npt"):
        read_isobaric(tmp_path)


def test_order_is_measured_where_the_lattice_is_given_and_fits(tmp_path: Path) -> None:
    structure = write_crystal(tmp_path)
    table = npt_settings(structure="al.extxyz", steps=20, equilibration=10)
    settings = {key: value for key, value in table.items() if key not in ("element", "lattice")}
    settings |= {"starts": ["crystal"], "melt_temperature": None, "melt_steps": 20_000}  # as plans hand on defaults
    how = {"force_field": eam_oracle(), "structure": structure, "start": "crystal", "seed": 1}
    folder = run_folder(tmp_path)
    npt(folder, settings=settings, **how)
    assert np.isnan(read_isobaric(folder).O).all()
    with pytest.raises(ValueError, match=r"explore\.lattice: lattice hcp does not fit 32 atoms"):
        npt(run_folder(tmp_path, "second"), settings={**settings, "lattice": "hcp"}, **how)
