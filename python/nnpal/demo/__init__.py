"""The demo: sample, train, export, run in LAMMPS, compare."""

import warnings

with warnings.catch_warnings():
    # On import TorchANI recommends CUDA extensions, which nnpal does not use.
    warnings.filterwarnings("ignore", message="The extensions", category=UserWarning)
    from nnpal.demo.run import run_demo
    from nnpal.demo.settings import DemoSettings

__all__ = ["DemoSettings", "run_demo"]
