"""Active learning of neural network potentials inside LAMMPS."""

import os
from importlib.metadata import PackageNotFoundError, version

# TorchANI warns at import that extensions which nnpal does not use are not compiled.
os.environ.setdefault("TORCHANI_NO_WARN_EXTENSIONS", "1")

try:
    __version__ = version("nnpal")
except PackageNotFoundError:  # run from a checkout that is not installed
    __version__ = "0+unknown"
