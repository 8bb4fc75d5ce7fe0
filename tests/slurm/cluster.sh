# cluster.sh -- a real Slurm of two nodes on this one machine.  Sourced; needs root.
#
#   cluster_up          start it, in a folder of its own: $cluster
#   cluster_kill NODE   kill all that runs on a node, as a power cut would
#   cluster_node NODE   start its daemon again
#   cluster_down        stop all of it, and all that it started
#
# Both nodes are this machine, under names of their own (n1, n2) with a /dev/shm of their own,
# or Open MPI would take ranks of two nodes for neighbours that share memory.  The
# controller, the nodes' daemons and munge run as root on free ports, and end by their
# process numbers.

PATH=$PATH:/usr/sbin:/sbin
cluster=

# Is this TCP port, or the next, or the one after that, in use?
cluster_ports_used() {
    for port in "$1" $(($1 + 1)) $(($1 + 2)); do
        grep -qsi "$(printf ':%04X ' "$port")" /proc/net/tcp /proc/net/tcp6 && return 0
    done
    return 1
}

cluster_conf() {
    cat << END
ClusterName=saemill
SlurmctldHost=$(hostname -s)(127.0.0.1)
SlurmctldPort=$1
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket=$cluster/munge/socket,cred_expire=5
StateSaveLocation=$cluster/state
SlurmdSpoolDir=$cluster/spool/%n
TmpFS=$cluster/tmp/%n
SlurmctldPidFile=$cluster/pid/slurmctld
SlurmdPidFile=$cluster/pid/slurmd.%n
SlurmctldLogFile=$cluster/log/slurmctld
SlurmdLogFile=$cluster/log/slurmd.%n
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
DefMemPerCPU=500
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0,sched_min_interval=100000,sched_interval=1,bf_interval=1
SlurmdParameters=config_overrides
ReturnToService=2
KillWait=5
MinJobAge=3600
MaxArraySize=11
PropagateResourceLimits=NONE
MailProg=/bin/true
NodeName=n1 NodeHostname=n1 NodeAddr=127.0.0.1 Port=$(($1 + 1)) CPUs=4 RealMemory=8000
NodeName=n2 NodeHostname=n2 NodeAddr=127.0.0.1 Port=$(($1 + 2)) CPUs=4 RealMemory=8000
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP OverSubscribe=NO
END
}

# The daemon of node $1, in its own host name, hosts and shared memory.
cluster_node() {
    unshare --uts --mount --propagation private sh -c '
        mount --bind "$1/hosts" /etc/hosts
        mount -t tmpfs -o mode=1777 tmpfs /dev/shm
        hostname "$2"
        exec slurmd -f "$1/slurm.conf" -N "$2"' sh "$cluster" "$1"
}

# Everything on node $1 has its host name.  Slurm is told, which it would notice by itself after
# SlurmdTimeout.
cluster_kill() {
    node=$(readlink "/proc/$(cat "$cluster/pid/slurmd.$1")/ns/uts") || return 1
    [ "$node" != "$(readlink /proc/$$/ns/uts)" ] || return 1
    for process in /proc/[0-9]*; do
        [ "$(readlink "$process/ns/uts" 2> /dev/null)" = "$node" ] && kill -9 "${process#/proc/}"
    done
    scontrol update nodename="$1" state=down reason=killed
}

cluster_up() {
    [ "$(id -u)" = 0 ] || { echo "check-slurm needs root, to give the nodes names"; return 1; }
    cluster=$(mktemp -d /tmp/saemill-slurm-XXXXXX)
    chmod 755 "$cluster"
    for folder in munge state spool/n1 spool/n2 tmp/n1 tmp/n2 pid log; do
        mkdir -p "$cluster/$folder"
    done
    port=$((20000 + $$ % 1000 * 10))
    while cluster_ports_used "$port"; do port=$((port + 10)); done
    cluster_conf "$port" > "$cluster/slurm.conf"
    echo PMIxCollFence=ring > "$cluster/mpi.conf"   # the default is no barrier between nodes
    echo CgroupPlugin=cgroup/v1 > "$cluster/cgroup.conf"    # or slurmd looks for one, and dies
    { cat /etc/hosts; echo 127.0.0.1 n1; echo 127.0.0.1 n2; } > "$cluster/hosts"
    export SLURM_CONF="$cluster/slurm.conf"
    export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
    # Both nodes would bind their ranks to the same cores.
    export OMPI_MCA_hwloc_base_binding_policy=none OMPI_MCA_mpi_yield_when_idle=1
    # Slurm looks for an address that is not 127.0.0.1.
    if ! ip -4 -o addr show | grep -qv ' 127\.0\.0\.1/'; then
        ip addr add 127.0.0.2/8 dev lo && touch "$cluster/address"
    fi
    (umask 077; head -c 1024 /dev/urandom > "$cluster/munge/key")
    munged --key-file="$cluster/munge/key" --socket="$cluster/munge/socket" \
        --pid-file="$cluster/pid/munged" --log-file="$cluster/log/munged" \
        --seed-file="$cluster/munge/seed" --num-threads=2
    slurmctld -f "$cluster/slurm.conf"
    cluster_node n1
    cluster_node n2
    for _ in $(seq 150); do
        [ "$(timeout 3 sinfo -h -N -o %T 2> /dev/null | grep -c idle)" = 2 ] && return 0
        sleep 0.2
    done
    tail -n 5 "$cluster"/log/*
    return 1
}

# Ends process $1 and waits for that.
cluster_end() {
    kill "$1" 2> /dev/null || return 0
    for _ in $(seq 50); do
        case $(sed -n 's/^State:[[:space:]]*//p' "/proc/$1/status" 2> /dev/null) in
        ''|Z*) return 0 ;;
        esac
        sleep 0.1
    done
    kill -9 "$1" 2> /dev/null
}

# To its end, also when it is asked to stop twice.
cluster_down() {
    trap '' INT TERM HUP
    [ -n "$cluster" ] || return 0
    timeout 5 scancel --user=root 2> /dev/null
    for _ in $(seq 50); do
        [ -z "$(timeout 3 squeue -h 2> /dev/null)" ] && break
        sleep 0.2
    done
    for daemon in slurmd.n1 slurmd.n2 slurmctld; do
        [ -s "$cluster/pid/$daemon" ] && cluster_end "$(cat "$cluster/pid/$daemon")"
    done
    # What jobs left behind: their environment names this cluster, and a job.
    for environment in $(grep -lzsx "SLURM_CONF=$cluster/slurm.conf" /proc/[0-9]*/environ); do
        process=${environment#/proc/}
        process=${process%/environ}
        [ "$process" != $$ ] && grep -qzs '^SLURM_JOB_ID=' "$environment" && kill -9 "$process"
    done
    [ -s "$cluster/pid/munged" ] && cluster_end "$(cat "$cluster/pid/munged")"
    [ -e "$cluster/address" ] && ip addr del 127.0.0.2/8 dev lo
    rm -rf "$cluster"
    cluster=
    unset SLURM_CONF
}
