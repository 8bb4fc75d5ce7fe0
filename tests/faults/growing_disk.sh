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
    until timeout 60 bin/saemill run "$dir/suite.yaml" > "$dir/out" 2> "$dir/err"; do
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

try runs_with_room
try runs_on_a_disk_that_grows
finish
