"""Read and check the bytes of model files, without torch."""

from __future__ import annotations

import io
import os

from nnpal.model.metadata import EXPORT_AGAIN, RECORD, Metadata, ModelFileError, parse_metadata
from nnpal.model.zip_records import DamagedArchiveError, checked_records

_EXTRA = "/extra/"


def read_file(name: str) -> tuple[bytes, Metadata, dict[str, bytes]]:
    """Return a model file's bytes, metadata and nnpal's other records, after checking its checksums.

    Raises:
        FileNotFoundError: no such file.
        ModelFileError: not an nnpal model file, or damaged, or of a newer format.
    """
    if not os.path.exists(name):
        raise FileNotFoundError(f"model file {name} does not exist")
    if os.path.isdir(name):
        raise ModelFileError(f"{name}: a folder; expected a model file, such as {os.path.join(name, 'model.nnp.pt')}")
    try:
        with open(name, "rb") as file:
            content = file.read()
    except OSError as error:
        raise ModelFileError(f"{name}: cannot be read ({error.strerror}); make the file readable") from error
    try:
        found = checked_records(io.BytesIO(content), keep=lambda record: _EXTRA in record)
    except DamagedArchiveError as error:
        raise ModelFileError(
            f"{name}: not a TorchScript archive, or truncated or damaged ({error}); {EXPORT_AGAIN}"
        ) from error
    records = {record.partition(_EXTRA)[2]: kept for record, kept in found.items()}
    text = records.pop(RECORD, None)
    if text is None:
        raise ModelFileError(
            f"{name}: not an nnpal model file (it contains no {RECORD}); write it with nnpal.export_ensemble"
        )
    return content, parse_metadata(text, name), records


def read_metadata(path: str | os.PathLike[str]) -> Metadata:
    """Read the metadata of a model file, after checking its checksums.

    Arguments:
        path: path of the model file.

    Raises:
        FileNotFoundError: no such file.
        ModelFileError: not an nnpal model file, or damaged, or of a newer format.
    """
    return read_file(os.fspath(path))[1]
