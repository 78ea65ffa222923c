"""docs/tutorial_fine_tuning.md from its first command to its last Python, with fewer configurations and epochs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from doc_blocks import ROOT, blocks, commands_of
from ensembles import organic_ensemble
from nnpal.model import read_metadata
from nnpal.training import load_ensemble
from nnpal_commands import run_line

PAGE = "tutorial_fine_tuning.md"
# What the page has and the short run has otherwise
SHORT = {
    "N_FRAMES, EVERY = 160, 16": "N_FRAMES, EVERY = 8, 2",
    "order[:360]": "order[:8]",
    "order[360:390]": "order[8:18]",
    "order[390:]": "order[18:]",
    "updates = 2000": "updates = 4",
    "updates = 600": "updates = 4",
    "updates=600": "updates=4",
    "hidden = [96, 64]": "hidden = [8, 6]",
}


def short(text: str) -> str:
    for printed, here in SHORT.items():
        text = text.replace(printed, here)
    return text


def test_the_script_of_the_page_is_the_example():
    example = ROOT / "docs" / "examples" / "fine_tuning" / "sample.py"
    assert blocks("python", PAGE)[0].text == example.read_text()


def test_what_is_made_shorter_stands_on_the_page():
    text = (ROOT / "docs" / PAGE).read_text()
    assert [printed for printed in SHORT if printed not in text] == []


@pytest.mark.slow
def test_the_tutorial_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    script, last = blocks("python", PAGE)
    Path("sample.py").write_text(short(script.text))
    for block in blocks("toml", PAGE):
        Path(re.match(r"# (\S+)", block.text)[1]).write_text(short(block.text))
    for block in blocks("sh", PAGE):
        for command in commands_of(block):
            run_line(command)
    start = read_metadata("tuned/model.nnp.pt").provenance["start"]
    assert (start["kind"], start["members"]) == ("model file", [0, 1])
    monkeypatch.setattr("torchani.models.ANI2x", lambda: organic_ensemble(("H", "C", "N", "O"), 2))
    exec(compile(short(last.text), PAGE, "exec"), {})
    assert load_ensemble(Path("from_ani2x")).plan.network.symbols == ("H", "C", "O")
