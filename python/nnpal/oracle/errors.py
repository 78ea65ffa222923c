"""Errors of oracles and their calculations."""

from __future__ import annotations


class CalculationFailed(RuntimeError):
    """The calculator gave no usable result; the message has its own error message."""


class OracleError(ValueError):
    """An oracle that cannot work as specified, for any configuration."""
