"""The commands of README and docs run, on small files."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import pytest

from doc_blocks import ROOT, Block, blocks, commands_of
from doc_pages import EXAMPLES, SET_UP
from nnpal_commands import command_named, run_line, unknown_options

INSTALLS = "installs into an environment; CI does it by make"
BUILDS = "builds against a LAMMPS or a CUDA of one's own, or installs what was built"
HOURS = "hours; run with --check below"
LOOPS = "run on a short loop by tests/loops/test_docs_of_loops.py"
# What is not run here. (page, regular expression that the whole command matches): why
NOT_RUN = {
    ("*", r"git clone .*|cd nnpal|make .*"): INSTALLS,
    ("*", r"pip install .*|pip wheel .*|python -m venv .*"): INSTALLS,
    ("install.md", r"cmake .*|CUDACXX=.*|export LAMMPS_PLUGIN_PATH=.*"): BUILDS,
    ("install.md", r"mkdir .*|ln -s .*|export LD_LIBRARY_PATH=.*"): "tests/own_lammps/conftest.py does it",
    ("CONTRIBUTING.md", r"python -m pytest.*"): "the tests themselves",
    ("CONTRIBUTING.md", r"nnpal demo .*|cp demo-output/.*"): "minutes; tests/demo/test_demo.py runs the demo",
    ("CONTRIBUTING.md", r"python benchmarks/performance_page.py"): "tests/docs/test_performance_page.py runs it",
    ("*", r"nnpal doctor( --json)?"): "tests/doctor/test_doctor.py runs it",
    (
        "results_rare_events.md",
        r"cd docs/examples/results|nnpal run .*|python rare_events_tables\.py .*",
    ): "hours; the configurations are run with --check below, the script by tests/loops/test_rare_events.py",
    (
        "results_labels.md",
        r"cd docs/examples/results|nnpal run .*|python labels\.py",
    ): "hours; the configurations are run with --check below, the script by tests/docs/test_results_examples.py",
    (
        "results_melting.md",
        r"cd docs/examples/results|export .*|lmp .*|nnpal momt .*",
    ): "minutes to hours; tests/docs/test_results_examples.py runs the input files in short",
    ("results_distillation.md", r"cd docs/examples/results|nnpal .*|python .*"): HOURS,
    ("start.md", r"nnpal run .*"): HOURS,
    ("tutorial_first_principles.md", r"nnpal run .*"): "minutes; run with --check below",
    ("momt.md", r"mpirun .*"): "tests/lammps/test_input_scripts_momt.py runs walkers",
    (
        "momt.md",
        r"nnpal momt report .*|nnpal momt finite-size .*",
    ): "tests/momt/test_momt_report.py and tests/momt/test_finite_size.py run them",
    (
        "smd.md",
        r"nnpal export .*|nnpal smd report .* --member .*|nnpal smd report .* --model .*",
    ): "tests/smd/test_smd_members.py runs it",
    ("smd.md", r"nnpal smd report .* --against .*"): "tests/smd/test_smd_against.py runs it",
    ("custom_modules.md", r"nnpal .*"): "tests/lammps/test_custom_modules.py runs it",
    (
        "compiled_models.md",
        r"nnpal compile .*",
    ): "minutes of a C++ compiler; tests/model/test_compiled_files.py runs it",
    ("cluster.md", r"python -m nnpal.active_learning.engine.task .*"): LOOPS,
    ("loop.md", r"nnpal .*"): LOOPS,
    ("tutorial_rare_events.md", r"nnpal .*|python -m nnpal.*|cp .*|cd .*|lmp .*"): LOOPS,
    ("tutorial_distillation.md", r"nnpal .*|cp .*|cd .*|lmp .*"): LOOPS,
    ("torchani_models.md", r"TORCHANI_DATA_DIR=.*|cp .*"): "fetches published weights",
    ("torchani_models.md", r"lmp .*"): "tests/lammps/test_input_scripts_water.py runs it",
    ("tutorial_fine_tuning.md", r"nnpal .*|python .*"): "tests/training/test_tutorial_fine_tuning.py runs it, in short",
}
EVERY = [(block, command) for block in blocks("sh") for command in commands_of(block)]


def reason(block: Block, command: str) -> str | None:
    """Return why a command is not run here."""
    found = (why for (page, form), why in NOT_RUN.items() if page in ("*", block.page) and re.fullmatch(form, command))
    return next(found, None)


def test_every_reason_has_its_command():
    for page, form in NOT_RUN:
        for one in form.split("|"):
            assert any(page in ("*", b.page) and re.fullmatch(one, c) for b, c in EVERY), f"{page}: {one}: gone"


def test_every_test_that_a_reason_names_is_there():
    for why in NOT_RUN.values():
        for path in re.findall(r"tests/\S+\.py", why):
            assert (ROOT / path).is_file()


@pytest.mark.parametrize(("block", "command"), EVERY, ids=lambda one: str(one))
def test_command_exists_and_takes_these_words(block: Block, command: str):
    """Of nnpal, whether it is run here or not: click reads the line; of Python, that module or file is there."""
    words = shlex.split(command.partition(" > ")[0])
    if words[0] == "nnpal":
        assert unknown_options(command) == []
        found, rest = command_named(words[1:])
        found.make_context("nnpal", rest)
    elif words[:2] == ["python", "-m"] and words[2].startswith("nnpal"):
        assert (ROOT / "python" / (words[2].replace(".", "/") + ".py")).is_file()
    elif words[0] == "python" and words[1].endswith(".py"):
        assert (ROOT / words[1]).is_file() or list(EXAMPLES.rglob(words[1]))
    else:
        assert (
            words[0] in ("git", "cd", "make", "pip", "python", "cp", "cmake", "export", "mkdir", "ln", "mpirun", "lmp")
            or "=" in (words[0])
        ), "say here how to run it"


RUN = [block for block in blocks("sh") if any(reason(block, command) is None for command in commands_of(block))]


SLOW = ("training.md",)  # what start.md runs by default, on other files


@pytest.mark.parametrize(
    "block", [pytest.param(b, id=str(b), marks=[pytest.mark.slow] if b.page in SLOW else []) for b in RUN]
)
def test_commands_of_the_block_run(block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    SET_UP.get(block.page, lambda folder: None)(tmp_path)
    monkeypatch.chdir(tmp_path)
    for command in commands_of(block):
        if reason(block, command) is None:
            run_line(command)


# Potentials that LAMMPS does not bring, or runs that must have been made before
NINB = "NiNb.eam.fs"
NEEDS_MORE = {
    **{f"results/{name}.toml": NINB for name in ("distill_ni", "distill_ni_grid", "distill_ni32", "translate_nb")},
    **{f"results/cross_{name}.toml": NINB for name in ("crystal", "liquid", "momt")},
    "translate.toml": "the run of distill.toml",
}
FOLDERS = {"results": "results/", "tutorial_first_principles": "first_principles/"}
"""Of the examples of pages whose names begin so."""
CHECKED = sorted(
    {
        name
        for block, command in EVERY
        for file in re.findall(r"^nnpal run (\S+\.toml)$", command)
        if (name := "".join(folder for page, folder in FOLDERS.items() if block.page.startswith(page)) + file)
        not in NEEDS_MORE
    }
)


@pytest.mark.parametrize("name", CHECKED)
def test_long_runs_pass_their_checks(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The short form of a run of hours: everything that is checked before its first stage, and its plan."""
    if name.startswith("first_principles/"):
        pytest.importorskip("pyscf")
    shutil.copytree(EXAMPLES, tmp_path / "examples")
    monkeypatch.chdir((tmp_path / "examples" / name).parent)
    assert "All checks passed" in run_line(f"nnpal run {Path(name).name} --check")
