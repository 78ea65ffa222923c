"""Write the tables of keys in docs/loop.md from the models that read the configuration file.

python docs/key_tables.py
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import get_args

from pydantic import BaseModel

from nnpal.active_learning.config import RunConfig
from nnpal.config.key_tables import keys_of, tables_of
from nnpal.runtime.files import aside

PAGE = Path(__file__).with_name("loop.md")
BEGIN, END = "<!-- keys: written by docs/key_tables.py -->\n", "<!-- end of keys -->\n"


def key_tables() -> str:
    """Return a heading and a Markdown table for each table of a loop's configuration file."""
    return "\n".join(part for name in RunConfig.model_fields for part in parts(RunConfig, name))


def with_key_tables(page: str) -> str:
    """Return the page with updated tables of keys."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{key_tables()}\n{END}{after}"


def parts(model: type[BaseModel], name: str, prefix: str = "") -> Iterator[str]:
    """Yield a heading and a Markdown table for each TOML table that a field of a model accepts."""
    tables = tables_of(model.model_fields[name].annotation)
    for table in tables:
        yield f"#### [{prefix}{name}]{_which(table) if len(tables) > 1 else ''}\n"
        yield "| key | value | default | meaning |"
        yield "|---|---|---|---|"
        for key in keys_of(table):
            default = key.default if key.default.startswith("(") else f"`{key.default}`"
            yield f"| `{key.name}` | {_cell(key.kind)} | {_cell(default)} | {_cell(key.meaning)} |"
        yield ""
        for nested, field in table.model_fields.items():
            if tables_of(field.annotation):
                yield from parts(table, nested, f"{prefix}{name}.")


def _which(table: type[BaseModel]) -> str:
    """Return the `kind` that selects this table."""
    annotation = table.model_fields["kind"].annotation
    return f' with kind = "{get_args(annotation)[0]}"'


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    text = with_key_tables(PAGE.read_text())
    with aside(PAGE) as path:
        path.write_text(text)
