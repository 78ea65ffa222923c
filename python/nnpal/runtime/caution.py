"""Warnings that are shown once to the user of any command: a Python warning class, so that they can be filtered."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager


class Caution(UserWarning):
    """Something is computed or left out that may not be intended."""


def caution(text: str) -> None:
    """Issue a warning; the same text is shown only once."""
    warnings.warn(text, Caution, stacklevel=2)


@contextmanager
def cautions_to_stderr(command: str) -> Iterator[None]:
    """Print warnings as messages of ``command``, without the source location."""
    import typer

    with warnings.catch_warnings():
        shown = warnings.showwarning

        def show(message: Warning | str, category: type[Warning], *args: object, **kwargs: object) -> None:
            if issubclass(category, Caution):
                typer.echo(f"{command}: warning: {message}", err=True)
            else:
                shown(message, category, *args, **kwargs)  # type: ignore[arg-type]

        warnings.showwarning = show
        yield
