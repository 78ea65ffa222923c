"""What a user names as MODULE:NAME."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from nnpal.runtime.import_path import import_object, on_path, spec_in, split_path

MODULE = """
import inspect
class Spring:
    def compute(self, atoms): ...
def springs(): ...
LENGTH = 1.0
NOTHING = None
_hidden = Spring
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "springs_of_test.py").write_text(MODULE)
    (tmp_path / "broken_of_test.py").write_text("import no_such_package_of_test\n")
    (tmp_path / "wrong_of_test.py").write_text("def f(:\n")
    for name in ("springs_of_test", "broken_of_test", "wrong_of_test"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def imported(path: str) -> object:
    return import_object(path, f"spring {path}", example="my_springs:Soft", place="the run's folder")


def test_gives_what_is_named(folder: Path) -> None:
    import springs_of_test  # type: ignore[import-not-found]

    assert imported("springs_of_test:Spring") is springs_of_test.Spring
    assert imported("os.path:join") is __import__("os").path.join


@pytest.mark.parametrize(
    "path", ["", "Spring", ":Spring", "springs:", "a b:C", ".springs:Spring", "springs.py:Spring:x"]
)
def test_says_what_form_it_expects(path: str) -> None:
    with pytest.raises(ValueError, match=r"expected MODULE:CLASS, such as my_springs:Soft"):
        imported(path)
    assert split_path(path)[1] == ""


@pytest.mark.parametrize(
    ("path", "message"),
    [
        (
            "no_such_of_test:A",
            r"cannot be imported: No module named 'no_such_of_test'; put no_such_of_test\.py in the run",
        ),
        ("no_such_of_test.sub:A", r"put no_such_of_test\.py in the run's folder, install it, or add"),
        ("springs_of_test.sub:A", r"springs_of_test\.sub cannot be imported"),
        ("springs_of_test:Sprng", r"there is no Sprng in springs_of_test; did you mean Spring\?"),
        ("springs_of_test:LENGTH", r"there is no LENGTH in springs_of_test"),
        ("springs_of_test:NOTHING", r"there is no NOTHING in springs_of_test"),
    ],
)
def test_says_what_is_not_there(folder: Path, path: str, message: str) -> None:
    with pytest.raises(ValueError, match=f"^spring {path}: .*{message}") as caught:
        imported(path)
    assert "_hidden" not in str(caught.value)


def test_a_module_that_lacks_another_one_is_not_called_missing(folder: Path) -> None:
    with pytest.raises(ValueError, match="broken_of_test cannot be imported: No module named 'no_such_p") as caught:
        imported("broken_of_test:A")
    assert "put broken_of_test.py" not in str(caught.value)
    assert isinstance(caught.value.__cause__, ImportError)


def test_other_errors_of_a_module_are_its_own(folder: Path) -> None:
    with pytest.raises(SyntaxError):
        imported("wrong_of_test:f")


def test_chooses_among_kinds_and_raises_the_callers_error(folder: Path) -> None:
    class OwnError(Exception):
        pass

    with pytest.raises(OwnError, match=r"there is no springs in .*\(known: Spring\)"):
        import_object(
            "springs_of_test:springs",
            "spring",
            example="a:B",
            accepts=lambda value: isinstance(value, type),
            suggests=lambda value: hasattr(value, "compute"),
            error=OwnError,
        )


def test_modules_of_a_folder_come_last_and_go_again(tmp_path: Path) -> None:
    (tmp_path / "json.py").write_text("")
    (tmp_path / "beside_of_test.py").write_text("")
    before = list(sys.path)
    with on_path(tmp_path):
        assert sys.path == [*before, str(tmp_path)]
        with on_path(tmp_path):
            assert sys.path == [*before, str(tmp_path)]
    assert sys.path == before
    beside, standard = spec_in("beside_of_test", tmp_path), spec_in("json", tmp_path)
    assert beside is not None
    assert beside.origin == str(tmp_path / "beside_of_test.py")
    assert standard is not None
    assert standard.origin != str(tmp_path / "json.py")
    assert spec_in("no_such_of_test", tmp_path) is None
    assert spec_in("no_such_of_test.sub", tmp_path) is None
