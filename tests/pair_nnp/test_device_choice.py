"""Which device `pair_style nnp` takes, and when it does without LAMMPS's list: settings.cpp alone, without a GPU."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from pathlib import Path

import pytest

from processes import run

SOURCES = Path(__file__).parents[2] / "src" / "pair_nnp"
# Answers, or the complaint after "!"
BRIDGE = """
#include "settings.h"
#include <cstring>
#include <stdexcept>
template <class Choose> void say(char *to, const Choose &choose)
{
  std::string text;
  try {
    text = choose();
  } catch (const std::invalid_argument &complaint) {
    text = std::string("!") + complaint.what();
  }
  std::strcpy(to, text.c_str());
}
extern "C" void device(char *to, const char *asked, int n_gpus, int can_run_model, int rank)
{
  say(to, [&] { return nnpal::resolve_device(asked, {n_gpus, can_run_model != 0}, rank); });
}
extern "C" void neighbors(char *to, const char *asked, int on_gpu, int run_there, const char *taker)
{
  say(to, [&] { return nnpal::model_finds_neighbors(asked, on_gpu, run_there, taker) ? "cells" : "list"; });
}
"""
Choose = Callable[..., str]


@pytest.fixture(scope="module")
def choose(tmp_path_factory: pytest.TempPathFactory) -> Choose:
    folder = tmp_path_factory.mktemp("device_choice")
    (folder / "bridge.cpp").write_text(BRIDGE)
    library = folder / "choice.so"
    files = [str(folder / "bridge.cpp"), str(SOURCES / "settings.cpp")]
    done = run(["c++", "-std=c++20", "-shared", "-fPIC", f"-I{SOURCES}", *files, "-o", str(library)])
    assert done.returncode == 0, done.stderr
    loaded = ctypes.CDLL(str(library))

    def ask(what: str, *arguments: str | int) -> str:
        answer = ctypes.create_string_buffer(1000)
        getattr(loaded, what)(answer, *(one.encode() if isinstance(one, str) else one for one in arguments))
        return answer.value.decode()

    return ask


CAN, CANNOT = 1, 0


@pytest.mark.parametrize(
    ("asked", "n_gpus", "can_run_model", "rank", "expected"),
    [
        ("auto", 0, CAN, 0, "cpu"),
        ("auto", 2, CAN, 3, "cuda:1"),
        ("auto", 2, CANNOT, 0, "cpu"),
        ("cpu", 2, CAN, 0, "cpu"),
        ("cuda", 2, CAN, 2, "cuda:0"),
        ("cuda:1", 2, CAN, 0, "cuda:1"),
        ("cuda:2", 2, CAN, 0, "!device is 'cuda:2', but this node has 2 CUDA device(s)"),
        ("cuda", 0, CANNOT, 0, "!device is 'cuda', but this libtorch finds no CUDA device"),
        ("cuda", 2, CANNOT, 0, "!device is 'cuda', but its kernel is 'fused' and nnpal was built for CPUs only"),
    ],
)
def test_device(choose: Choose, asked: str, n_gpus: int, can_run_model: int, rank: int, expected: str) -> None:
    assert choose("device", asked, n_gpus, can_run_model, rank)[: len(expected)] == expected


@pytest.mark.parametrize(
    ("asked", "on_gpu", "run_there", "taker", "expected"),
    [
        ("auto", 0, 1, "", "list"),
        ("auto", 1, 1, "", "cells"),
        ("auto", 1, 0, "", "list"),
        ("auto", 1, 1, "fix gcmc", "list"),
        ("list", 1, 1, "", "list"),
        ("cells", 0, 1, "", "cells"),
        ("cells", 1, 0, "", "!neighbors is cells, but nnpal was built for CPUs only"),
        ("cells", 0, 1, "fix gcmc", "!neighbors is cells, but fix gcmc needs LAMMPS's neighbor list"),
    ],
)
def test_neighbors(choose: Choose, asked: str, on_gpu: int, run_there: int, taker: str, expected: str) -> None:
    assert choose("neighbors", asked, on_gpu, run_there, taker)[: len(expected)] == expected
