"""Keys of DP-GEN in a configuration file are answered with those that stand for them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from nnpal.active_learning.config import RunConfig
from nnpal.config import ConfigError, read_toml
from nnpal.config.dpgen_keys import DPGEN_KEYS
from nnpal.config.key_tables import tables_of

PAGE = Path(__file__).parents[2] / "docs" / "uncertainty.md"


@pytest.mark.parametrize("key", ["trust_lo", "model_devi_f_trust_lo"])
def test_the_message(tmp_path: Path, key: str) -> None:
    (tmp_path / "c.toml").write_text(f"[rare_events]\n{key} = 0.05\nkk = 3\n")
    with pytest.raises(ConfigError) as raised:
        read_toml(tmp_path / "c.toml", RunConfig)
    lines = str(raised.value).splitlines()
    assert (
        f"{tmp_path}/c.toml: rare_events.{key}: unknown key; DP-GEN's model_devi_f_trust_lo is rare_events.error_above "
        "or distillation.error_above here (docs/uncertainty.md, For users of DP-GEN)"
    ) in lines
    assert any("rare_events.kk: unknown key; did you mean k?" in line for line in lines)


def test_every_key_exists_and_is_in_the_table() -> None:
    text = PAGE.read_text()
    rows = dict(re.findall(r"^\| `(\w+)` \| (.*?) \|", text[text.index("### For users of DP-GEN") :], re.M))
    for theirs, ours in DPGEN_KEYS.items():
        for key in ours:
            table, name = key.split(".")
            sections = tables_of(RunConfig.model_fields[table].annotation)
            assert any(name in section.model_fields for section in sections), key
            assert f"`{key}`" in rows[theirs]
