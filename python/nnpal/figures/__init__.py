"""Figures of training, evaluation and reports: one style, one way to write them, one parity plot."""
