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

# Half of the ranks are an older build, as after a make on one node only.
ranks_of_unlike_builds_all_leave() {
    sed "s/$(cat build/commit)/$(tr 0-9a-f 1-9a-f0 < build/commit)/" bin/saemill-train > "$dir/older"
    chmod +x "$dir/older"
    timeout -s KILL "$hung" $MPIRUN -n 1 bin/saemill-train "$dir/suite.yaml" : \
        -n 1 "$dir/older" "$dir/suite.yaml" > "$dir/out" 2> "$dir/err" || status=$?
    [ "$status" = 2 ]
    grep "^saemill-train: rank 1 was started as 'saemill-train of commit $(
        tr 0-9a-f 1-9a-f0 < build/commit)" "$dir/err"
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

# refused_as STATUS WORD COMMAND...: in one sentence.
refused_as() {
    wanted=$1 word=$2 status=0
    shift 2
    timeout -s KILL "$hung" "$@" > "$dir/out" 2> "$dir/all" || status=$?
    cat "$dir/out" "$dir/all"
    [ "$status" = "$wanted" ]
    grep "^saemill" "$dir/all" > "$dir/err"
    refusal "$word"
}

a_missing_gnuplot_is_said_at_the_start() {
    rm -rf "$dir/run" "$dir/path"
    mkdir "$dir/path"
    ln -s "$(command -v mpirun)" "$dir/path/mpirun"
    refused_as 3 "no gnuplot in PATH" "$(command -v env)" PATH="$dir/path" \
        "$PWD/bin/saemill" run "$dir/suite.yaml"
    [ ! -e "$dir/run" ]
    env PATH="$dir/path" bin/saemill plan "$dir/suite.yaml" | tee "$dir/out" \
        | grep "^Cannot run here: there is no gnuplot"
}

limits_are_known_before_the_start() {
    rm -rf "$dir/run"
    refused_as 6 "open files, but the limit is 32" \
        prlimit --nofile=32:32 bin/saemill run "$dir/suite.yaml"
    refused_as 6 "files may have 102 kB at most" \
        prlimit --fsize=102400:102400 bin/saemill run "$dir/suite.yaml"
    prlimit --fsize=102400:102400 bin/saemill plan "$dir/suite.yaml" \
        | grep "^Cannot run here: files may have 102 kB"
    [ ! -e "$dir/run" ]
}

soft_limits_are_raised() {
    rm -rf "$dir/run"
    prlimit --nofile=32: --fsize=102400: bin/saemill run "$dir/suite.yaml"
}

address_space_is_a_limit() {
    [ -e "$dir/run/shuffle" ]
    rm -rf "$dir/run/train" "$dir/run/evaluate" "$dir/run/release"
    refused_as 6 "OpenBLAS gets no memory for its buffers" \
        prlimit --as=180000000 bin/saemill plan "$dir/suite.yaml"
    prlimit --as=400000000 bin/saemill plan "$dir/suite.yaml" \
        | grep "^Cannot run here: [a-z]* needs .* of address space in each rank of 1 thread"
    refused_as 6 "of address space in each rank of 1 thread" \
        prlimit --as=400000000 bin/saemill run "$dir/suite.yaml"
    refused_as 6 "of address space in each rank of 2 threads" \
        env OMP_NUM_THREADS=2 prlimit --as=440000000 bin/saemill-train "$dir/suite.yaml"
    OMP_NUM_THREADS=2 timeout -s KILL "$hung" \
        prlimit --as=1000000000 bin/saemill-train "$dir/suite.yaml"
}

# Under it: with so much /dev/shm; the model has 17 MB of weights.
with_shared="unshare --mount --propagation private sh -c 'mount -t tmpfs -o size=16m tmpfs /dev/shm
    exec \"\$@\"' sh"

a_small_dev_shm_is_said_or_done_without() {
    rm -rf "$dir/run"
    stage 1 tokenize "$dir/suite.yaml"
    eval refused_as 6 "'of shared memory for its 2 ranks'" "$with_shared" \
        "$MPIRUN -n 2 bin/saemill-harvest $dir/suite.yaml"
    eval timeout -s KILL "$hung" "$with_shared" bin/saemill run "$dir/suite.yaml"
}

a_full_session_folder_is_said_at_the_start() {
    rm -rf "$dir/run"
    mkdir -p "$dir/sessions"
    refused_as 6 "needs 16.8 MB" unshare --mount --propagation private sh -c '
        mount -t tmpfs -o size=4m tmpfs "$1" && TMPDIR=$1 exec bin/saemill run "$2"' \
        sh "$PWD/$dir/sessions" "$dir/suite.yaml"
    [ ! -e "$dir/run" ]
}

# As in many containers: 64 MB of /dev/shm, a user's number that no file knows, no home.
a_container_does() {
    rm -rf "$dir/run"
    chmod 777 "$dir"
    eval timeout -s KILL "$hung" "$with_shared" setpriv --reuid=54321 --regid=54321 --clear-groups \
        env -u HOME -u USER -u LOGNAME bin/saemill run "$dir/suite.yaml"
    same_run "$dir/ordinary" "$dir/run"
}

# ENOLCK and the kernel's ENOTSUPP, to whoever asks for a lock.
a_file_system_without_locks_does() {
    for error in 37 524; do
        rm -rf "$dir/run"
        LD_PRELOAD=build/tests/no_locks.so NO_LOCKS=$error timeout -s KILL "$hung" \
            bin/saemill run "$dir/suite.yaml" > "$dir/out" 2> "$dir/err"
        grep "^saemill: warning: the disk of $dir/run/lock has no locks" "$dir/err"
        same_run "$dir/ordinary" "$dir/run"
    done
}

try ordinary_threads
try dynamic_teams_are_switched_off
try fewer_threads_are_allowed_than_asked_for
try ranks_with_unlike_command_lines_all_leave
try ranks_of_unlike_builds_all_leave
try a_run_stays_on_its_machine_in_a_batch_job
try mpirun_says_why_it_cannot_start
try mpirun_is_silent_when_a_rank_said_why
try output_that_cannot_be_written_is_an_error
try a_file_system_without_locks_does
try a_missing_gnuplot_is_said_at_the_start
try limits_are_known_before_the_start
try soft_limits_are_raised
try address_space_is_a_limit
if [ "$(id -u)" = 0 ]; then
    try a_small_dev_shm_is_said_or_done_without
    try a_full_session_folder_is_said_at_the_start
    try a_container_does
fi
finish
