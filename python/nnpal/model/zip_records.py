"""Read zip archives written by torch, and refuse damaged ones."""

from __future__ import annotations

import errno
import os
import zipfile
from collections.abc import Callable
from typing import BinaryIO

CHUNK = 1 << 20
FLAGS = 0x8 | 0x800
"""Allowed in a record: its size follows its content; its name is UTF-8 (PKWARE APPNOTE 6.3.10, section 4.4.4)."""
FOLDER = 0x10
"""MS-DOS bit of the external attributes: torch leaves the memory of such a record uninitialized."""
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


class DamagedArchiveError(ValueError):
    """A damaged archive; the message gives the fault, but not the file name."""


def checked_records(
    source: str | os.PathLike[str] | BinaryIO, *, keep: Callable[[str], bool] = lambda name: False
) -> dict[str, bytes]:
    """Check every record of an archive against its recorded size and CRC-32.

    Covers what zipfile does not check: of two records with one name it reads only one; it accepts a record that ends
    before its recorded size; and it supports methods that torch does not.

    Arguments:
        source: path or open file.
        keep: function that returns whether the content of a record is wanted, given its name.

    Returns:
        Wanted contents, by name.

    Raises:
        DamagedArchiveError: not a zip archive, or a truncated or damaged one, whatever zipfile raises on it.
        OSError: the file cannot be read.
    """
    try:
        with zipfile.ZipFile(source) as archive:
            items = archive.infolist()
            kept = {item.filename: _content(archive, item, keep(item.filename)) for item in items}
    except DamagedArchiveError:
        raise
    except OSError as error:
        if error.errno not in (None, errno.EINVAL):  # disk errors; EINVAL is a damaged offset, before the file's start
            raise
        raise DamagedArchiveError(what_it_says(error)) from error
    except Exception as error:  # from zipfile, or from zlib, lzma, struct, codecs, ... through it
        raise DamagedArchiveError(what_it_says(error)) from error
    if len(kept) < len(items):
        raise DamagedArchiveError("two records have one name")
    return {name: content for name, content in kept.items() if keep(name)}


def what_it_says(error: BaseException) -> str:
    """Return the first line of an exception's message, or its type if there is none."""
    if isinstance(error, UnicodeDecodeError):
        return "a text in it is not valid UTF-8"
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def _content(archive: zipfile.ZipFile, item: zipfile.ZipInfo, is_wanted: bool) -> bytes:
    """Read a record and return it if wanted, else nothing; reading checks its checksum and both copies of its name."""
    if item.flag_bits & ~FLAGS or item.compress_type not in METHODS:
        raise DamagedArchiveError(
            f"record {item.filename} has flags {item.flag_bits:#x} and method {item.compress_type}, "
            "expected one that is stored or deflated, and not encrypted"
        )
    if item.is_dir() or item.external_attr & FOLDER:
        raise DamagedArchiveError(f"record {item.filename} is marked as a folder")
    size, content = 0, bytearray()
    with archive.open(item) as record:
        while chunk := record.read(CHUNK):
            size += len(chunk)
            if is_wanted:
                content += chunk
    if size != item.file_size:
        raise DamagedArchiveError(f"record {item.filename} has {size} bytes, its directory says {item.file_size}")
    return bytes(content)
