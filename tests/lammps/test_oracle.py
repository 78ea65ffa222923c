"""`nnpal.oracle:CalculatorForces` in LAMMPS: the calculator's numbers in LAMMPS's units, on any number of ranks."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from ase.calculators.emt import EMT

from lmp_runner import FULL_DIGITS, THERMO_FORMAT, Lmp, LmpRun, read_dump
from lmp_single_point import NKTV2P
from lmp_systems import System, tilted

HOOK = "fix orac all python/hook nnpal.oracle:CalculatorForces calculator"
AL_EMT = f"{HOOK} ase.calculators.emt:EMT"
XTB = f"{HOOK} tblite.ase:TBLite method GFN2-xTB verbosity 0"

EV_IN_KCAL = 23.060548  # kcal/mol

# LAMMPS, ASE and the calculator each hold double precision; only the wrapping of positions rounds differently.
SAME = {"rtol": 1e-10, "atol": 1e-9}


def script(system: System, hook: str, *, units: str = "metal", modify: str = "energy yes") -> str:
    """Return a script up to the fix, with output of everything."""
    boundary = "p p p" if system.periodic else "f f f"
    return f"""
units {units}
atom_style atomic
boundary {boundary}
read_data data
pair_style zero 5.0
pair_coeff * *
{hook}
fix_modify orac {modify}
compute p all pressure NULL fix
thermo 1
thermo_style custom step pe etotal vol f_orac f_orac[1] c_p[*]
{THERMO_FORMAT}
dump d all custom 1 all.dump id x y z fx fy fz
dump_modify d sort id format float {FULL_DIGITS}
"""


def run_zero(lmp: Lmp, system: System, hook: str, *, n_ranks: int = 1, **options: str) -> LmpRun:
    system.write(lmp.folder / "data")
    return lmp(script(system, hook, **options) + "run 0 post no\n", n_ranks=n_ranks)


def virial(run: LmpRun, units: str = "metal") -> np.ndarray:
    """Return the hook's virial, xx yy zz xy xz yz, in the script's energy unit."""
    pressure = np.array([run.last(f"c_p[{i}]") for i in range(1, 7)])
    return pressure * run.last("Volume") / NKTV2P[units]


def aluminum(tilt: bool = False) -> System:
    """32 atoms off their places; the cell of EMT's reach holds several images of each."""
    atoms = bulk("Al", cubic=True, a=4.05) * (2, 2, 2)
    atoms.rattle(0.1, seed=3)
    system = System(("Al",), np.ones(len(atoms), dtype=int), atoms.positions % 8.1, np.array(atoms.cell[:]))
    return tilted(system, 1.5, -0.8, 0.6) if tilt else system


def hydrocarbon(name: str) -> System:
    atoms = molecule(name)
    atoms.rattle(0.05, seed=4)
    types = np.where(atoms.numbers == 6, 1, 2)
    return System(("C", "H"), types, atoms.positions, 40.0 * np.eye(3), periodic=False, origin=np.full(3, -20.0))


def as_ase(system: System) -> Atoms:
    return Atoms(system.symbols, system.positions, cell=system.cell, pbc=system.periodic)


@pytest.mark.mpi
@pytest.mark.parametrize("n_ranks", [1, 2])
@pytest.mark.parametrize("tilt", [False, True])
def test_crystal_has_the_calculators_energy_forces_and_virial(lmp: Lmp, tilt: bool, n_ranks: int) -> None:
    system = aluminum(tilt)
    run = run_zero(lmp, system, AL_EMT, n_ranks=n_ranks, modify="energy yes virial yes")
    atoms = as_ase(system)
    atoms.calc = EMT()
    for column in ("PotEng", "f_orac"):
        np.testing.assert_allclose(run.last(column), atoms.get_potential_energy(), **SAME)
    np.testing.assert_allclose(run.dump("all.dump")[0].forces, atoms.get_forces(), **SAME)
    xx, yy, zz, yz, xz, xy = -atoms.get_stress() * atoms.get_volume()
    np.testing.assert_allclose(virial(run), [xx, yy, zz, xy, xz, yz], rtol=1e-9, atol=1e-8)  # nktv2p has 8 digits
    assert abs(xy) > 0.01


