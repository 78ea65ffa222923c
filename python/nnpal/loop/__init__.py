"""The engine of a run: stages in order, tasks in processes, a manifest of what is finished, and resuming.

It knows nothing of physics. Import from its modules: :mod:`nnpal.loop.engine` (``run_loop``), :mod:`nnpal.loop.stage`
(``Loop``, ``Stage``, ``StageContext``), :mod:`nnpal.loop.task` (``Task``), :mod:`nnpal.loop.runner` (``TaskRunner``),
:mod:`nnpal.loop.status` (``status``). This file imports none of them, for every task's process would pay for it.
"""
