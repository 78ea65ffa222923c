"""A compiled library stands in keys for what it was built from: a rebuild is none, another source is one."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from nnpal.active_learning.engine.imports import imported_files
from nnpal.active_learning.engine.libraries import MARK, library_hash
from nnpal.runtime.json_files import file_hash

CMAKE = Path(__file__).parents[3] / "cmake"
PROJECT = """cmake_minimum_required(VERSION 3.18)
project(parcel LANGUAGES CXX)
list(APPEND CMAKE_MODULE_PATH ${CMAKE_CURRENT_SOURCE_DIR}/cmake)
include(MarkSources)
add_library(parcel SHARED src/parcel.cpp)
target_compile_options(parcel PRIVATE -g)
target_compile_definitions(parcel PRIVATE PLACE="${CMAKE_BINARY_DIR}")
nnpal_mark_sources(parcel)
"""
SOURCE = 'extern "C" const char *place() { return PLACE; }\n'


@pytest.fixture
def project(tmp_path):
    if shutil.which("cmake") is None:
        pytest.skip("needs cmake, to build a library")
    for name, text in {"CMakeLists.txt": PROJECT, "src/parcel.cpp": SOURCE}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "cmake").mkdir()
    for name in ("MarkSources.cmake", "hash_sources.cmake"):
        shutil.copy(CMAKE / name, tmp_path / "cmake")
    return tmp_path


def build(project, folder, *settings):
    """Build it in a folder of its own, and return the library."""
    for command in (
        ["cmake", "-S", project, "-B", project / folder, *settings],
        ["cmake", "--build", project / folder],
    ):
        done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr
    return next((project / folder).glob("libparcel.*"))


def test_a_rebuild_keeps_the_hash_and_another_source_or_setting_does_not(project):
    one, other = build(project, "one"), build(project, "other")
    assert file_hash(one) != file_hash(other)  # they hold the folders that they were built in
    assert library_hash(one) == library_hash(other)
    known = {library_hash(one)}
    (project / "src/parcel.cpp").write_text(SOURCE + 'extern "C" int more() { return 1; }\n')
    assert library_hash(one) in known  # not built yet: it runs as before
    known.add(library_hash(build(project, "one")))
    (project / "src/unused.h").write_text("// a header that some source may take\n")
    known.add(library_hash(build(project, "one", "-DCMAKE_CXX_FLAGS=-O1")))
    before = one.stat().st_mtime_ns
    known.add(library_hash(build(project, "one")))
    assert one.stat().st_mtime_ns == before  # nothing was compiled where nothing changed
    known.add(library_hash(build(project, "one", "-DCMAKE_CXX_FLAGS=-O2")))
    assert len(known) == 4


def test_all_compiled_libraries_say_what_they_were_built_from():
    libraries = {name: path for name, path in imported_files(["nnpal.model.ops"]).items() if path.suffix != ".py"}
    assert {Path(name).name.partition(".")[0] for name in libraries} >= {
        "libnnpal_core",
        "libnnpal_ops",
        "libnnpal_pair",
        "_momt",
    }
    for path in libraries.values():
        assert len(MARK.findall(path.read_bytes())) == 1, path
    assert len({library_hash(path) for path in libraries.values()}) == 1


def test_a_library_that_does_not_say_so_stands_for_its_bytes(tmp_path):
    path = tmp_path / "libx.so"
    for content in (b"", b"machine code", b"NNPAL_SOURCES=" + 64 * b"a" + b"\0NNPAL_SOURCES=" + 64 * b"b" + b"\0"):
        path.write_bytes(content)
        assert library_hash(path) == file_hash(path)
