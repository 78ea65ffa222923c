"""MOMT without a virial for the barostat, which a test of the conserved quantity must detect."""

from __future__ import annotations

from nnpal.hooks import Context
from nnpal.momt import MOMT


class DeafMOMT(MOMT):
    def pre_reverse(self, context: Context) -> None:
        super().pre_reverse(context)
        self.virial[:] = 0.0
