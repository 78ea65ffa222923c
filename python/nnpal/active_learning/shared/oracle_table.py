"""The oracle of a table [oracle] in JSON."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field

from nnpal.config import Section, validated
from nnpal.oracle.protocol import Oracle
from nnpal.oracle.settings import OracleSection, oracle_from


class _Holder(Section):
    oracle: OracleSection = Field(description="see nnpal.oracle.settings")


def oracle_of(table: Mapping[str, Any], base_folder: Path) -> Oracle:
    """Return the oracle of a table; its file paths are relative to ``base_folder``.

    Raises:
        nnpal.config.ConfigError: the table is invalid.
        nnpal.oracle.protocol.OracleError: the oracle cannot work as described.
    """
    return oracle_from(validated({"oracle": dict(table)}, _Holder, source="oracle").oracle, base_folder)
