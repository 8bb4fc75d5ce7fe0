#!/bin/sh
# The environments that sites, batch systems and containers make: a stage works in each, or refuses
# in one sentence; none waits for ever.
. tests/lib.sh

export OMP_WAIT_POLICY=passive
hung=600

# Every stage to its end, two threads a rank, under these settings: all_stages SETTING...
all_stages() {
    rm -rf "$dir/run"
    for stage in $stages; do
        timeout "$hung" env OMP_NUM_THREADS=2 "$@" "bin/saemill-$stage" "$dir/suite.yaml"
    done
}

# The other claims' runs are compared with this one.
ordinary_threads() {
    all_stages OMP_DYNAMIC=false
    mv "$dir/run" "$dir/ordinary"
}

dynamic_teams_are_switched_off() {
    all_stages OMP_DYNAMIC=true
    same_run "$dir/ordinary" "$dir/run"
}

fewer_threads_are_allowed_than_asked_for() {
    all_stages OMP_THREAD_LIMIT=1
    same_run "$dir/ordinary" "$dir/run"
}

try ordinary_threads
try dynamic_teams_are_switched_off
try fewer_threads_are_allowed_than_asked_for
finish
