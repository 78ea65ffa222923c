"""The LAMMPS commands of README and docs run for a few steps in the real `lmp`, in scripts that complete them."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from doc_blocks import ROOT, Block, blocks
from ensembles import charged_ensemble, one_element_ensemble, organic_ensemble
from lmp_runner import run_lmp
from nnpal.calibration import Calibration, EnergyRecipe, ForceRecipe
from nnpal.demo.eam import eam_potential
from nnpal.model import export_ensemble, write_calibrated

# Blocks that other tests run. (page, how the block begins): which
ELSEWHERE = {
    ("custom_modules.md", "units        metal"): "tests/lammps/test_custom_modules.py",
    ("mace.md", "pair_style nnp"): "tests/model/test_mace.py",
    ("hooks.md", "# Its state"): "tests/lammps/test_input_scripts_hooks.py",
    ("hooks.md", "python wall_force here"): "tests/lammps/test_invoke.py",
    ("tutorial_rare_events.md", "units        metal"): "tests/loops/test_docs_of_loops.py",
}


def crystal(n: int, a: float = 4.05, mass: float = 26.982) -> str:
    """Return n³ fcc cells, shaken; aluminum where nothing else is said."""
    return f"""units metal
atom_modify map array
lattice fcc {a}
region box block 0 {n} 0 {n} 0 {n}
create_box 1 box
create_atoms 1 box
mass 1 {mass}
displace_atoms all random 0.05 0.05 0.05 4711 units box
velocity all create 600 4711 loop geom
"""


EAM = f"pair_style eam/fs\npair_coeff * * {eam_potential()} Al\n"
# 32 atoms, of which the range of enthalpies in README and docs/momt.md is
NICKEL = crystal(2, 3.52, 58.693) + f"pair_style eam/fs\npair_coeff * * {eam_potential('NiAlH_jea.eam.fs')} Ni\n"
HOT = "displace_atoms all random 0.2 0.2 0.2 12 units box\n"  # for a grid that begins above the crystal at rest
ZERO = "pair_style zero 5.0\npair_coeff * *\n"
NNP = "pair_style nnp al.nnp.pt\npair_coeff * * Al\n"
NVE = "fix nve all nve\n"
GROUPS = "group left id 1:4\ngroup right id 15:20\ngroup tip id 30:40\n"
# n-butane, from in.smd_butane
_SCRIPT = (ROOT / "lammps_inputs" / "in.smd_butane").read_text()
_ATOMS = re.search(r"^region .*?^create_atoms 2 single[^\n]*\n(?=\n)", _SCRIPT, re.M | re.S)
assert _ATOMS is not None
ATOMS = _ATOMS[0]
MOLECULE = f"units metal\nboundary f f f\natom_modify map array\ntimestep 0.00025\n{ATOMS}"
# (page, how the part begins): commands before it
BEFORE = {
    ("README.md", "units        metal"): "",
    ("start.md", "fix momt"): NICKEL + NVE,
    ("start.md", "fix pull"): crystal(2) + EAM + NVE,
    ("start.md", "fix orac"): MOLECULE + ZERO + NVE,
    ("start.md", "fix mine"): crystal(2) + EAM + NVE,
    ("hooks.md", "fix momt"): NICKEL + NVE,
    ("hooks.md", "fix pull"): crystal(2) + EAM + NVE,
    ("hooks.md", "fix wall"): crystal(7) + EAM + NVE,
    ("momt.md", "fix npt"): NICKEL,
    ("momt.md", "fix momt"): crystal(3) + EAM + NVE,
    ("momt.md", "fix momt all python/hook nnpal.momt:MOMT temp 900 press 1 V"): crystal(3) + HOT + EAM + NVE,
    ("oracle.md", "units metal"): MOLECULE,
    (
        "oracle.md",
        "fix orac all python/hook nnpal.oracle:CalculatorForces calculator ase.calculators.lj",
    ): crystal(2) + ZERO + NVE,
    ("oracle.md", "fix orac all python/hook nnpal.oracle:CalculatorForces calculator tblite"): MOLECULE + ZERO + NVE,
    ("oracle.md", "fix orac all python/hook nnpal.oracle:CalculatorForces calculator ase"): (crystal(2) + ZERO + NVE),
    ("oracle.md", "read_restart"): "",
    ("pair_nnp.md", "pair_style nnp al"): crystal(2) + NVE,
    ("pair_nnp.md", "pair_style nnp organic"): MOLECULE.replace("create_box   2 box", "create_box   4 box") + NVE,
    ("pair_nnp.md", "pair_style hybrid/overlay"): crystal(2) + NVE,
    ("pair_nnp.md", "fix uq"): crystal(2) + NNP + NVE,
    ("pair_nnp.md", "fix err"): crystal(2) + NNP + NVE,
    ("pair_nnp.md", "fix f"): crystal(2) + NNP + NVE,
    ("pair_nnp.md", "compute c"): crystal(2) + NNP + NVE,
    ("pair_nnp.md", "fix q"): MOLECULE + "pair_style nnp animbis.nnp.pt\npair_coeff * * C H\n" + NVE,
    ("pair_nnp.md", "variable worst"): (
        crystal(2) + NNP + NVE + "compute c all pair nnp\nfix uq all pair 50 nnp uq_energy 1 uq_force 1\n"
    ),
    ("pair_nnp.md", "units real"): "",
    ("smd.md", "fix pull"): crystal(3) + EAM + GROUPS + NVE,
    ("tutorial_distillation.md", "pair_style   nnp run/model"): crystal(2),
    ("torchani_models.md", "pair_style nnp animbis"): MOLECULE + NVE,
    ("uncertainty.md", "compute uq"): crystal(2) + NNP + NVE,
}
# What a part of a script leaves to the reader. (page, beginning): (printed, written here)
CHANGES = {
    ("oracle.md", "units metal"): [("units metal\nboundary f f f\n...\n", "")],
    ("oracle.md", "read_restart"): [("read_restart oracle_failed.restart\n", MOLECULE), ("timestep 0.0001", NVE)],
    ("pair_nnp.md", "pair_style nnp organic"): [
        ("device cuda", "device cpu"),
        ("pair_coeff * * C H O N", "mass 3 15.999\nmass 4 14.007\npair_coeff * * C H O N"),
    ],
    ("pair_nnp.md", "units real"): [
        ("units real\n", MOLECULE.replace("units metal", "units real").replace("timestep 0.00025", "timestep 0.25")),
        ("self_energies no\n", "self_energies no\npair_coeff * * C H\n"),
        ("5000 20000", "3 3"),
    ],
}


def parts_of(block: Block) -> list[str]:
    """Return what stands alone in a block: paragraphs; of hooks in a list each, with the fix_modify that follows."""
    found = []
    for paragraph in re.split(r"\n\s*\n", block.text.strip()):
        bare = re.sub(r"&\n\s*", "", paragraph)
        hooks = re.findall(r"^fix\s+(\w+) all python/hook ", bare, re.M)
        if len(hooks) > 1:
            found += re.split(r"\n(?=fix\s+\w+ all python/hook )", bare)
        elif block.opening.startswith("fix uq"):  # two forms of one fix
            found += bare.splitlines()
        else:
            found.append(bare)
    return found


PARTS = [
    (block, part)
    for block in blocks("lammps")
    if not any(block.page == page and block.text.startswith(start) for page, start in ELSEWHERE)
    for part in parts_of(block)
]
PAGES = sorted({block.page for block, _ in PARTS})


def key_of(block: Block, part: str) -> tuple[str, str]:
    """Return what completes the part: the longest beginning that fits."""
    fits = [key for key in BEFORE if key[0] == block.page and part.startswith(key[1])]
    assert fits, f"{block}: nothing in BEFORE completes {part!r}; add it, or name the test that runs it in ELSEWHERE"
    return max(fits, key=lambda key: len(key[1]))


def script_of(block: Block, part: str) -> str:
    """Complete a part, and end it after a few steps."""
    key = key_of(block, part)
    for printed, written in CHANGES.get(key, ()):
        assert printed in part, f"{block}: {printed!r}: gone"
        part = part.replace(printed, written)
    part = re.sub(r"\brun(\s+)\d{2,}", r"run\g<1>2", part)
    runs = re.search(r"^(run|minimize)\b", part, re.M)
    return BEFORE[key] + part + ("\n" if runs else "\nrun 2\n")


def test_what_is_named_is_there():
    used = {key_of(block, part) for block, part in PARTS}
    assert set(BEFORE) - used == set()
    for (page, start), path in ELSEWHERE.items():
        assert any(block.text.startswith(start) for block in blocks("lammps", page)), f"{page}: {start}: gone"
        assert page in (ROOT / path).read_text(), f"{path} does not read {page}"


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    al = export_ensemble(one_element_ensemble("Al", 3), folder / "al.nnp.pt")
    write_calibrated(al, Calibration(ForceRecipe((0.1,), (0.3,), (0.7,)), EnergyRecipe(2.0, 1.0, 1e3)))
    export_ensemble(organic_ensemble(("H", "C", "N", "O"), 2), folder / "organic.nnp.pt")
    export_ensemble(charged_ensemble(("H", "C"), 2), folder / "animbis.nnp.pt")
    return folder


MY_MODULE = """
class MyHook:
    reads = ()

    def __init__(self, context, any_option: int):
        assert any_option == 3

    def post_force(self, context):
        pass


