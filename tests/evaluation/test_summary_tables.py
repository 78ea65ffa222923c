"""Tables of an evaluation in a terminal."""

from __future__ import annotations

from io import StringIO
from typing import Any, cast

from rich.console import Console

from nnpal.evaluation.summary import Summary, tables


def test_no_number_is_cut_off_in_80_columns() -> None:
    errors: dict[str, Any] = {"energy_mae": 125.25, "energy_rmse": 126.25, "energy_mean": -128.25, "n_frames": 1234}
    errors |= {"force_mae": 1128.5, "force_rmse": 1129.5, "stress_mae": 1.0, "stress_mae_GPa": 12.125}
    errors |= {"stress_rmse_GPa": 13.125}
    accuracy = {"n_frames": 1234, "ensemble": errors, "members": [errors] * 3, "by_element": {}}
    accuracy["by_tag"] = {"liquid": errors, "a tag that is so long that it takes several lines in a table": errors}
    file = StringIO()
    [table, *_] = tables(cast(Summary, {"accuracy": accuracy, "calibration": []}))
    Console(file=file, width=80).print(table)
    text = file.getvalue()
    assert "…" not in text
    for number in ("125.25", "126.25", "-128.25", "1128.5", "1129.5", "12.125", "13.125"):
        assert text.count(number) == 6
    assert "several" in text
