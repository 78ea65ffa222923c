"""MOMT whose virial never reaches the barostat: what a test of the conserved quantity must notice."""

from __future__ import annotations

from nnpal.hooks import Context
from nnpal.momt import MOMT


class DeafMOMT(MOMT):
    def pre_reverse(self, context: Context) -> None:
        super().pre_reverse(context)
        self.virial[:] = 0.0
