"""A Slurm cluster of small nodes on this machine, with key, configuration, state and logs in one folder.

    python tests/support/slurm/slurm_cluster.py FOLDER

starts a cluster from Debian's ``slurm-wlm`` and ``munge``, prints the variable that its commands need, and ends it with
Ctrl-C. Daemons and jobs run as the current user. All nodes are this machine; they claim more cores than it has.
"""

from __future__ import annotations

import getpass
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "scancel", "squeue", "scontrol", "sinfo")
SYSTEM = "/usr/sbin"
"""Folder of the daemons, which is not in the PATH of every user."""
N_NODES = 4
CORES_PER_NODE = 4
LIMIT = 120.0
"""Seconds that the nodes may take to become idle."""
CONF = """\
ClusterName=nnpal
FirstJobId={first_job}
SlurmctldHost={host}(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
SlurmctldPort={port}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool/%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.%n.log
SwitchType=switch/none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmdParameters=config_overrides
SchedulerParameters=batch_sched_delay=0,sched_interval=2
GresTypes=gpu
KillWait=5
SlurmdTimeout=15
ReturnToService=2
MinJobAge={min_job_age}
{nodes}
PartitionName=cpu Nodes=ALL Default=YES MaxTime=INFINITE State=UP
PartitionName=gpu Nodes=n{last} MaxTime=INFINITE State=UP
"""
NODE = (
    "NodeName=n{k} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} Sockets=1 CoresPerSocket={cores} "
    "ThreadsPerCore=1 CPUs={cores} RealMemory=1000{gres} State=UNKNOWN"
)


def missing_programs() -> list[str]:
    """Return the programs of Slurm and munge that are not installed."""
    return [name for name in PROGRAMS if _found(name) is None]


def _found(name: str) -> str | None:
    return shutil.which(name) or shutil.which(name, path=SYSTEM)


