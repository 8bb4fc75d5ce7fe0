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

# Rank 1 is started with other words than rank 0: unlike STAGE WORDS0 WORDS1 REASON
unlike() {
    status=0
    # shellcheck disable=SC2086
    timeout "$hung" $MPIRUN -n 1 "bin/saemill-$1" $2 : -n 1 "bin/saemill-$1" $3 \
        > "$dir/out" 2> "$dir/all" || status=$?
    cat "$dir/all"
    [ "$status" = 2 ]
    grep "^saemill-$1: " "$dir/all" > "$dir/err"
    refusal "$4"
}

ranks_with_unlike_command_lines_all_leave() {
    for stage in $stages verify; do
        unlike "$stage" "$dir/suite.yaml" "$dir/suite.yaml --bogus" "no option --bogus"
    done
    unlike train "$dir/suite.yaml" "$dir/suite.yaml --help" "rank 1 was started as"
    unlike train --help "$dir/suite.yaml" "rank 1 was started as"
    unlike train "$dir/suite.yaml" "" "which suite file?"
    unlike train "$dir/suite.yaml --task 1" "$dir/suite.yaml --task 2" "$dir/suite.yaml --task 2'"
    unlike train "$dir/suite.yaml" "$dir/suite.yaml --task" "wants the number of a task"
    unlike train "$dir/suite.yaml" "$dir/suite.yaml $dir/suite.yaml" "one suite file at a time"
    unlike train "$dir/suite.yaml" "./$dir/suite.yaml" "rank 1 was started as"
}

try ordinary_threads
try dynamic_teams_are_switched_off
try fewer_threads_are_allowed_than_asked_for
try ranks_with_unlike_command_lines_all_leave
finish
