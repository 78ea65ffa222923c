"""Run tasks in Parsl worker processes on this machine, as on a cluster but without one.

[run]
executor = "local_processes.py"
"""

from parsl.config import Config
from parsl.executors import HighThroughputExecutor
from parsl.providers import LocalProvider

WORKERS = 2

config = Config(
    executors=[
        HighThroughputExecutor(
            label="local",
            address="127.0.0.1",
            cores_per_worker=0.1,
            max_workers_per_node=WORKERS,
            heartbeat_period=5,
            heartbeat_threshold=60,  # seconds after which idle workers end if nnpal run was killed
            provider=LocalProvider(init_blocks=1, max_blocks=1),
        )
    ],
    strategy="none",
    strategy_period=0.5,
)