class SlurmCluster:
    """Context manager of a running cluster; all its processes end with it.

    Arguments:
        folder: empty folder with a short path, because the path of a socket has at most 107 bytes.
        n_nodes: number of nodes n1, n2, ...; the last has fake GPUs, for jobs that request them.
        cores: cores of each node.
        min_job_age: seconds that the controller keeps a job after its end.

    Attributes:
        environment: environment variables for Slurm's commands.
    """

    def __init__(
        self, folder: Path, n_nodes: int = N_NODES, cores: int = CORES_PER_NODE, min_job_age: int = 300
    ) -> None:
        self.folder = folder.resolve()
        self.nodes = [f"n{k}" for k in range(1, n_nodes + 1)]
        self._cores = cores
        self._min_job_age = min_job_age
        self._daemons: dict[str, subprocess.Popen[bytes]] = {}
        self.environment = {"SLURM_CONF": str(self.folder / "slurm.conf")}

    def __enter__(self) -> SlurmCluster:
        with ExitStack() as undo:
            undo.callback(self.close)
            self._write()
            self._start_munge()
            self._start("slurmctld", "-D", "-i")
            for node in self.nodes:
                self.start_node(node)
            self.await_idle()
            undo.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End all jobs and daemons."""
        if "slurmctld" in self._daemons:
            self.cancel_all()
        for name in reversed(list(self._daemons)):
            self._end(name)

    def command(self, *words: str, check: bool = True) -> str:
        """Run a Slurm command and return its output."""
        done = subprocess.run(
            words, env={**os.environ, **self.environment}, capture_output=True, text=True, check=False, timeout=LIMIT
        )
        if check and done.returncode:
            raise RuntimeError(f"{' '.join(words)}: {done.stdout}{done.stderr}")
        return done.stdout

    def squeue(self) -> list[str]:
        """Return `ID STATE NAME` of the jobs that are pending, running or ending."""
        return self.command("squeue", "--noheader", "--format=%i %T %j").splitlines()

    def jobs(self, label: str, state: str = "RUNNING") -> list[str]:
        """Return the IDs of the jobs of an executor that are in a state."""
        found = [line.split() for line in self.squeue()]
        return [words[0] for words in found if words[1] == state and words[2].startswith(f"parsl.{label}.")]

    def await_idle(self) -> None:
        """Wait until no job is left and all nodes are up."""
        self._await(lambda: not self.squeue() and self._idle_nodes() == set(self.nodes), "its nodes are not idle")

    def _idle_nodes(self) -> set[str]:
        return set(self.command("sinfo", "--noheader", "--Node", "--states=idle", "--format=%N").split())

    def cancel_all(self) -> None:
        """Cancel all jobs, and wait for their end."""
        jobs = [line.split()[0] for line in self.squeue()]
        if jobs:
            self.command("scancel", *jobs, check=False)
            self._await(lambda: not self.squeue(), "its jobs do not end")

    def start_node(self, node: str) -> None:
        self._start(node, "-D", "-N", node, program="slurmd")

    def _write(self) -> None:
        for name in ("state", "spool"):
            (self.folder / name).mkdir(parents=True)
        key = self.folder / "munge.key"
        key.touch(0o600)
        key.write_bytes(secrets.token_bytes(1024))
        host = socket.gethostname().split(".")[0]
        ports = _free_ports(1 + len(self.nodes))
        gres = [""] * (len(self.nodes) - 1) + [f" Gres=gpu:{self._cores}"]
        nodes = [
            NODE.format(k=k + 1, host=host, port=ports[k + 1], cores=self._cores, gres=gres[k])
            for k in range(len(self.nodes))
        ]
        (self.folder / "slurm.conf").write_text(
            CONF.format(
                host=host,
                first_job=1 + secrets.randbelow(10**6),  # MPICH names shared memory by job and step
                user=getpass.getuser(),
                port=ports[0],
                folder=self.folder,
                nodes="\n".join(nodes),
                last=len(nodes),
                min_job_age=self._min_job_age,
            )
        )
        for k in range(self._cores):
            (self.folder / f"gpu{k}").touch()  # Slurm only checks that the device exists
        gpus = f"{self.folder}/gpu[0-{self._cores - 1}]"
        (self.folder / "gres.conf").write_text(f"AutoDetect=off\nNodeName={self.nodes[-1]} Name=gpu File={gpus}\n")
        (self.folder / "cgroup.conf").write_text("CgroupPlugin=autodetect\nCgroupAutomount=no\n")

    def _start_munge(self) -> None:
        place = self.folder
        self._start(
            "munged",
            "--foreground",
            "--force",  # because others may write to the temporary folder that contains it
            f"--socket={place}/munge.socket",
            f"--key-file={place}/munge.key",
            f"--pid-file={place}/munge.pid",
            f"--seed-file={place}/munge.seed",
            f"--log-file={place}/munge.log",
        )
        self._await(lambda: (place / "munge.socket").exists(), "munged does not answer")

    def _start(self, name: str, *words: str, program: str | None = None) -> None:
        path = _found(program or name)
        assert path is not None, f"{program or name} is not installed"
        with (self.folder / f"{name}.out").open("ab") as log:
            self._daemons[name] = subprocess.Popen(
                [path, *words],
                env={**os.environ, **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _end(self, name: str) -> None:
        daemon = self._daemons.pop(name)
        daemon.terminate()
        try:
            daemon.wait(10)
        except subprocess.TimeoutExpired:
            daemon.kill()
            daemon.wait()

    def _await(self, condition: Callable[[], bool], what: str) -> None:
        end = time.monotonic() + LIMIT
        while not condition():
            ended = [name for name, daemon in self._daemons.items() if daemon.poll() is not None]
            if ended or time.monotonic() > end:
                logs = "\n".join(
                    f"{path}:\n{path.read_text(errors='replace')[-2000:]}"
                    for path in sorted([*self.folder.glob("*.out"), *self.folder.glob("*.log")])
                )
                raise RuntimeError(f"{what}; ended: {', '.join(ended) or 'none'}\n{logs}")
            time.sleep(0.1)


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


def main(arguments: Sequence[str]) -> int:
    """Start a cluster in the given folder, until Ctrl-C."""
    if len(arguments) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    lacking = missing_programs()
    if lacking:
        print(f"not installed: {', '.join(lacking)}; on Debian: apt-get install slurm-wlm munge", file=sys.stderr)
        return 1
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with SlurmCluster(Path(arguments[0])) as cluster:
        print(f"export SLURM_CONF={cluster.environment['SLURM_CONF']}", flush=True)
        with suppress(KeyboardInterrupt):
            signal.pause()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
