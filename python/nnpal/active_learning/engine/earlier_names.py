"""Earlier names of modules, from before the package had layers; folders of earlier runs contain them."""

from __future__ import annotations

from collections.abc import Iterable

RENAMED = "nnpal's modules have other names than in the version that made it, so whether their code changed is unknown"
"""Why a stage is stale."""

_OF_TASKS = {
    "driver.tasks": "active_learning.shared.tasks",
    "explore.run": "active_learning.sampling.tasks",
    "explore.initial": "active_learning.sampling.oracle_md",
}
_PACKAGES = {f"nnpal.{name}" for name in ("driver", "distillation", "explore", "loop", "networks", "rare_events")}


def present_call(call: str) -> str:
    """Return the present name of a task's function, ``module:function``."""
    module, _, function = call.partition(":")
    package, _, rest = module.partition(".")
    return f"{package}.{_OF_TASKS[rest]}:{function}" if package == "nnpal" and rest in _OF_TASKS else call


def are_earlier(packages: Iterable[str]) -> bool:
    """Return whether any package in a stage's code hashes has an earlier name."""
    return any(package in _PACKAGES for package in packages)
