"""Locks for folders and for writers of files; a second process gets an error that names the holder.

They are system locks (flock), which are released when their holder ends, for any reason.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import shlex
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

UNSUPPORTED = (errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK)
SOMEBODY = "another process"
LONGEST_COMMAND = 200


class HeldError(BlockingIOError):
    """Another process, or another part of this one, holds a lock.

    Attributes:
        holder: description of the holder, e.g. "process 71 on node3 (`lmp -in in.momt`, since 2026-11-29 14:25:40)".
    """

    def __init__(self, message: str, holder: str) -> None:
        super().__init__(errno.EAGAIN, message)
        self.holder = holder

    def __str__(self) -> str:
        return str(self.strerror)


def holder_text() -> str:
    """Return a description of this process, for messages of other processes."""
    now = time.strftime("%Y-%m-%d %H:%M:%S")
    return f"process {os.getpid()} on {os.uname().nodename} (`{_command()}`, since {now})"


@contextmanager
def locked(path: Path, *, wait: bool) -> Iterator[int]:
    """Hold the lock file ``path``, which is not removed; yield its descriptor, which child processes can share.

    Raises:
        HeldError: another process holds it, and ``wait`` is false.
    """
    descriptor = _opened(path)
    try:
        _take(descriptor, path, wait=wait)
        _sign(descriptor)
        yield descriptor
    finally:
        os.close(descriptor)


def holder_of(path: Path) -> str | None:
    """Return the description of the process that holds the lock file ``path``; None if there is none, or it is unknown.

    This call holds the lock itself for an instant, so callers that do not wait should try more than once.
    """
    try:
        with path.open() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return file.read().strip() or SOMEBODY
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno not in UNSUPPORTED:
            raise
    return None


class Writer:
    """Exclusive writer of a file until :meth:`release`, by a lock file in the same folder, which is then removed.

    Temporary files of a killed writer are removed. If the file system has no locks, there is a warning.

    Arguments:
        path: file to write, which need not exist.

    Raises:
        HeldError: another process writes it.
    """

    def __init__(self, path: Path) -> None:
        self._lock = path.with_name(f".{path.name}.lock")
        self._descriptor = -1
        while self._descriptor < 0:
            descriptor = _opened(self._lock)
            try:
                _take(descriptor, self._lock, wait=False)
                if _is_at(descriptor, self._lock):  # else its last holder removed it after we opened it
                    self._descriptor = descriptor
            except HeldError as error:
                raise HeldError(
                    f"{path}: {error.holder} is writing it; wait until it ends, end it, or give another file name",
                    error.holder,
                ) from error
            except OSError as error:
                if error.errno not in UNSUPPORTED:
                    raise
                warnings.warn(
                    f"{path}: its file system has no locks ({error}), so nothing prevents a second run from writing it",
                    stacklevel=2,
                )
                self._descriptor = descriptor
            finally:
                if self._descriptor != descriptor:
                    os.close(descriptor)
        _sign(self._descriptor)
        begun = re.compile(rf"\.\d+\.{re.escape(path.name)}")
        for leftover in path.absolute().parent.glob(f".*.{path.name}"):
            if begun.fullmatch(leftover.name):
                leftover.unlink(missing_ok=True)

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def release(self) -> None:
        """Release the lock; a second call does nothing."""
        if self._descriptor >= 0:
            self._lock.unlink(missing_ok=True)
            os.close(self._descriptor)
            self._descriptor = -1


def _opened(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)


def _take(descriptor: int, path: Path, *, wait: bool) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError as error:
        holder = os.pread(descriptor, 1 << 12, 0).decode(errors="replace").strip() or SOMEBODY
        raise HeldError(f"{path}: held by {holder}", holder) from error


def _sign(descriptor: int) -> None:
    """Write the description of the holder to the lock file, unless the disk is full."""
    os.ftruncate(descriptor, 0)
    with suppress(OSError):
        os.pwrite(descriptor, f"{holder_text()}\n".encode(), 0)


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _command() -> str:
    try:  # sys.argv is empty if another program embeds Python
        words = Path("/proc/self/cmdline").read_bytes().decode(errors="replace").split("\0")[:-1]
    except OSError:
        words = sys.argv
    text = shlex.join(words).replace("\n", " ")
    return text if len(text) <= LONGEST_COMMAND else text[:LONGEST_COMMAND] + "..."
