"""Warnings that a user should see once, whatever the command: Python's own, with a name to filter them by."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager


class Caution(UserWarning):
    """Something is computed or left out that may not be meant."""


def caution(text: str) -> None:
    """Warn; the same text is shown once."""
    warnings.warn(text, Caution, stacklevel=2)


@contextmanager
def cautions_to_stderr(command: str) -> Iterator[None]:
    """Have warnings printed as lines of the command that warns, without the place in the source."""
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
