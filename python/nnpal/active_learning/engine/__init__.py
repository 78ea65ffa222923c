"""The engine of a run: stages in order, tasks in processes, a manifest of what is finished, and resuming.

It knows nothing of physics. Import from its modules: :mod:`nnpal.active_learning.engine.engine` (``run_loop``),
:mod:`nnpal.active_learning.engine.stage` (``Loop``, ``Stage``, ``StageContext``),
:mod:`nnpal.active_learning.engine.task` (``Task``), :mod:`nnpal.active_learning.engine.runner` (``TaskRunner``),
:mod:`nnpal.active_learning.engine.status` (``status``). This file imports none of them, to keep the start of each
task's process short.
"""
