#!/usr/bin/env bash
# Parsl's htex_auto_scale cancels a job that waits in the queue and submits another, every few seconds and without end.
#
# Packages: parsl 2026.10.26, Python 3.11.
# Guess: a requested block whose workers have not started (a job in a scheduler's queue) is kept while a task waits for it,
#   as with the strategy `simple`; max_idletime (300 s here) is for blocks that have become idle.
# Behavior: with fewer tasks than a block has workers (1 task, 4 workers) the strategy asks its executor to scale in by 0 blocks. The
#   executor takes 0 for no limit, and a block without workers for one that has always been idle, and cancels it. The next poll finds
#   no block and requests one. If jobs wait longer than two polls (10 s by default), no task ever runs, without an error.
# Output seen:
#   htex_auto_scale: blocks asked for 9, cancelled 9, task done: False
#   simple: blocks asked for 1, cancelled 0, task done: True
#
# A block that takes 8 s to start represents the queue; polls are 1 s apart, so it waits for as many polls as a job in 40 s.
# Exit status: 0 while Parsl behaves like this, 1 if that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet parsl==2026.10.26
cd "$folder"
cat > loop.py <<'PYTHON'
import sys
import time

import parsl
from parsl.config import Config
from parsl.executors import HighThroughputExecutor
from parsl.providers import LocalProvider


class Counting(LocalProvider):
    asked = cancelled = 0

    def submit(self, *arguments, **options):
        Counting.asked += 1
        return super().submit(*arguments, **options)

    def cancel(self, job_ids):
        Counting.cancelled += len(job_ids)
        return super().cancel(job_ids)


@parsl.python_app
def task():
    return 42


provider = Counting(init_blocks=0, min_blocks=0, max_blocks=2, worker_init="sleep 8")
executor = HighThroughputExecutor(label="q", address="127.0.0.1", max_workers_per_node=4, cores_per_worker=0.1, provider=provider)
parsl.load(Config(executors=[executor], strategy=sys.argv[1], strategy_period=1, max_idletime=300))
future, end = task(), time.monotonic() + (60 if sys.argv[1] == "simple" else 20)
while time.monotonic() < end and not future.done():
    time.sleep(0.1)
done, asked, cancelled = future.done(), Counting.asked, Counting.cancelled
print(f"{sys.argv[1]}: blocks asked for {asked}, cancelled {cancelled}, task done: {done}", flush=True)
parsl.dfk().cleanup()
expected = done and cancelled == 0 if sys.argv[1] == "simple" else not done and asked > 2 and cancelled > 1
sys.exit(0 if expected else 1)
PYTHON
export PATH="$folder/venv/bin:$PATH"
for strategy in htex_auto_scale simple; do
  "$folder/venv/bin/python" loop.py "$strategy"
done
echo "as described"
