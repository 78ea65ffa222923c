"""Thresholds as facts for the manifest."""

from __future__ import annotations

from nnpal.active_learning.selection import Threshold
from nnpal.active_learning.shared.facts import ThresholdFacts


def facts_of_threshold(found: Threshold) -> ThresholdFacts:
    """Return the facts of a threshold for the manifest."""
    return ThresholdFacts(mean=found.mean, deviation=found.deviation, k=found.k, n_values=found.n_values)
