"""Active learning of rare events by steered MD, as by Jung, Choi and Lee (first supplement among the sources).

Start with the oracle's MD near equilibrium; then repeat: train, pull under the ensemble, select, label.
"""

from nnpal.active_learning.rare_events.loop import RareEvents

__all__ = ["RareEvents"]