def test_virial_is_minus_the_derivative_by_strain(lmp: Lmp) -> None:
    """Through LAMMPS alone, so that a wrong order or sign of ASE's stress would show."""
    system, h = aluminum(tilt=True), 1e-4
    mine = virial(run_zero(lmp, system, AL_EMT, modify="energy yes virial yes"))
    for component, (i, j) in enumerate(((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2))):
        energies = []
        for sign in (1, -1):
            strain = np.eye(3)
            strain[j, i] += sign * h  # rows are vectors: x_i += h x_j keeps the cell lower triangular
            strained = System(("Al",), system.types, system.positions @ strain, system.cell @ strain)
            energies.append(run_zero(lmp, strained, AL_EMT).last("f_orac"))
        # central differences err by h² times third derivatives (some 1e3 eV): 1e-5 eV of 10 eV
        assert mine[component] == pytest.approx(-(energies[0] - energies[1]) / (2 * h), abs=2e-4)


@pytest.mark.mpi
@pytest.mark.parametrize("n_ranks", [1, 2])
@pytest.mark.parametrize("name", ["C2H6", "trans-butane"])
@pytest.mark.parametrize("units", ["metal", "real"])
def test_molecule_has_the_calculators_energy_and_forces(lmp: Lmp, units: str, name: str, n_ranks: int) -> None:
    tblite = pytest.importorskip("tblite.ase")
    system = hydrocarbon(name)
    run = run_zero(lmp, system, XTB, units=units, n_ranks=n_ranks)
    atoms = as_ase(system)
    atoms.calc = tblite.TBLite(method="GFN2-xTB", verbosity=0)
    unit = EV_IN_KCAL if units == "real" else 1.0
    # the self-consistent charges converge to some 1e-8 eV of the energy, 1e-6 eV/Å of a force
    assert run.last("PotEng") == pytest.approx(unit * atoms.get_potential_energy(), rel=1e-8)
    np.testing.assert_allclose(run.dump("all.dump")[0].forces, unit * atoms.get_forces(), rtol=1e-6, atol=1e-5)


@pytest.mark.parametrize("units", ["metal", "real"])
def test_dynamics_conserve_energy(lmp: Lmp, units: str) -> None:
    pytest.importorskip("tblite")
    hydrocarbon("C2H6").write(lmp.folder / "data")
    femtosecond, ev = {"metal": (0.001, 1.0), "real": (1.0, EV_IN_KCAL)}[units]
    drifts = []
    for dt, n_steps in ((0.4, 100), (0.2, 200)):
        run = lmp(
            script(hydrocarbon("C2H6"), XTB + " accuracy 0.01", units=units)
            + f"velocity all create 300 1 loop geom\ntimestep {dt * femtosecond}\nfix 1 all nve\nrun {n_steps}\n"
        )
        table = run.thermo[-1]
        drifts.append(np.ptp(table["TotEng"]) / ev)
        assert np.ptp(table["PotEng"]) / ev > 0.1  # eV, goes to and fro
        assert table["f_orac[1]"][-1] == n_steps + 1
    # Velocity Verlet: the error falls as dt²; wrong forces or units would leave it
    assert drifts[0] < 0.02
    assert drifts[1] < 0.35 * drifts[0]


def test_barostat_feels_the_calculators_stress(lmp: Lmp) -> None:
    system = aluminum()
    system.write(lmp.folder / "data")
    spreads = {}
    for virial_yes in ("yes", "no"):
        run = lmp(
            f"{script(system, AL_EMT, modify=f'energy yes virial {virial_yes}')}\n"
            "velocity all create 300 1 loop geom\ntimestep 0.002\nfix 1 all nph iso 0 0 0.3 pchain 0\n"
            f"thermo_style custom step pe etotal vol econserve\n{THERMO_FORMAT}\nrun 40"
        )
        table = run.thermo[-1]
        assert np.ptp(table["Volume"]) > 1.0  # Å^3
        spreads[virial_yes] = np.ptp(table["Econserve"])
    assert spreads["yes"] < 0.1 * spreads["no"]  # a barostat that does not feel the stress does work unseen


