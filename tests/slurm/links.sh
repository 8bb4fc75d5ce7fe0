#!/bin/sh
# Training on two hosts whose link is cut for a moment, again and again, or for good, and one of
# which dies: it goes on by itself, or the next start does, with the same bits.  Needs root.
. tests/lib.sh
PATH=$PATH:/usr/sbin:/sbin
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
trap hosts_down EXIT
trap 'exit 130' INT TERM HUP

first=saemill-$$-1 second=saemill-$$-2 network=10.219.7

# Two hosts on this machine, with names, networks and shared memory of their own, and a link.
hosts_up() {
    for host in 1 2; do
        ip netns add saemill-$$-$host
        echo "$network.$host host$host"
    done > "$dir/hosts"
    ip link add eth0 netns "$first" type veth peer name eth0 netns "$second"
    for host in 1 2; do
        ip -n saemill-$$-$host addr add $network.$host/24 dev eth0
        ip -n saemill-$$-$host link set lo up
        ip -n saemill-$$-$host link set eth0 up
    done
    cat > "$dir/rsh" << END
#!/bin/sh
host=\${1#host}
shift
exec nsenter --net=/run/netns/saemill-$$-\$host unshare --uts --mount --propagation private sh -c '
    mount --bind $PWD/$dir/hosts /etc/hosts
    mount -t tmpfs -o mode=1777 tmpfs /dev/shm
    mount -t sysfs sysfs /sys
    mount -t tmpfs -o mode=1777 tmpfs /tmp
    hostname "\$0"
    exec sh -c "\$*"' host\$host "\$@"
END
    chmod +x "$dir/rsh"
}

host_kill() { ip netns pids "$1" | xargs -r kill -9; }

hosts_down() {
    trap '' INT TERM HUP
    for host in "$first" "$second"; do
        host_kill "$host"
        ip netns del "$host"
    done 2> /dev/null
}

# Cut the link of a training that is not yet done.
cut_link() {
    ip -n "$second" link set eth0 down
    [ ! -e "$dir/run/train/res.02/w64-t5.h5" ]
}
mend_link() { ip -n "$second" link set eth0 up; }

# Train, a rank on each host; mpirun has process number $mpirun.
begin_on_two_hosts() {
    rm -rf "$dir/run/train"
    timeout "$hung" "$dir/rsh" host1 "cd $PWD && exec $MPIRUN --host host1,host2 -n 2 \
        -x LD_PRELOAD -x OMP_NUM_THREADS --mca plm_rsh_agent $PWD/$dir/rsh --mca btl self,tcp \
        --mca btl_tcp_if_include eth0 --mca oob_tcp_if_include eth0 \
        bin/saemill-train $dir/suite.yaml" > "$dir/train.out" 2>&1 &
    mpirun=$!
    await test -e "$dir/run/train/res.02/w64-t5.checkpoint.h5"
}

is_as_undisturbed() { same_run "$dir/undisturbed" "$dir/run/train"; }

# The next start, on one host.
goes_on() {
    stage 2 train "$dir/suite.yaml" | tee "$dir/out"
    grep "goes on at step [1-9]" "$dir/out"
    is_as_undisturbed
}

a_link_that_is_cut_for_a_moment() {
    begin_on_two_hosts
    cut_link
    sleep 1
    mend_link
    wait "$mpirun"
    is_as_undisturbed
}

a_link_that_is_cut_again_and_again() {
    begin_on_two_hosts
    cut_link
    for _ in 1 2 3 4 5; do
        mend_link
        sleep 0.2
        ip -n "$second" link set eth0 down
        sleep 0.1
    done
    mend_link
    wait "$mpirun"
    is_as_undisturbed
}

a_host_that_dies() {
    begin_on_two_hosts
    cut_link
    host_kill "$second"
    mend_link
    if wait "$mpirun"; then return 1; fi
    goes_on
}

# MPI waits for the link for ever, so that a user or the batch system ends the job.
a_link_that_is_cut_for_good() {
    begin_on_two_hosts
    cut_link
    host_kill "$first"
    host_kill "$second"
    mend_link
    if wait "$mpirun"; then return 1; fi
    goes_on
}

suite | sed 's/tokens: 4096/tokens: 128000/; s/checkpoint: 4/checkpoint: 20/; /- sites: .attn/,$d' \
    > "$dir/suite.yaml"
for stage in tokenize harvest shuffle train; do
    stage 2 $stage "$dir/suite.yaml" > /dev/null
done
mv "$dir/run/train" "$dir/undisturbed"
hosts_up || exit 1
for claim in a_link_that_is_cut_for_a_moment a_link_that_is_cut_again_and_again a_host_that_dies \
        a_link_that_is_cut_for_good; do
    try $claim
done
finish
