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

# A batch job around us, on hosts that mpirun cannot reach.
in_a_batch_job() {
    env SLURM_JOB_ID=5 SLURM_JOBID=5 SLURM_NODELIST=n7 SLURM_JOB_NODELIST=n7 SLURM_NNODES=1 \
        SLURM_TASKS_PER_NODE=1 SLURM_JOB_CPUS_PER_NODE=1 "$@"
}

a_run_stays_on_its_machine_in_a_batch_job() {
    rm -rf "$dir/run"
    in_a_batch_job timeout -s KILL "$hung" bin/saemill run "$dir/suite.yaml"
    [ -e "$dir/run/release" ]
}

# A folder for sessions in which mpirun can make nothing.
mpirun_says_why_it_cannot_start() {
    rm -rf "$dir/run"
    status=0
    env OMPI_MCA_orte_tmpdir_base=/proc timeout -s KILL "$hung" bin/saemill run \
        "$dir/suite.yaml" > "$dir/out" 2> "$dir/err" || status=$?
    cat "$dir/err"
    [ "$status" = 3 ]
    grep -F "unable to create the desired directory" "$dir/err"
    grep -F "unable to create the desired directory" "$dir/run/logs/tokenize.log"
    grep -F "no rank of saemill-tokenize said why" "$dir/err"
    grep "by hand: OMP_NUM_THREADS=[0-9]* mpirun .*/saemill-tokenize $dir/suite.yaml" "$dir/err"
    bin/saemill status "$dir/suite.yaml" | grep -F "no rank of saemill-tokenize said why"
}

# The reason is the stage's own; what mpirun adds is in the log alone.
mpirun_is_silent_when_a_rank_said_why() {
    rm -rf "$dir/run"
    cp "$dir/text/1.jsonl" "$dir/saved"
    echo 'not json' > "$dir/text/1.jsonl"
    refused "$dir/suite.yaml" "text/1.jsonl"
    mv "$dir/saved" "$dir/text/1.jsonl"
    grep -F "non-zero" "$dir/run/logs/tokenize.log"
}

# full_output COMMAND...: it says that its output could not be written.
full_output() {
    status=0
    timeout -s KILL "$hung" "$@" > /dev/full 2> "$dir/err" || status=$?
    cat "$dir/err"
    [ "$status" = 6 ]
    grep "cannot write to standard output: No space" "$dir/err"
}

output_that_cannot_be_written_is_an_error() {
    full_output bin/saemill --help
    full_output bin/saemill explain
    full_output bin/saemill plan "$dir/suite.yaml"
    full_output bin/saemill plan "$dir/suite.yaml" --json
    full_output bin/saemill status "$dir/suite.yaml"
    full_output bin/saemill submit "$dir/suite.yaml" --dry-run
    for stage in $stages verify; do
        full_output "bin/saemill-$stage" --help
    done
    full_output bin/saemill-tokenize "$dir/suite.yaml"
}

try ordinary_threads
try dynamic_teams_are_switched_off
try fewer_threads_are_allowed_than_asked_for
try ranks_with_unlike_command_lines_all_leave
try a_run_stays_on_its_machine_in_a_batch_job
try mpirun_says_why_it_cannot_start
try mpirun_is_silent_when_a_rank_said_why
try output_that_cannot_be_written_is_an_error
finish