FAILING = """
from ase.calculators.lj import LennardJones

class FailsAt(LennardJones):
    \"\"\"A Lennard-Jones crystal whose self-consistent field does not converge after some calculations.\"\"\"

    def __init__(self, after, **kwargs):
        super().__init__(**kwargs)
        self.after = after
        self.count = 0

    def calculate(self, *args, **kwargs):
        self.count += 1
        if self.count > self.after:
            raise RuntimeError("SCF not converged in 250 cycles")
        super().calculate(*args, **kwargs)
"""
LJ = "sigma 2.62 epsilon 0.39 rc 6.0 smooth True"
START = "velocity all create 300 1 loop geom\nfix 1 all nve\n"


@pytest.mark.mpi
@pytest.mark.parametrize("n_ranks", [1, 2])
def test_failure_stops_all_ranks_and_its_restart_file_continues(lmp: Lmp, n_ranks: int) -> None:
    (lmp.folder / "failing.py").write_text(FAILING)
    system = aluminum()
    system.write(lmp.folder / "data")
    good = f"{HOOK} failing:FailsAt after 1000 {LJ}"
    whole = lmp(script(system, good) + START + "run 20").thermo[-1]

    bad = f"{HOOK} failing:FailsAt after 11 {LJ}"
    text = lmp.expect_error(
        script(system, bad) + START + "run 20",
        "failing:FailsAt failed at step 11: RuntimeError: SCF not converged in 250 cycles.*"
        "oracle_failed.restart holds positions and velocities at the end of step 10; continue",
        ranks=(n_ranks,),
    )
    assert "fix orac" in text
    again = lmp(
        "units metal\nread_restart oracle_failed.restart\npair_style zero 5.0\npair_coeff * *\n"
        f"fix 1 all nve\n{good}\nfix_modify orac energy yes\nthermo 1\n"
        f"thermo_style custom step pe etotal\n{THERMO_FORMAT}\nrun 10"
    ).thermo[-1]
    assert again["Step"].tolist() == list(range(11, 22))  # the step that failed gives the file its number
    for name in ("PotEng", "TotEng"):
        np.testing.assert_allclose(again[name], whole[name][10:], rtol=1e-9)
    assert np.ptp(whole["PotEng"][10:]) > 1e-3


def test_failure_at_the_first_calculation_of_a_run_keeps_what_the_script_did(lmp: Lmp) -> None:
    (lmp.folder / "failing.py").write_text(FAILING)
    aluminum().write(lmp.folder / "data")
    hook = f"{HOOK} failing:FailsAt after 3 {LJ} restart other.restart"
    lmp.expect_error(
        script(aluminum(), hook) + f"{START}run 2\ndisplace_atoms all move 0.5 0 0\nrun 1",
        "failed at step 2.*other.restart holds the atoms as they are",
        ranks=(1,),
    )
    before = read_dump(lmp.folder / "all.dump")[-1].positions
    lmp(
        "read_restart other.restart\npair_style zero 5.0\npair_coeff * *\nthermo_modify lost error\n"
        f"dump d all custom 1 moved.dump id x y z\ndump_modify d sort id format float {FULL_DIGITS}\nrun 0"
    )
    moved = read_dump(lmp.folder / "moved.dump")[0].positions - before
    moved[:, 0] -= 8.1 * np.round((moved[:, 0] - 0.5) / 8.1)  # wrapped
    np.testing.assert_allclose(moved, np.tile([0.5, 0, 0], (32, 1)), atol=1e-12)


def test_unconverged_xtb_says_so(lmp: Lmp) -> None:
    pytest.importorskip("tblite")
    hydrocarbon("C2H6").write(lmp.folder / "data")
    lmp.expect_error(
        script(hydrocarbon("C2H6"), f"{XTB} max_iterations 3") + "run 1", "SCF not converged in 3 cycles", ranks=(1,)
    )


