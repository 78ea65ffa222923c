"""Run the notebooks of docs/notebooks in an empty folder and store their outputs.

python docs/run_notebooks.py
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path

import matplotlib

DOCS = Path(__file__).resolve().parent
sys.path.insert(0, str(DOCS.parent / "tests" / "support" / "docs"))

from notebooks import run_notebook

if __name__ == "__main__":
    matplotlib.use("Agg")
    for path in sorted((DOCS / "notebooks").glob("*.ipynb")):
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)
            notebook = run_notebook(path)
            os.chdir(DOCS)
        path.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n")
