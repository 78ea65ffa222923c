"""Files about the project agree with each other: versions, licenses, and hooks of commits with the checks of CI."""

from __future__ import annotations

import re

import pytest

from doc_blocks import ROOT

try:
    import tomllib
except ModuleNotFoundError:  # Python 3.10
    import tomli as tomllib

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
RECIPE = re.search(r"^lint:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(), re.M)


def value(name: str) -> str:
    """Return a key of the citation file."""
    found = re.search(rf"^{name}: (.+)$", (ROOT / "CITATION.cff").read_text(), re.M)
    assert found is not None
    return found[1]


def test_citation_file_is_of_this_version() -> None:
    assert (value("version"), value("license")) == (PROJECT["version"], PROJECT["license"])


def test_changelog_has_this_version_and_what_is_to_come() -> None:
    text = (ROOT / "CHANGELOG.md").read_text()
    titles = re.findall(r"^## \[(.+?)\]", text, re.M)
    assert titles[0] == "Unreleased"
    assert PROJECT["version"] in titles or f"What will be {PROJECT['version']}" in text
    kinds = set(re.findall(r"^### (.+)$", text, re.M))
    assert kinds <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def test_hooks_of_commits_are_the_checks_of_ci() -> None:
    """Each line of `make lint`, without the folder of the environment and the list of files."""
    assert RECIPE is not None
    lines = [re.sub(r"\$\(BIN\)/|\s*\$\(shell.*", "", line).strip() for line in RECIPE[1].splitlines()]
    entries = re.findall(r"^ +entry: (.+)$", (ROOT / ".pre-commit-config.yaml").read_text(), re.M)
    assert [re.sub(r"^bash -c '(.*)'$", r"\1", entry) for entry in entries] == lines


def test_hook_of_clang_format_takes_the_files_that_ci_takes() -> None:
    (pattern,) = re.findall(r"id: clang-format.*?files: (\S+)", (ROOT / ".pre-commit-config.yaml").read_text(), re.S)
    paths = [path.relative_to(ROOT) for path in (ROOT / "src").rglob("*") if path.is_file()]
    taken = {path for path in paths if re.search(pattern, path.as_posix())}
    assert taken == {path for path in paths if path.suffix in (".cpp", ".h", ".cu")}


def test_metadata_say_who_and_what() -> None:
    assert PROJECT["authors"]
    assert {"Typing :: Typed", "Intended Audience :: Science/Research"} <= set(PROJECT["classifiers"])
    assert (ROOT / "python" / "nnpal" / "py.typed").is_file()


def anchors(text: str) -> set[str]:
    """Return the anchors that a repository's site gives to headings."""
    titles = re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S), re.M)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "lammps_inputs/README.md"])
def test_links_of_pages_that_the_site_does_not_check(name: str) -> None:
    path = ROOT / name
    targets = re.findall(r"\]\((?!https?:)([^)\s]+)\)", path.read_text())
    for target in targets:
        file, _, anchor = target.partition("#")
        found = path.parent / file
        assert found.exists(), target
        assert not anchor or anchor in anchors(found.read_text()), target
    assert targets or name == "CHANGELOG.md"
