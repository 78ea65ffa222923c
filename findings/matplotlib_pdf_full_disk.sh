#!/usr/bin/env bash
# matplotlib's savefig to a PDF on a full disk raises zlib.error or AttributeError where PNG and SVG raise OSError.
#
# Packages: matplotlib 3.11.2, numpy 2.4.6, Python 3.11.
# Guess: where the system says "No space left on device", savefig raises that OSError in every format, so that
#   `except OSError` with errno ENOSPC finds a full disk.
# Behavior: PNG and SVG do. For a PDF savefig tries to finish the file in a `finally`, with its own incomplete stream, and raises
#   the resulting error: zlib.error ("inconsistent stream state") or AttributeError ("'Stream' object has no attribute 'pos'"). The
#   OSError remains only in __context__. Some smaller and larger figures raise it. The file stays open until garbage collection.
# Output seen:
#   png: 24 OSError
#   svg: 24 OSError
#   pdf: 4 AttributeError, 20 error
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet matplotlib==3.11.2 numpy==2.4.6
cd "$folder"
MPLCONFIGDIR="$folder" "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import errno
from collections import Counter

import numpy as np
from matplotlib.figure import Figure

found = {name: Counter() for name in ("png", "svg", "pdf")}
for n_points in range(100, 1300, 50):
    figure = Figure()
    figure.subplots().plot(np.random.default_rng(0).random(n_points))
    for name, counts in found.items():
        try:
            figure.savefig("/dev/full", format=name)
        except Exception as error:
            counts[type(error).__name__] += 1
            amid = error
            while not isinstance(amid, OSError):
                amid = amid.__context__
            assert amid.errno == errno.ENOSPC
for name, counts in found.items():
    print(f"{name}:", ", ".join(f"{n} {kind}" for kind, n in sorted(counts.items())))
assert found["png"] == found["svg"] == {"OSError": 24}
assert found["pdf"]["error"] + found["pdf"]["AttributeError"] >= 8
assert found["pdf"]["error"] and found["pdf"]["AttributeError"]
PYTHON
echo "as described"
