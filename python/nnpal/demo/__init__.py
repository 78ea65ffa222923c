"""The demos: a loop of rare events on n-butane, and a potential for aluminium in one pass."""

import warnings

with warnings.catch_warnings():
    # On import TorchANI recommends CUDA extensions, which nnpal does not use.
    warnings.filterwarnings("ignore", message="The extensions", category=UserWarning)
    from nnpal.demo.run import run_demo
    from nnpal.demo.settings import DemoSettings

__all__ = ["DemoSettings", "run_demo"]
