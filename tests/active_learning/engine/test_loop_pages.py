"""The pages about loops are true: their files can be read, their keys are all of them, their links lead somewhere."""

from __future__ import annotations

import importlib.util
import re
import unicodedata
from pathlib import Path
from types import ModuleType

import pytest
from pydantic import BaseModel
from typer.testing import CliRunner

from nnpal.active_learning.config import RunConfig, read_run_config
from nnpal.cli.app import app
from nnpal.config.key_tables import tables_of
from nnpal.config.toml import tomllib

ROOT = Path(__file__).parents[3]
DOCS = ROOT / "docs"
EXAMPLES = DOCS / "examples"
TUTORIALS = {
    "tutorial_rare_events.md": ("butane.xyz", "rare_events.toml"),
    "tutorial_distillation.md": ("distill.toml", "translate.toml"),
}
KINDS = {
    "rare_events.toml": "rare_events",
    "distill.toml": "distillation",
    "translate.toml": "translation",
    "first_principles/ethane.toml": "rare_events",
}
"""Those of results/ are read by tests/docs/test_results_configurations.py."""
PAGES = sorted([ROOT / "README.md", *DOCS.glob("*.md")])
DRAWN = {"performance.md"}
"""By a script, from what `make bench` measures: the page need not be there."""


@pytest.fixture(scope="module")
def key_tables() -> ModuleType:
    spec = importlib.util.spec_from_file_location("key_tables", DOCS / "key_tables.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_example_is_known():
    names = {str(path.relative_to(EXAMPLES)) for path in EXAMPLES.rglob("*.toml")}
    assert {name for name in names if not name.startswith("results/")} == set(KINDS)


@pytest.mark.parametrize("name", KINDS)
def test_example_is_a_configuration(name):
    assert read_run_config(EXAMPLES / name).kind == KINDS[name]


def test_results_on_butane_differ_in_members_alone():
    texts = [(EXAMPLES / "results" / f"butane_{n}.toml").read_text() for n in (3, 5, 7)]
    tables = [tomllib.loads(text) for text in texts]
    assert [table["ensemble"].pop("members") for table in tables] == [3, 5, 7]
    assert [table["run"].pop("folder") for table in tables] == ["butane_3", "butane_5", "butane_7"]
    assert tables[0] == tables[1] == tables[2]


def test_tutorial_and_demo_are_the_same_loop():
    demo = tomllib.loads((ROOT / "python" / "nnpal" / "demo" / "butane.toml").read_text())
    tutorial = tomllib.loads((EXAMPLES / "rare_events.toml").read_text())
    assert tutorial["ensemble"].pop("split") == "random"  # the default, said for newcomers
    assert tutorial == demo, "docs/tutorial_rare_events.md says that make demo runs the same loop: change both"


def test_butane_is_one_molecule():
    demo = (ROOT / "python" / "nnpal" / "demo" / "butane.xyz").read_bytes()
    assert (EXAMPLES / "butane.xyz").read_bytes() == (EXAMPLES / "results" / "butane.xyz").read_bytes() == demo


@pytest.mark.parametrize("page", TUTORIALS)
def test_tutorial_holds_its_files(page):
    text = (DOCS / page).read_text()
    blocks = re.findall(r"^```(?:toml|text)\n(.*?)^```$", text, re.M | re.S)
    assert blocks == [(EXAMPLES / name).read_text() for name in TUTORIALS[page]]


@pytest.mark.parametrize("page", TUTORIALS)
def test_tutorial_names_only_keys_that_exist(page):
    known = {f"{table}.{key}" for table, key in _keys(RunConfig)}
    tables = {table for table, _ in _keys(RunConfig)}
    files = {"toml", "log"}
    named = {
        word
        for code in re.findall(r"`([^`\n]+)`", (DOCS / page).read_text())
        for word in re.findall(r"\b([a-z]+(?:_[a-z]+)*\.[a-zA-Z_]+)\b", code.split(" = ")[0])
        if word.partition(".")[0] in tables and word.partition(".")[2] not in files
    }
    assert named
    assert named - known == set()


def test_key_tables_are_those_of_the_models(key_tables):
    page = (DOCS / "loop.md").read_text()
    assert key_tables.with_key_tables(page) == page, "run: python docs/key_tables.py"


def test_every_key_is_in_the_page():
    headings = re.split(r"^#### \[([\w.]+)\].*$", (DOCS / "loop.md").read_text(), flags=re.M)
    found = {
        (table, key)
        for table, text in zip(headings[1::2], headings[2::2], strict=True)
        for key in re.findall(r"^\| `(\w+)` \|", text.partition("<!-- end of keys -->")[0], re.M)
    }
    assert found == set(_keys(RunConfig))


def test_a_missing_key_changes_the_page(key_tables):
    page = (DOCS / "loop.md").read_text()
    line = next(line for line in page.splitlines(keepends=True) if line.startswith("| `first_steps` |"))
    assert key_tables.with_key_tables(page.replace(line, "")) == page


def test_schema_knows_the_tables_of_loops():
    def output(*words: str) -> str:
        done = CliRunner().invoke(app, ["schema", *words])
        assert done.exit_code == 0
        return done.output

    everything = output("--loop")
    assert all(f"[{name}]" in everything for name in RunConfig.model_fields)
    assert output("rare_events").startswith("[rare_events]")
    assert "wall_time_hours = (absent)" in output("run")
    assert "batch = 50" in output("--loop", "label")
    assert "retry_failed = false" in output("label")
    assert '"RareEventsSection"' in output("--loop", "--json")
    wrong = CliRunner().invoke(app, ["schema", "distilation"])
    assert wrong.exit_code == 1
    assert "did you mean distillation?" in wrong.output


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_links_lead_somewhere(page):
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.M | re.S)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"https?:", target):
            continue
        name, _, anchor = target.partition("#")
        other = (page.parent / name).resolve() if name else page
        if other.name in DRAWN and not other.exists():
            continue
        assert other.exists(), f"{page.name}: {target}"
        if anchor:
            assert anchor in _anchors(other), f"{page.name}: {target}"


def _anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.M | re.S)
    titles = (title.replace("`", "").lower() for title in re.findall(r"^#+ (.+)$", text, re.M))
    return {
        "".join(c for c in title.replace(" ", "-") if c in "-_" or unicodedata.category(c)[0] in "LN")
        for title in titles
    }


def _keys(model: type[BaseModel], prefix: str = "") -> list[tuple[str, str]]:
    """Return table and key of every key of the configuration file."""
    found = []
    for name, field in model.model_fields.items():
        for table in tables_of(field.annotation):
            found += [(f"{prefix}{name}", key) for key in table.model_fields]
            found += _keys(table, f"{prefix}{name}.")
    return found
