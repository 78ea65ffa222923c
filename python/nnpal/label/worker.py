"""Worker process for calculations: ``python -m nnpal.label.worker FD``, where FD is its end of a connection.

It receives an oracle, reports whether it can compute, and then answers each configuration and rung with a result or a
reason. Its whole process group, including programs started by a calculator, ends when its standard input closes, so
that nothing outlives the parent process.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from multiprocessing.connection import Connection
from typing import Any

from nnpal.oracle.errors import CalculationFailed
from nnpal.oracle.protocol import Answer, Oracle, OracleError, sound
from nnpal.runtime.child_process import end_with_parent
from nnpal.runtime.disk_full import end_for_full_disk, is_disk_full


def attempt(oracle: Oracle, atoms: Any, rung: int) -> Answer:
    """Compute once; an exception of the oracle becomes the reason."""
    start = time.perf_counter()
    result, reason = None, ""
    try:
        result = sound(oracle.compute(atoms, rung), len(atoms))
    except Exception as error:  # oracles raise exceptions of any type; only this configuration fails
        if is_disk_full(error):  # not a fault of the configuration
            end_for_full_disk(error)
        reason = str(error) if isinstance(error, CalculationFailed) else f"{type(error).__name__}: {error}"
    return result, reason, time.perf_counter() - start


def main(descriptor: int) -> None:
    end_with_parent()
    os.set_inheritable(descriptor, False)
    connection: Connection = Connection(descriptor)
    try:
        oracle: Oracle = connection.recv()
        oracle.prepare()
    except (OracleError, ImportError, AttributeError) as error:
        connection.send(f"{error}" if isinstance(error, OracleError) else f"{type(error).__name__}: {error}")
        return
    connection.send(None)
    place = os.getcwd()
    while True:
        atoms, rung = connection.recv()
        os.ftruncate(1, 0)  # so that the output is that of this configuration
        with tempfile.TemporaryDirectory(dir=place) as folder:  # without files of the previous configuration
            os.chdir(folder)
            answer = attempt(oracle, atoms, rung)
            os.chdir(place)
        connection.send(answer)


if __name__ == "__main__":
    try:
        main(int(sys.argv[1]))
    except (EOFError, KeyboardInterrupt):
        sys.exit(0)
    except OSError as error:
        if is_disk_full(error):
            end_for_full_disk(error)
        raise
