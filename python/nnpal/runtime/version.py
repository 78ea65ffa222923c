"""The version of nnpal."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("nnpal")
except PackageNotFoundError:  # not installed
    __version__ = "0+unknown"
