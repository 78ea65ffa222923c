"""The fenced blocks of README.md, CONTRIBUTING.md and docs/."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[3]
PAGES = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md")))
LANGUAGES = ("sh", "python", "toml", "lammps", "text")


@dataclass(frozen=True)
class Block:
    """A fenced block.

    Attributes:
        page: name of the file that contains it.
        line: line number of the opening fence.
        language: the word after the fence.
        text: text between the fences.
    """

    page: str
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def opening(self) -> str:
        return self.text.partition("\n")[0]


def blocks_of(path: Path) -> list[Block]:
    """Return the fenced blocks of a page."""
    text = path.read_text()
    found = re.finditer(r"^```([^\n]*)\n(.*?)^```$", text, re.M | re.S)
    return [Block(path.name, text[: m.start()].count("\n") + 1, m[1], m[2]) for m in found]


def blocks(language: str = "", page: str = "") -> list[Block]:
    """Return the blocks of all pages, or only those of a language or a page."""
    everything = [block for path in PAGES for block in blocks_of(path)]
    return [b for b in everything if (not language or b.language == language) and (not page or b.page == page)]


def commands_of(block: Block) -> list[str]:
    """Return the commands of an sh block, one per line, with continuation lines joined and comments removed."""
    lines = block.text.replace("\\\n", " ").splitlines()
    bare = [re.sub(r"(^|\s)#.*", "", line).strip() for line in lines]
    return [line for line in bare if line]
