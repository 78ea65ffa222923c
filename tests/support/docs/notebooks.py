"""Run notebooks without Jupyter: cells in sequence in one namespace, with their output and figures."""

from __future__ import annotations

import base64
import contextlib
import io
import json
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt


def run_notebook(path: Path) -> dict[str, Any]:
    """Return the notebook with the outputs of this run, in the working folder."""
    notebook: dict[str, Any] = json.loads(path.read_text())
    names: dict[str, Any] = {"__name__": "__main__"}
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    for number, cell in enumerate(code, start=1):
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile("".join(cell["source"]), f"{path.name}, cell {number}", "exec"), names)
        cell["execution_count"] = number
        cell["outputs"] = [*_text(printed.getvalue()), *map(_picture, plt.get_fignums())]
        plt.close("all")
    return notebook


def printed(notebook: dict[str, Any]) -> list[str]:
    """Return the printed output of the cells."""
    return [
        "".join(output["text"])
        for cell in notebook["cells"]
        for output in cell.get("outputs", ())
        if output["output_type"] == "stream"
    ]


def n_pictures(notebook: dict[str, Any]) -> int:
    """Return the number of figures of the cells."""
    return sum("image/png" in one.get("data", {}) for cell in notebook["cells"] for one in cell.get("outputs", ()))


def _text(text: str) -> list[dict[str, Any]]:
    return [{"output_type": "stream", "name": "stdout", "text": text.splitlines(keepends=True)}] if text else []


def _picture(number: int) -> dict[str, Any]:
    file = io.BytesIO()
    plt.figure(number).savefig(file, format="png", dpi=110)
    data = {"image/png": base64.b64encode(file.getvalue()).decode(), "text/plain": ["<Figure>"]}
    return {"output_type": "display_data", "data": data, "metadata": {}}
