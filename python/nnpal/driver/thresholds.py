"""Thresholds for the manifest."""

from __future__ import annotations

from nnpal.driver.facts import ThresholdFacts
from nnpal.select import Threshold


def facts_of_threshold(found: Threshold) -> ThresholdFacts:
    """Return what the manifest says of a threshold."""
    return ThresholdFacts(mean=found.mean, deviation=found.deviation, k=found.k, n_values=found.n_values)
