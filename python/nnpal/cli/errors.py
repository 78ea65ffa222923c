"""The text that commands print for an error."""

from __future__ import annotations


def in_words(error: BaseException) -> str:
    """Return the message of an error; for errors of the operating system, file and reason."""
    is_plain = isinstance(error, OSError) and type(error).__str__ is OSError.__str__
    if is_plain and isinstance(error, OSError) and error.filename is not None and error.strerror:
        place = error.filename if error.filename2 is None else error.filename2
        return f"{place}: {error.strerror[0].lower()}{error.strerror[1:]}"
    return str(error) or type(error).__name__
