"""Active learning of rare events by steered MD, after Jung, Choi and Lee (first supplement among the sources).

Oracle's MD near equilibrium; then train, pull under the ensemble, choose what is new, label, and again.
"""

from nnpal.active_learning.rare_events.loop import RareEvents

__all__ = ["RareEvents"]
