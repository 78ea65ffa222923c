"""Wrong scripts and wrong systems: each a clear error on every rank, no crash, no hang."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lmp_runner import Lmp, run_lmp
from lmp_systems import data_file, fcc, random_hcno
from torchani_reference import ExportedModel

# LAMMPS's formulas refuse sqrt(-1) and the like, but not an overflow.
INFINITY = "1.0e308*1.0e10"
NAN = f"({INFINITY})-({INFINITY})"


def al_script(
    lmp: Lmp,
    style: str,
    coeff: str = "pair_coeff * * Al",
    *,
    units: str = "units metal",
    before_box: str = "",
    before_run: str = "",
    run: str = "run 0",
) -> str:
    fcc("Al", 4.05, 2).write(lmp.folder / "data")
    return f"{units}\n{before_box}\nread_data data\n{style}\n{coeff}\n{before_run}\n{run}\n"


# What follows MODEL in pair_style, and what the error must say.
WRONG_ARGUMENTS = {
    "unknown keyword": ("devise cpu", "unknown keyword 'devise'"),
    "keyword twice": ("members 2 members 2", "'members' is given twice"),
    "keyword without value": ("precision", "'precision' has no value"),
    "wrong precision": ("precision half", "precision is 'half', expected single, tf32 or double"),
    "unknown device": ("device tpu", "device is 'tpu', expected auto, cpu, cuda or cuda:N"),
    "cuda index no number": ("device cuda:x", "device is 'cuda:x', expected"),
    "cuda index negative": ("device cuda:-1", "device is 'cuda:-1', expected"),
    "members zero": ("members 0", "members is '0', expected"),
    "members negative": ("members -1", "members is '-1', expected"),
    "members no number": ("members two", "members is 'two', expected"),
    "members with a tail": ("members 2x", "members is '2x', expected"),
    "members overflow": ("members 99999999999", "members is '99999999999', expected"),
    "members beyond the file": ("members 4", "members is 4, but the file holds 3"),
    "threads zero": ("threads 0", "threads is '0', expected a positive integer"),
    "threads fraction": ("threads 1.5", "threads is '1.5', expected a positive integer"),
}


@pytest.mark.parametrize("name", WRONG_ARGUMENTS)
def test_wrong_arguments_of_pair_style(lmp: Lmp, al_model: ExportedModel, name: str) -> None:
    arguments, expected = WRONG_ARGUMENTS[name]
    ranks = (1, 2) if name == "members beyond the file" else (1,)
    script = al_script(lmp, f"pair_style nnp {al_model.path} {arguments}")
    lmp.expect_error(script, f"pair_style nnp.*{expected}", ranks=ranks)


@pytest.mark.parametrize("device", ["cuda", "cuda:0", "cuda:99"])
def test_absent_device(lmp: Lmp, al_model: ExportedModel, device: str) -> None:
    import torch

    if torch.cuda.is_available() and device != "cuda:99":
        pytest.skip("this machine has a CUDA device")
    script = al_script(lmp, f"pair_style nnp {al_model.path} device {device}")
    lmp.expect_error(script, f"pair_style nnp: .*'{device}'.*CUDA device")


def test_pair_style_without_a_model(lmp: Lmp) -> None:
    lmp.expect_error(al_script(lmp, "pair_style nnp"), "pair_style nnp: the model file is missing")


WRONG_COEFFS = {
    "unknown element": ("pair_coeff * * Cu", r"element Cu \(atom type 1\).*knows: Al"),
    "element in the wrong case": ("pair_coeff * * al", "element al .*knows: Al"),
    "element missing for a type": ("pair_coeff * *", r"\(nnp\): "),
    "too many elements": ("pair_coeff * * Al Al", r"2 element\(s\) given \(Al Al\).*1 atom type"),
    "one type alone": ("pair_coeff 1 1 Al", r"\* \*"),
    "NULL outside hybrid": ("pair_coeff * * NULL", "NULL for atom type 1 is for pair_style hybrid"),
    "no pair_coeff": ("", "All pair coeffs are not set"),
}


@pytest.mark.parametrize("name", WRONG_COEFFS)
def test_wrong_pair_coeff(lmp: Lmp, al_model: ExportedModel, name: str) -> None:
    coeff, expected = WRONG_COEFFS[name]
    ranks = (1, 2) if name == "unknown element" else (1,)
    script = al_script(lmp, f"pair_style nnp {al_model.path}", coeff)
    lmp.expect_error(script, expected, ranks=ranks)


def test_element_missing_for_one_type_of_several(lmp: Lmp, hcno_model: ExportedModel) -> None:
    random_hcno(8, 0.05, periodic=True).write(lmp.folder / "data")
    script = f"units metal\nread_data data\npair_style nnp {hcno_model.path}\n"
    lmp.expect_error(script + "pair_coeff * * H C N\nrun 0\n", r"3 element\(s\) given \(H C N\).*4 atom type")


def test_pair_coeff_before_the_box(lmp: Lmp, al_model: ExportedModel) -> None:
    script = f"units metal\npair_style nnp {al_model.path}\npair_coeff * * Al\n"
    lmp.expect_error(script, "(?i)before simulation box", ranks=(1,))


def test_repeated_pair_style_needs_pair_coeff_again(lmp: Lmp, al_model: ExportedModel) -> None:
    style = f"pair_style nnp {al_model.path}"
    script = al_script(lmp, style, before_run=f"run 0\n{style} members 2")
    lmp.expect_error(script, "(?i)pair.coeff", ranks=(1,))


@pytest.mark.parametrize(
    ("keywords", "expected"),
    [
        ({"units": "units lj"}, "units are lj, expected metal or real"),
        ({"units": "units si"}, "units are si, expected metal or real"),
        ({"before_box": "newton off"}, "newton pair is off, expected on"),
        ({"before_box": "newton off on"}, "newton pair is off, expected on"),
    ],
)
def test_unsupported_settings(lmp: Lmp, al_model: ExportedModel, keywords: dict[str, str], expected: str) -> None:
    script = al_script(lmp, f"pair_style nnp {al_model.path}", **keywords)
    lmp.expect_error(script, f"pair_style nnp: {expected}")


@pytest.mark.parametrize("value", ["nan", "inf"])
def test_non_finite_coordinate_in_the_data_file(lmp: Lmp, al_model: ExportedModel, value: str) -> None:
    """LAMMPS or the style must stop; what it must not do is to run on with NaN energies."""
    system = fcc("Al", 4.05, 2)
    lines = data_file(system).splitlines()
    row = next(i for i, line in enumerate(lines) if line.startswith("7 1 "))
    lines[row] = f"7 1 {value} 1.0 1.0"
    (lmp.folder / "data").write_text("\n".join(lines) + "\n")
    script = f"units metal\nread_data data\npair_style nnp {al_model.path}\npair_coeff * * Al\n"
    lmp.expect_error(script + "run 0\n", "(?i)atom|numeric|nan|float", ranks=(1, 2))


def test_coordinate_set_to_nan_names_the_atom(lmp: Lmp, al_model: ExportedModel) -> None:
    before_run = f"variable bad atom {NAN}\ngroup one id 7\nset group one x v_bad"
    script = al_script(lmp, f"pair_style nnp {al_model.path}", before_run=before_run)
    lmp.expect_error(script, "pair_style nnp: step 0: atom 7 has a non-finite coordinate, x = -?nan")


@pytest.mark.parametrize("value", [NAN, INFINITY])
def test_coordinate_lost_in_a_run_names_the_atom_and_the_step(lmp: Lmp, al_model: ExportedModel, value: str) -> None:
    """An infinite or NaN velocity, of which the first step makes a coordinate."""
    before_run = f"""neigh_modify delay 1000 every 1000 check no