class Pull:
    reads = ()

    def __init__(self, context, k: float, atoms: tuple[int, int], file: str | None = None):
        assert atoms == (1, 4)

    def post_force(self, context):
        pass
"""


@pytest.mark.parametrize("page", PAGES)
def test_lammps_commands_of_the_page_run(page: str, tmp_path: Path, models: Path):
    """One after the other in one process, each in a LAMMPS that was cleared."""
    for model in models.glob("*.pt"):
        (tmp_path / model.name).symlink_to(model)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "model.nnp.pt").symlink_to(models / "al.nnp.pt")
    (tmp_path / "my_module.py").write_text(MY_MODULE)
    shutil.copy(ROOT / "lammps_inputs" / "hook_example.py", tmp_path)
    scripts = []
    for block, part in PARTS:
        if block.page == page:
            name = f"{block.line}-{len(scripts)}"
            # files of one part are no leftovers for the next
            shell = f'shell mkdir {name}\nclear\nprint """*** {block}: {part.splitlines()[0]}"""\n'
            scripts.append(shell + script_of(block, part).replace(" momt.h5", f" {name}/momt.h5"))
    run = run_lmp("\n".join(scripts), tmp_path)
    assert run.returncode == 0, run.text[-3000:]
    assert run.text.count("Loop time of") + run.text.count("run 0") >= len(scripts)
