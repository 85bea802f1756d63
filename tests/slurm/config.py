# SPDX-License-Identifier: BSD-3-Clause
"""The files that make a folder the home of a private Slurm: keys, configuration, the names of the hosts."""

import os

PORTS = {"SlurmctldPort": 6817, "SlurmdPort": 6818}  # in networks of their own, so they clash with nothing


def address(index):
    """Of host 0, the login host, and of the nodes 1, 2, ..."""
    return f"10.77.0.{index + 1}"


def write_files(folder, nodes, cpus):
    for name in ("munge", "state", "spool", "log", "run", "tmp"):
        (folder / name).mkdir()
    for index in range(1, nodes + 1):
        (folder / "spool" / f"n{index}").mkdir(mode=0o700)
        (folder / "tmp" / f"n{index}").mkdir()
        (folder / "tmp" / f"n{index}").chmod(0o1777)
    folder.chmod(0o755)
    (folder / "munge" / "key").touch(mode=0o600)
    (folder / "munge" / "key").write_bytes(os.urandom(128))
    (folder / "hosts").write_text("127.0.0.1 localhost\n" + f"{address(0)} login\n" +
                                  "".join(f"{address(i)} n{i}\n" for i in range(1, nodes + 1)))
    (folder / "slurm.conf").write_text(slurm_conf(folder, nodes, cpus))
    (folder / "cgroup.conf").write_text("CgroupPlugin=cgroup/v1\n")
    (folder / "mpi.conf").write_text("PMIxCollFence=ring\n")  # with the default a few starts in a hundred hang
    (folder / "plugstack.conf").touch()


def slurm_conf(folder, nodes, cpus):
    ports = "\n".join(f"{key}={value}" for key, value in PORTS.items())
    names = "\n".join(f"NodeName=n{i} NodeAddr={address(i)} CPUs={cpus} CoresPerSocket={cpus} RealMemory=2000 State=UNKNOWN"
                      for i in range(1, nodes + 1))
    return f"""\
ClusterName=lab
SlurmctldHost=login({address(0)})
{ports}
SlurmUser=root
SlurmdUser=root
# With cred_expire small, a requeued job starts again after about 7 s instead of 2 minutes.
AuthInfo=socket={folder}/munge/socket,cred_expire=5
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool/%n
TmpFS={folder}/tmp/%n
SlurmctldPidFile={folder}/run/slurmctld.pid
SlurmdPidFile={folder}/run/slurmd.%n.pid
SlurmctldLogFile={folder}/log/slurmctld.log
SlurmdLogFile={folder}/log/slurmd.%n.log
JobCompType=jobcomp/filetxt
JobCompLoc={folder}/log/jobs.txt
PlugStackConfig={folder}/plugstack.conf
MailProg=/bin/true

# No cgroups, no binding: a node has more CPUs here than there are.
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SlurmdParameters=config_overrides
MpiDefault=pmix
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=5

# A small cluster without load may be quick: decisions at once, short patience, jobs remembered to the end.
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=sched_min_interval=50000,bf_interval=1,sched_interval=2,batch_sched_delay=0
ReturnToService=2
SlurmctldTimeout=30
SlurmdTimeout=10
KillWait=3
MinJobAge=3600
MaxArraySize=1001

{names}
# Jobs in urgent take the nodes of jobs in main, which are requeued: SIGTERM, five seconds, SIGKILL.
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE PriorityTier=1 GraceTime=5
PartitionName=short Nodes=ALL MaxTime=5 PriorityTier=1
PartitionName=urgent Nodes=ALL MaxTime=INFINITE PriorityTier=2 PreemptMode=OFF
"""
