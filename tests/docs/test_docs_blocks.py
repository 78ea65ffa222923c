"""Every block of code in README, CONTRIBUTING and docs has a language, and each language has a test that runs it."""

from __future__ import annotations

import re

import pytest

from doc_blocks import LANGUAGES, PAGES, ROOT, Block, blocks, commands_of
from nnpal_commands import command_named, options_of, unknown_options

# Blocks of text are no code. (page, how the block begins): what it is
TEXTS = {
    ("CONTRIBUTING.md", "cli "): "the layers of the package",
    ("cluster.md", "batch job 7"): "output",
    ("loop.md", "run/report.html"): "files",
    ("evaluate.md", "nnpal evaluate MODEL"): "usage",
    ("evaluate.md", "nnpal evaluate --cross"): "usage",
    ("label.md", "nnpal label CONFIG.toml"): "usage",
    ("loop.md", "nnpal run CONFIG.toml"): "usage",
    ("training.md", "nnpal train CONFIG"): "usage",
    ("training.md", "member    updates"): "output",
    ("hooks.md", "fix ID group python/hook"): "usage",
    ("momt.md", "fix ID group python/hook"): "usage",
    ("oracle.md", "fix ID all python/hook"): "usage",
    ("smd.md", "fix ID group python/hook"): "usage",
    ("pair_nnp.md", "pair_style nnp MODEL"): "usage",
    ("export.md", "forward(species"): "a signature of TorchScript",
    ("custom_modules.md", "forward(species"): "a signature of TorchScript",
    ("momt.md", "momt: step "): "output, of a run of days",
    ("momt.md", "nnpal momt series [NAME=]RUN"): "usage of a command below another",
    ("momt.md", "coexistence temperature 973"): "output, of a run of minutes",
    ("momt.md", "momt: WARNING: H moves"): "output",
    ("uncertainty.md", "Errors calibrated on"): "output",
    ("tutorial_first_principles.md", "8"): "ethane.xyz, compared with the file by test_first_principles_page.py",
    ("tutorial_rare_events.md", "14"): "butane.xyz, compared with the file by test_loop_pages.py",
}


def kind_of_text(block: Block) -> str | None:
    kinds = {kind for (page, start), kind in TEXTS.items() if page == block.page and block.text.startswith(start)}
    assert len(kinds) <= 1, f"{block}: TEXTS names it twice"
    return kinds.pop() if kinds else None


def test_every_block_says_its_language():
    unknown = [f"{block}: {block.language!r}" for block in blocks() if block.language not in LANGUAGES]
    assert unknown == [], f"expected one of {', '.join(LANGUAGES)} after the opening fence"


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_no_fence_is_missed(page):
    """Indented fences and such with other signs would escape the tests."""
    fences = re.findall(r"^[ \t]*(?:`{3,}|~{3,})", page.read_text(), re.M)
    assert len(fences) == 2 * len(blocks(page=page.name))
    assert all(fence == "```" for fence in fences)


def test_every_text_is_known_and_is_there():
    unknown = [f"{block}: {block.opening}" for block in blocks("text") if kind_of_text(block) is None]
    assert unknown == [], "code wants another language; name what is no code in TEXTS"
    for page, start in TEXTS:
        assert any(block.text.startswith(start) for block in blocks("text", page)), f"{page}: {start}: gone"


USAGES = [
    line for b in blocks("text") if kind_of_text(b) == "usage" for line in b.text.splitlines() if "nnpal " in line[:6]
]


def test_usages_name_every_option():
    """Of the options that a command has none is missing, and none is there that it has not."""
    named: dict[str, set[str]] = {}
    for line in USAGES:
        assert unknown_options(re.sub(r"[\[\]|]", " ", line)) == []
        command, rest = command_named(re.sub(r"[\[\]|]", " ", line).split()[1:])
        named.setdefault(str(command.name), set()).update(re.findall(r"--[\w-]+", " ".join(rest)))
    assert set(named) >= {"label", "evaluate", "run", "status", "train", "export", "schema"}
    for name, options in named.items():
        command, _ = command_named([name])
        assert [one for one in options_of(command) if not one & {*options, "--help"}] == [], name


def test_every_option_that_a_page_names_exists():
    """In text between backticks too."""
    wrong = []
    for path in PAGES:
        prose = re.sub(r"^```.*?^```$", "", path.read_text(), flags=re.M | re.S)
        wrong += [f"{path.name}: {code}" for code in re.findall(r"`(nnpal [^`]+)`", prose) if unknown_options(code)]
    assert wrong == []


def test_make_targets_exist():
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.M))
    named = {c.split()[1] for block in blocks("sh") for c in commands_of(block) if c.split()[0] == "make"}
    assert named
    assert named <= targets
