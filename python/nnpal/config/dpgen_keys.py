"""Keys of DP-GEN's `param.json`, and the corresponding keys of nnpal."""

from __future__ import annotations

DPGEN_KEYS: dict[str, tuple[str, ...]] = {
    "model_devi_f_trust_lo": ("rare_events.error_above", "distillation.error_above"),
    "model_devi_f_trust_hi": ("explore.max_error",),
    "numb_models": ("ensemble.members",),
    "type_map": ("network.elements",),
    "fp_style": ("oracle.kind",),
    "fp_task_max": ("run.labels_per_iteration",),
    "model_devi_dt": ("explore.timestep",),
    "sys_configs": ("explore.structure",),
}
_SHORT = {"trust_lo": "model_devi_f_trust_lo", "trust_hi": "model_devi_f_trust_hi"}


def dpgen_hint(key: str) -> str | None:
    """Return `; DP-GEN's KEY is OURS here`, or None if ``key`` is not a key of DP-GEN.

    Arguments:
        key: unknown key, without its table.
    """
    name = _SHORT.get(key, key)
    if name not in DPGEN_KEYS:
        return None
    return f"; DP-GEN's {name} is {' or '.join(DPGEN_KEYS[name])} here (docs/uncertainty.md, For users of DP-GEN)"
