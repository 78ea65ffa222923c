"""Data distillation after Jung, Lee and Choi (second supplement among the sources), and translation to another metal.

Sample by MOMT (or, to compare, by NPT dynamics) under the oracle once; then, pool by pool, keep the environments
that the ensemble is uncertain of.
"""

from nnpal.active_learning.distillation.loop import Distillation
from nnpal.active_learning.distillation.translation import Translation

__all__ = ["Distillation", "Translation"]
