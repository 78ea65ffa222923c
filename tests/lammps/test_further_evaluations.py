"""Commands that evaluate the pair style again within a step leave what is printed for the step as it was."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from lmp_runner import FULL_DIGITS, THERMO_FORMAT, Lmp
from lmp_single_point import header
from lmp_systems import fcc
from torchani_reference import ExportedModel

Observed = tuple[dict[str, np.ndarray], list[dict[str, np.ndarray]]]
VALUES = (
    "PotEng",
    "c_p[1]",
    "c_p[4]",
    "c_uq",
    *(f"c_uq[{k}]" for k in range(1, 5)),
    "c_sums[1]",
    "c_sums[2]",
    "c_sums[3]",
)

# Numerical derivatives and perturbations, by fixes after the forces and by computes at the end of the step
COMMANDS = {
    "numdiff": "fix x all numdiff 1 1e-4\n",
    "numdiff/virial": "fix x all numdiff/virial 1 1e-4\n",
    "born/matrix": "compute x all born/matrix numdiff 1e-2 p\nfix x all ave/time 1 1 1 c_x[1]\n",
    "fep/ta": "compute x all fep/ta 300 xy 1.05\nfix x all ave/time 1 1 1 c_x[1]\n",
}


def observed(lmp: Lmp, model: ExportedModel, command: str) -> Observed:
    """Run two steps, and a run of none at their end; return thermo's columns and the dumped atoms'."""
    system = fcc("Al", 4.05, 1)
    system.write(lmp.folder / "data")
    run = lmp(
        header(model, system, before_box="atom_modify map yes")
        + f"""velocity all create 800 4711
fix uq all pair 1 nnp uq_energy 1 uq_force 1
compute uq all pair nnp
compute p all pressure NULL virial
compute e all pe/atom
compute s all stress/atom NULL virial
fix n all nve
{command}
compute sums all reduce sum f_uq[1] f_uq[2] c_e
thermo 1
thermo_style custom step pe {"c_x[1]" if "compute x" in command else ""} c_p[1] c_p[4] c_uq c_uq[*] c_sums[*]
{THERMO_FORMAT}
dump d all custom 1 all.dump id x fx fy fz f_uq[*] c_e c_s[*]
dump_modify d sort id format float {FULL_DIGITS}
run 2 post no
run 0 post no
"""
    )
    rows = {name: np.concatenate([table[name] for table in run.thermo]) for name in VALUES}
    return rows, [frame.columns for frame in run.dump("all.dump")]


@pytest.fixture(scope="module")
def alone(lmp_in: Callable[[Path], Lmp], tmp_path_factory: pytest.TempPathFactory, al_model: ExportedModel) -> Observed:
    """The same steps without any further evaluation."""
    return observed(lmp_in(tmp_path_factory.mktemp("alone")), al_model, "")


@pytest.mark.parametrize("command", COMMANDS)
def test_values_of_the_step_stay(lmp: Lmp, al_model: ExportedModel, alone: Observed, command: str) -> None:
    """A strain of 1e-2 or 5 % would show; compute pair's vector was nan after born/matrix, perturbed after fep/ta."""
    values_alone, atoms_alone = alone
    beside, atoms_beside = observed(lmp, al_model, COMMANDS[command])
    for name, values in values_alone.items():
        assert np.isfinite(values).all()
        np.testing.assert_allclose(beside[name], values, rtol=1e-9, atol=1e-8, err_msg=name)
    for one, two in zip(atoms_beside, atoms_alone, strict=True):
        for name, values in two.items():
            np.testing.assert_allclose(one[name], values, rtol=1e-9, atol=1e-7, err_msg=name)


def test_dynamical_matrix_leaves_the_step_as_it_was(lmp: Lmp, al_model: ExportedModel) -> None:
    """A compute that is first read after it shows the configuration that was evaluated before."""
    system = fcc("Al", 4.05, 1)
    system.write(lmp.folder / "data")
    run = lmp(
        header(al_model, system, before_box="atom_modify map yes")
        + f"""compute uq all pair nnp
compute later all pair nnp
fix uq all pair 1 nnp uq_energy 1 uq_force 1
thermo_style custom step pe c_uq[*]
{THERMO_FORMAT}
run 0
dynamical_matrix all eskm 1e-2 file matrix.dat
print "AFTER $(pe:%.12g) $(c_later[1]:%.12g) $(c_later[2]:%.12g) $(c_later[3]:%.12g) $(c_later[4]:%.12g)"
"""
    )
    after = next(line for line in run.text.splitlines() if line.startswith("AFTER")).split()[1:]
    before = [run.last(name) for name in ("PotEng", *(f"c_uq[{k}]" for k in range(1, 5)))]
    np.testing.assert_allclose(np.array(after, float), before, rtol=1e-11)
