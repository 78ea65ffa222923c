"""Write the results of a benchmark as JSON, with machine, versions and date."""

from __future__ import annotations

import json
import os
import platform
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path

import torch


def machine() -> dict[str, object]:
    """Return processor, number of cores, instruction set and operating system."""
    info = Path("/proc/cpuinfo")
    known = dict(re.findall(r"^([\w ]+?)\s*: (.*)$", info.read_text(), re.MULTILINE)) if info.exists() else {}
    name = known.get("model name", platform.processor())
    which = (
        f" (family {known['cpu family']}, model {known['model']})" if {"cpu family", "model"} <= known.keys() else ""
    )
    return {
        "cpu": name + which,
        "cores": os.cpu_count(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "system": f"{platform.system()} {platform.machine()}",
    }


def write_record(path: Path, benchmark: str, packages: Sequence[str], content: Mapping[str, object]) -> None:
    """Write `content` with machine, versions and date; the file is replaced atomically."""
    record = {
        "benchmark": benchmark,
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "machine": machine(),
        "versions": {"python": platform.python_version(), **{package: version(package) for package in packages}},
        **content,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(record, indent=2) + "\n")
    partial.replace(path)
