"""torch's own announcements about TorchScript, the format of model files."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def deprecation_ignored() -> Iterator[None]:
    """Hide the warning that a function of ``torch.jit`` is deprecated from users, who can do nothing about it.

    Its category is ``DeprecationWarning`` in torch 2.13 and ``FutureWarning``, which Python prints, in torch 2.14. All
    other warnings are shown, also those of these categories.
    """
    with warnings.catch_warnings():
        for category in (DeprecationWarning, FutureWarning):
            warnings.filterwarnings("ignore", r"`torch\.jit\.\w+` is deprecated", category)
        yield
