"""Data distillation after Jung, Lee and Choi (second supplement among the sources), and translation to another metal.

Sample by MOMT under the oracle once; then, pool by pool, keep the environments that the ensemble is uncertain of.
"""

from nnpal.distillation.loop import Distillation
from nnpal.distillation.translation import Translation

__all__ = ["Distillation", "Translation"]