def graphene(boundary: str, low: float, high: float, hook: str) -> str:
    """Return the script of a sheet in a box of any height."""
    return f"""
units metal
boundary {boundary}
region box prism 0 2.46 0 2.130422493309719 {low} {high} -1.23 0 0
box tilt large
create_box 1 box
create_atoms 1 single 0 0 0
create_atoms 1 single 0 1.42028166 0
mass 1 12.011
pair_style zero 5.0
pair_coeff * *
{hook}
fix_modify orac energy yes
thermo_style custom step pe
{THERMO_FORMAT}
run 0 post no
"""


def test_slabs_are_refused_where_xtb_takes_them_for_crystals(lmp: Lmp) -> None:
    pytest.importorskip("tblite")
    message = (
        "periodic in no or all three directions, but this is periodic along x and y.* vacuum that you choose along z"
    )
    lmp.expect_error(graphene("p p f", -1.2, 1.2, XTB), message, ranks=(1, 2))
    lmp(graphene("p p p", -1.2, 1.2, XTB))
    # and between runs, once the boundary is another
    lmp.expect_error(graphene("p p p", -9.0, 9.0, XTB) + "change_box all boundary p p f\nrun 0", message, ranks=(1,))


def test_no_height_of_the_box_reaches_the_calculator(lmp: Lmp) -> None:
    """The energy is the one that the calculator sees: the height, the corner and the volume of the cell."""
    (lmp.folder / "seeing.py").write_text(
        "import numpy as np\nfrom ase.calculators.emt import EMT\nclass Seeing(EMT):\n"
        "    def calculate(self, *args, **kwargs):\n"
        "        super().calculate(*args, **kwargs)\n"
        "        seen = np.abs(self.atoms.cell.array).sum() + 10 * self.atoms.positions[:, 2].sum()\n"
        "        self.results['energy'] = self.results['free_energy'] = seen\n"
    )
    hook = f"{HOOK} seeing:Seeing"
    for low in (1.5, 20.0):
        seen = lmp(graphene("p p f", -low, 8.0, hook)).last("PotEng")
        assert seen == pytest.approx(2.46 + 1.23 + 2.130422493309719, abs=1e-12)


def test_charge_and_spin_of_xtb(lmp: Lmp) -> None:
    """As options; a triplet without spin polarization brings a warning, a calculator that knows no charge an error."""
    tblite = pytest.importorskip("tblite.ase")
    ethane = hydrocarbon("C2H6")
    atoms = as_ase(ethane)
    atoms.calc = tblite.TBLite(method="GFN2-xTB", charge=1, multiplicity=4, verbosity=0)
    run = run_zero(lmp, ethane, f"{XTB} charge 1 multiplicity 4")
    np.testing.assert_allclose(run.last("PotEng"), atoms.get_potential_energy(), **SAME)
    warning = "WARNING: fix orac: multiplicity 4 of tblite without spin_polarization"
    assert warning in run.text
    assert warning not in run_zero(lmp, ethane, f"{XTB} charge 1 multiplicity 4 spin_polarization 1.0").text
    lmp.expect_error(script(ethane, f"{AL_EMT} charge 1") + "run 0", "EMT does not support charge or spin", ranks=(1,))


