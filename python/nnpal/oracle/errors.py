"""What a calculation without a result raises."""

from __future__ import annotations


class CalculationFailed(RuntimeError):
    """The calculator gave no usable result; the message holds its own words."""


class OracleError(ValueError):
    """An oracle that cannot work as described, whatever the configuration."""
