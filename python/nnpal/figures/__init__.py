"""Figures of training, evaluation and reports: common style, output and parity plot."""
