"""Does a custom module keep the contract of model files? Checked on random clusters when it is exported."""

from nnpal.model.module_checks.run import Passed, check_member
from nnpal.model.module_checks.subject import ModuleCheckError

__all__ = ["ModuleCheckError", "Passed", "check_member"]
