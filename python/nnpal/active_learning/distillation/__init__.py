"""Data distillation as by Jung, Lee and Choi (second supplement among the sources), and translation to another metal.

Sample once by MOMT (or, for comparison, NPT dynamics) under the oracle; then, pool by pool, keep the environments for
which the ensemble is uncertain.
"""

from nnpal.active_learning.distillation.loop import Distillation
from nnpal.active_learning.distillation.translation import Translation

__all__ = ["Distillation", "Translation"]
