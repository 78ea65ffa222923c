"""MOMT, multiorder-multithermal sampling: the hook, its files and their analysis."""

from nnpal.momt.bias_file import Bias, read_bias, write_bias
from nnpal.momt.hook import MOMT
from nnpal.momt.trace import Trace, read_trace

__all__ = ["MOMT", "Bias", "Trace", "read_bias", "read_trace", "write_bias"]
