"""Relaxed crystals: known lattices, the published table, and structures that leave their phase."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk

from nnpal.demo.eam import eam_potential
from nnpal.evaluation import RelaxComparison, Relaxed, Structure, nnp_commands, relax, relax_table
from nnpal.geometry.phases import crystal, find_phase, shortest_distance
from nnpal.lammps.process import LmpError, run_lmp
from torchani_reference import ExportedModel

NI_NB = Path(__file__).parents[3] / "shared" / "potentials" / "NiNb.eam.fs"
AL = ["pair_style eam/fs", f'pair_coeff * * "{eam_potential()}" Al']


@pytest.mark.parametrize("start", [2.7, 3.0])
def test_aluminum(tmp_path: Path, start: float) -> None:
    """Known of this potential: lattice constant 4.05 Å, cohesive energy 3.41 eV."""
    found = relax(AL, Structure("fcc", "Al", start), tmp_path)
    assert found.converged
    assert found.kept_phase
    assert found.bond * 2**0.5 == pytest.approx(4.05, abs=0.01)
    assert found.energy == pytest.approx(-3.41, abs=0.01)
    assert found.volume == pytest.approx((found.bond * 2**0.5) ** 3 / 4, rel=1e-6)
    assert abs(found.pressure) < 1.0
    assert found.largest_force < 1e-6
    assert len(found.atoms) == 32


def test_hcp_relaxes_its_axes_apart(tmp_path: Path) -> None:
    """The free minimum lies below that of any ratio kept, and at the ratio that a scan finds."""
    free = relax(AL, Structure("hcp", "Al", 2.86), tmp_path)
    assert free.converged
    assert free.kept_phase
    x, y, z = free.atoms.cell.lengths()
    ratio = (z / 2) / (x / 3)
    assert y / x == pytest.approx(2 * 3**0.5 / 3, rel=1e-6)
    assert abs(ratio - (8 / 3) ** 0.5) > 1e-3
    assert len(free.atoms) == 48
    ratios = ratio + np.array([-0.03, 0.0, 0.03])
    kept = [relax(AL, Structure("hcp", "Al", 2.86, float(r)), tmp_path) for r in ratios]
    assert all(r.converged for r in kept)
    # in the minimum: 1e-7 eV of convergence
    assert kept[1].energy == pytest.approx(free.energy, abs=2e-7)
    assert kept[1].bond == pytest.approx(free.bond, abs=1e-3)
    assert min(kept[0].energy, kept[2].energy) > free.energy + 1e-5


PUBLISHED = {
    # Tables S6 and S7: bond (Å) and energy (eV/atom); their hcp keeps c/a = sqrt(3)
    "Ni": {"fcc": (2.49, -4.876), "bcc": (2.41, -4.833), "hcp": (2.44, -4.847)},
    "Nb": {"fcc": (3.05, -7.159), "bcc": (2.86, -7.347), "hcp": (2.94, -7.157)},
}


@pytest.mark.parametrize("element", PUBLISHED)
def test_published_table(tmp_path: Path, element: str) -> None:
    if not NI_NB.is_file():
        pytest.skip(f"needs {NI_NB}")
    commands = ["pair_style eam/fs", f'pair_coeff * * "{NI_NB}" {element}']
    for phase, (bond, energy) in PUBLISHED[element].items():
        structure = Structure(phase, element, bond, 3**0.5 if phase == "hcp" else None)
        found = relax(commands, structure, tmp_path)
        assert found.converged
        assert found.kept_phase
        # to the digits that are printed there
        assert found.bond == pytest.approx(bond, abs=0.0051)
        assert found.energy == pytest.approx(energy, abs=0.00051)
    free = relax(commands, Structure("hcp", element, bond), tmp_path)
    assert free.energy < found.energy - 0.01


def test_a_model_and_its_oracle(al_model: ExportedModel, tmp_path: Path) -> None:
    """An untrained model has minima somewhere; under itself as the oracle there is no error."""
    structures = [Structure("fcc", "Al", 2.86), Structure("hcp", "Al", 2.86)]
    (table,) = relax_table(al_model.path, nnp_commands(al_model.path, "{element}"), structures, tmp_path)
    assert table.element == "Al"
    assert table.bond_errors == table.energy_errors == [0.0, 0.0]
    assert table.right_order
    assert table.model[0].energy < -1000.0, "self-energies are in it"
    for whose in ("model", "oracle"):
        assert {path.name for path in (tmp_path / whose).iterdir()} >= {"Al-fcc.in", "Al-hcp.in", "Al-hcp.log"}
    with pytest.raises(ValueError, match="Al-fcc is listed more than once"):
        relax_table(al_model.path, [], [structures[0], structures[0]], tmp_path)


def test_a_run_repeats_by_hand(tmp_path: Path) -> None:
    relax(AL, Structure("bcc", "Al", 2.8), tmp_path)
    before = (tmp_path / "Al-bcc.relaxed").read_text()
    (tmp_path / "Al-bcc.relaxed").unlink()
    run_lmp(["-in", "Al-bcc.in", "-log", "none"], tmp_path)
    assert (tmp_path / "Al-bcc.relaxed").read_text() == before


def test_a_failed_run_says_why(tmp_path: Path) -> None:
    with pytest.raises(LmpError, match="Unrecognized pair style 'nothing'"):
        relax(["pair_style nothing"], Structure("fcc", "Al", 2.86), tmp_path)


def test_a_run_without_a_minimum_does_not_converge(tmp_path: Path) -> None:
    """Atoms that repel each other fly apart."""
    commands = ["pair_style born 6.0", "pair_coeff * * 50.0 0.5 0.0 0.0 0.0"]
    found = relax(commands, Structure("fcc", "Al", 2.86), tmp_path)
    assert not found.converged
    (note,) = RelaxComparison("Al", (found,), ()).notes()
    assert "model: Al-fcc did not converge (pressure" in note


def test_a_structure_that_leaves_its_phase(tmp_path: Path) -> None:
    """Fixed shears of the box (the Bain path) turn bcc into fcc."""
    bcc = bulk("Al", "bcc", a=3.2, cubic=True) * (3, 3, 3)
    assert find_phase(bcc) == "bcc"
    bcc.set_cell(bcc.cell[:] * [[1], [1], [2**0.5]], scale_atoms=True)
    assert find_phase(bcc) == "fcc"
    found = relax(AL, Structure("fcc", "Al", 2.86), tmp_path)
    started_as_bcc = Relaxed(**{**vars(found), "structure": Structure("bcc", "Al", 2.7)})
    table = RelaxComparison("Al", (started_as_bcc,), (found,))
    assert not started_as_bcc.kept_phase
    assert not table.trustworthy
    assert table.notes() == ["model: Al-bcc turned into fcc"]


@pytest.mark.parametrize("phase", ["fcc", "bcc", "hcp"])
def test_phases_are_told_apart(phase: str) -> None:
    atoms = crystal(phase, "Al", 2.8)
    assert find_phase(atoms) == phase
    assert shortest_distance(atoms) == pytest.approx(2.8)
    atoms.rattle(0.1, seed=1)
    assert find_phase(atoms) == phase
    atoms.positions[5] += 1.0
    assert find_phase(atoms) == "other"


def test_other_crystals() -> None:
    assert find_phase(crystal("hcp", "Ni", 2.44, 3**0.5)) == "hcp"
    assert find_phase(bulk("Si", "diamond", 5.43)) == "other"
    assert find_phase(bulk("Po", "sc", 3.35)) == "other"
    assert find_phase(bulk("Al")) == "fcc", "one atom, all neighbors its own images"


def test_refusals() -> None:
    with pytest.raises(ValueError, match="phase is 'sc', expected one of fcc, bcc, hcp"):
        crystal("sc", "Al", 2.8)
    with pytest.raises(ValueError, match="element is 'Xx'"):
        crystal("fcc", "Xx", 2.8)
    with pytest.raises(ValueError, match=r"bond is -1\.0 Å"):
        crystal("fcc", "Al", -1.0)
    with pytest.raises(ValueError, match="for hcp only"):
        crystal("fcc", "Al", 2.8, 1.6)


def placed(phase: str, bond: float, energy: float) -> Relaxed:
    return Relaxed(Structure(phase, "Ni", bond), bond, energy, 1.0, 0.0, 0.0, True, phase, crystal(phase, "Ni", bond))


def test_table_s6_by_hand() -> None:
    """The published rows: summed bond errors 0.08 and 0.03 Å, spreads 50 and 20 meV/atom, right order."""
    names = ("fcc", "bcc", "hcp")

    def row(*values: tuple[float, float]) -> tuple[Relaxed, ...]:
        return tuple(placed(name, *value) for name, value in zip(names, values, strict=True))

    eam = row((2.49, -4.876), (2.41, -4.833), (2.44, -4.847))
    full = RelaxComparison("Ni", row((2.46, -4.896), (2.45, -4.803), (2.43, -4.848)), eam)
    distilled = RelaxComparison("Ni", row((2.50, -4.875), (2.41, -4.812), (2.46, -4.835)), eam)
    assert full.summed_bond_error == pytest.approx(0.08)
    assert full.energy_error_spread == pytest.approx(50.0)
    assert distilled.summed_bond_error == pytest.approx(0.03)
    assert distilled.energy_error_spread == pytest.approx(20.0)
    assert full.right_order
    assert full.trustworthy
    assert distilled.to_json()["model_order"] == ["Ni-fcc", "Ni-hcp", "Ni-bcc"]
    wrong = RelaxComparison("Ni", row((2.49, -4.8), (2.41, -4.9), (2.44, -4.847)), eam)
    assert not wrong.right_order