MISTAKES = {
    "unknown module": (f"{HOOK} nowhere:EMT", "module nowhere cannot be imported"),
    "unknown class": (f"{HOOK} ase.calculators.emt:ETM", "did you mean EMT"),
    "no calculator": (HOOK.removesuffix(" calculator"), "missing option calculator"),
    "misspelled option": (f"{HOOK} ase.calculators.lj:LennardJones sigm 2", "did you mean sigma"),
    "not all atoms": (f"group some id 1:5\n{AL_EMT.replace('all', 'some')}", "group some has 5 of 32 atoms"),
    "wrong number of elements": (f"{AL_EMT} elements Al Ni", "found 2, expected one for each of 1 types"),
    "no element": (f"mass 1 25.5\n{AL_EMT}", "mass 25.5 of atom type 1 is within 0.1 g/mol of no element"),
    "restart file of another kind": (
        f"{AL_EMT} restart data",
        "option restart: data exists and is not a restart file of LAMMPS; it is left unchanged",
    ),
    "restart file in no folder": (f"{AL_EMT} restart none/r", "option restart: there is no folder none for none/r"),
    "element the calculator lacks": (f"{AL_EMT} elements Fe", "No EMT-potential for Fe"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistake_is_named(lmp: Lmp, name: str) -> None:
    hook, message = MISTAKES[name]
    aluminum().write(lmp.folder / "data")
    lmp.expect_error(script(aluminum(), hook) + "run 0", message, ranks=(1, 2) if name == "unknown module" else (1,))


def test_results_of_another_shape_end_the_run(lmp: Lmp) -> None:
    """Without a traceback; the restart file's name may have spaces."""
    (lmp.folder / "flat.py").write_text(
        "from ase.calculators.emt import EMT\nclass Flat(EMT):\n    def calculate(self, *rest, **named):\n"
        "        super().calculate(*rest, **named)\n        self.results['forces'] = self.results['forces'][:, :2]\n"
    )
    system = aluminum()
    system.write(lmp.folder / "data")
    message = r"flat:Flat failed at step 0: forces have shape \(32, 2\), expected shape \(32, 3\): x y z of each atom"
    hook = f"{HOOK} flat:Flat restart 'a failed.restart'"
    lmp.expect_error(script(system, hook) + "run 0", message, ranks=(1,), env={"PYTHONPATH": str(lmp.folder)})
    assert (lmp.folder / "a failed.restart").read_bytes().startswith(b"LammpS RestartT")


def test_stress_is_needed_where_the_box_changes(lmp: Lmp) -> None:
    (lmp.folder / "nostress.py").write_text(
        "from ase.calculators.emt import EMT\nclass NoStress(EMT):\n    implemented_properties = ['energy', 'forces']\n"
    )
    system = aluminum()
    system.write(lmp.folder / "data")
    hook = f"{HOOK} nostress:NoStress"
    lmp.expect_error(
        script(system, hook) + "fix 1 all nph iso 0 0 1\nrun 1", "needs the calculator's stress", ranks=(1,)
    )
    lmp.expect_error(
        script(system, hook, modify="energy yes virial yes") + "run 1", "virial yes needs the calculator's", ranks=(1,)
    )
    lmp(script(system, hook) + "fix 1 all nve\nrun 1")
    ethane = hydrocarbon("C2H6")
    ethane.write(lmp.folder / "data")
    lmp.expect_error(
        script(ethane, AL_EMT, modify="energy yes virial yes") + "run 1", "box is not periodic", ranks=(1,)
    )


@pytest.mark.parametrize("boundary", ["m", "s"])
def test_shrink_wrapping_is_no_strain(lmp: Lmp, boundary: str) -> None:
    """Walls that follow the atoms of a slab ask for no stress, and have no part in energy and forces."""
    system = aluminum()
    system.write(lmp.folder / "data")
    fixed, wrapped = (
        lmp(script(system, AL_EMT).replace("boundary p p p", f"boundary p p {last}") + "fix 1 all nve\nrun 2")
        for last in ("f", boundary)
    )
    found, expected = (run.thermo[-1]["PotEng"] for run in (wrapped, fixed))
    assert len(found) == 3
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_other_units_are_refused(lmp: Lmp) -> None:
    aluminum().write(lmp.folder / "data")
    lmp.expect_error(script(aluminum(), AL_EMT, units="lj") + "run 0", "units lj: expected metal or real", ranks=(1,))


def test_options_in_a_table(lmp: Lmp) -> None:
    """Quoted JSON arrives whole, spaces and braces included: the same numbers as from single words."""
    lennard_jones = f"{HOOK} ase.calculators.lj:LennardJones"
    words = run_zero(lmp, aluminum(), f"{lennard_jones} sigma 2.5 rc 6.0 smooth True")
    hook = lennard_jones + """ table '{"options": {"sigma": 2.5, "rc": 6.0, "smooth": true}}' elements Al"""
    table = run_zero(lmp, aluminum(), hook)
    assert table.last("PotEng") == words.last("PotEng") != 0.0
    lmp.expect_error(
        script(aluminum(), f"""{lennard_jones} table '{{"sigma": 2.5}}'""") + "run 0\n",
        "expected the tables options and profile",
        ranks=(1,),
    )