run 0
variable bad equal {value}
group one id 7
fix integrate all nve
fix hit one addforce v_bad 0.0 0.0
"""
    script = al_script(lmp, f"pair_style nnp {al_model.path}", before_run=before_run, run="run 10")
    lmp.expect_error(script, "pair_style nnp: step [12]: atom 7 has a non-finite coordinate, x = ")


@pytest.mark.parametrize("distance", [0.0, 1e-9, 0.01])
def test_atoms_almost_on_top_of_each_other(lmp: Lmp, al_model: ExportedModel, distance: float) -> None:
    system = fcc("Al", 4.05, 2)
    system.positions[9] = system.positions[4] + [distance, 0, 0]
    system.write(lmp.folder / "data")
    script = f"units metal\nread_data data\npair_style nnp {al_model.path}\npair_coeff * * Al\n"
    lmp.expect_error(script + "run 0\n", "pair_style nnp: step 0: (atom 5 and atom 10|atom 10 and atom 5) are .* apart")


def test_special_bonds_that_hide_pairs(lmp: Lmp, al_model: ExportedModel) -> None:
    fcc("Al", 4.05, 2).write(lmp.folder / "data", molecule_style=True)
    script = f"""units metal
atom_style molecular
read_data data extra/special/per/atom 4
pair_style nnp {al_model.path}
pair_coeff * * Al
"""
    lmp.expect_error(script + "run 0\n", r"special_bonds .*special_bonds lj/coul 1 1 1")
    lmp(script + "special_bonds lj/coul 1 1 1\nrun 0\n")


def test_fix_pair_of_a_name_that_does_not_exist(lmp: Lmp, al_model: ExportedModel) -> None:
    script = al_script(
        lmp,
        f"pair_style nnp {al_model.path}",
        before_run="fix uq all pair 1 nnp uq_enrgy 1",
    )
    lmp.expect_error(script, "(?i)fix pair|uq_enrgy", ranks=(1,))


def test_fix_pair_without_trigger_stops_instead_of_giving_zeros(lmp: Lmp, al_model: ExportedModel) -> None:
    """The error is LAMMPS's own, from the rank that meets it; with several, its MPI_Abort may overtake the text."""
    script = al_script(
        lmp,
        f"pair_style nnp {al_model.path}",
        before_run="fix uq all pair 1 nnp uq_energy 0 uq_force 0",
    )
    for n_ranks in (1, 2):
        run = run_lmp(script, lmp.folder, n_ranks=n_ranks)
        assert run.returncode != 0
        if n_ranks == 1:
            assert "Fix pair cannot extract property uq_energy from pair style" in run.text


def test_the_style_still_works_after_all_this(lmp: Lmp, al_model: ExportedModel) -> None:
    run = lmp(al_script(lmp, f"pair_style nnp {al_model.path} members 3 device auto threads 1"))
    assert "3 of 3 members" in run.text


def test_relative_and_spaced_paths(lmp: Lmp, al_model: ExportedModel) -> None:
    folder = Path(lmp.folder) / "with space"
    folder.mkdir()
    (folder / "my model.pt").symlink_to(al_model.path)
    lmp(al_script(lmp, 'pair_style nnp "with space/my model.pt"'))


def test_atom_outside_every_cutoff_is_no_error(lmp: Lmp, al_model: ExportedModel) -> None:
    """A lone atom has its self-energy and no force."""
    system = fcc("Al", 60.0, 1, jiggle=0.0)
    system.write(lmp.folder / "data")
    run = lmp(
        f"""units metal
read_data data
pair_style nnp {al_model.path} precision double
pair_coeff * * Al
thermo_style custom step pe fmax press
thermo_modify line yaml
run 0
"""
    )
    assert run.last("Fmax") == 0.0
    assert np.isfinite(run.last("PotEng"))
