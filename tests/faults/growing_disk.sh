#!/bin/sh
# A disk that is full: one line that says so, nothing complete is lost, and with more room
# the run goes on, to the bits of a run that always had room.
#
# The disk is a small tmpfs, which an ordinary user may mount in a user namespace.
[ "$(id -u)" = 0 ] || exec unshare --user --map-root-user --mount \
    env OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 sh "$0"
. tests/lib.sh

runs_with_room() {
    bin/saemill run "$dir/suite.yaml"
    mv "$dir/run" "$dir/roomy"
}

# Double the disk until the run gets through.
runs_on_a_disk_that_grows() {
    mkdir "$dir/run"
    mount -t tmpfs -o size=32k tmpfs "$dir/run"
    trap 'umount "$dir/run"' EXIT
    complete > "$dir/before"
    kilobytes=32
    until timeout "$hung" bin/saemill run "$dir/suite.yaml" > "$dir/out" 2> "$dir/err"; do
        [ $? = 6 ]      # no crash after the sentence either
        refusal "$dir/run" disk free
        untouched "$dir/before"
        complete > "$dir/before"
        kilobytes=$((2 * kilobytes))
        mount -o "remount,size=${kilobytes}k" "$dir/run"
    done
    untouched "$dir/before"
    [ "$kilobytes" -gt 1000 ]
    same_run "$dir/roomy" "$dir/run"
}

# The first shard would fit, but not all of them.
refuses_a_harvest_without_disk() {
    mkdir -p "$dir/small/run"
    mount -t tmpfs -o size=2m tmpfs "$dir/small/run"
    trap 'umount "$dir/small/run"' EXIT
    sed -e "s|^run: .*|run: $dir/small/run|" -e 's/ shard: 64/ shard: 8/' \
        "$dir/suite.yaml" > "$dir/small.yaml"
    stage 1 tokenize "$dir/small.yaml"
    without_room harvest "$dir/small.yaml" "$dir/small/run/harvest" \
        'harvest (34 shards of 4 streams' "$dir/small/run" free
}

try runs_with_room
try runs_on_a_disk_that_grows
try refuses_a_harvest_without_disk
finish
