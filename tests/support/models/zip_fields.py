"""The fields of a zip archive written by torch: their positions, and whether they are needed."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass

LOCAL = (
    *(("signature", 4), ("version", 2), ("flags", 2), ("method", 2), ("time", 2), ("date", 2), ("crc", 4)),
    *(("packed", 4), ("size", 4), ("name_size", 2), ("extra_size", 2)),
)
CENTRAL = (
    *(("signature", 4), ("made_by", 2), *LOCAL[1:], ("comment_size", 2), ("disk", 2), ("internal", 2)),
    *(("external", 4), ("offset", 4)),
)
END64 = (
    *(("signature", 4), ("record_size", 8), ("made_by", 2), ("version", 2), ("disk", 4), ("first_disk", 4)),
    *(("entries_here", 8), ("entries", 8), ("directory_size", 8), ("directory_offset", 8)),
)
LOCATOR64 = (("signature", 4), ("disk", 4), ("offset", 8), ("disks", 4))
END = (
    *(("signature", 4), ("disk", 2), ("first_disk", 2), ("entries_here", 2), ("entries", 2)),
    *(("directory_size", 4), ("directory_offset", 4), ("comment_size", 2)),
)
DEFLATED = 8

VITAL = {
    "local": ("signature", "name_size", "extra_size", "name"),
    "central": ("signature", "method", "crc", "packed", "size", "name_size", "extra_size", "offset", "name"),
    "end64": ("signature", "directory_size", "directory_offset"),
    "end": ("signature",),
}
"""Fields needed to find a record and read it unchanged. Others are never read, such as dates, or are redundant. The
content is not included, because some bits of a deflated one are padding."""


@dataclass(frozen=True)
class Field:
    """A field of a header of the archive, or the content of a record.

    Attributes:
        part: local, content, descriptor, central, end64, locator64 or end.
        record: number of the record in the directory of the archive; 0 if the part has none.
        name: name of the field.
        start: offset in the file, bytes.
        size: size, bytes.
        is_deflated: whether the record is deflated.
    """

    part: str
    record: int
    name: str
    start: int
    size: int
    is_deflated: bool = False

    @property
    def is_vital(self) -> bool:
        """Whether every change of the field must be detected."""
        return self.name in VITAL.get(self.part, ()) or (self.part == "content" and not self.is_deflated)

    def __str__(self) -> str:
        return f"{self.part} {self.record} {self.name}"


def fields(content: bytes) -> list[Field]:
    """Return the nonempty fields of an archive, in the order of the file."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        items, directory = archive.infolist(), archive.start_dir
    ends = [item.header_offset for item in items[1:]] + [directory]
    found: list[Field] = []
    for number, (item, end) in enumerate(zip(items, ends, strict=True)):
        is_deflated = item.compress_type == DEFLATED
        start = item.header_offset
        name_size, extra_size = (int.from_bytes(content[start + k : start + k + 2], "little") for k in (26, 28))
        rest = (("name", name_size), ("extra", extra_size))
        found += _cut("local", number, (*LOCAL, *rest), start)
        data = start + 30 + name_size + extra_size
        found.append(Field("content", number, "content", data, item.compress_size, is_deflated))
        descriptor = data + item.compress_size
        found.append(Field("descriptor", number, "descriptor", descriptor, end - descriptor))
    at = directory
    for number, item in enumerate(items):
        rest = (("name", len(item.orig_filename.encode())), ("extra", len(item.extra)), ("comment", len(item.comment)))
        found += _cut("central", number, (*CENTRAL, *rest), at)
        at = found[-1].start + found[-1].size
    for part, layout in (("end64", END64), ("locator64", LOCATOR64), ("end", END)):
        found += _cut(part, 0, layout, at)
        at = found[-1].start + found[-1].size
    assert at == len(content)
    return [field for field in found if field.size]


def _cut(part: str, record: int, layout: tuple[tuple[str, int], ...], at: int) -> Iterator[Field]:
    for name, size in layout:
        yield Field(part, record, name, at, size)
        at += size
