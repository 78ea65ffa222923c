"""Check, when a custom module is exported, that it satisfies the contract of model files on random clusters."""

from nnpal.model.module_checks.run import Passed, check_member
from nnpal.model.module_checks.subject import ModuleCheckError

__all__ = ["ModuleCheckError", "Passed", "check_member"]
