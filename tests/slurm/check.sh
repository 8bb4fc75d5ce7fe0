#!/bin/sh
# Whole suites under a real Slurm: arrays that depend on each other, jobs that are requeued, run
# out of time, always fail, are cancelled, lose a node; nothing is done twice, and the bits are
# always the same.  Needs root.
. tests/lib.sh
. tests/slurm/cluster.sh
trap cluster_down EXIT
trap 'exit 130' INT TERM HUP

# The resources of a task: $1 nodes, $2 minutes, $3 seconds of margin.
resources() {
    cat << END
resources:
  nodes: $1
  cores: 1
  memory: 1500MB
  time: $2
  margin: $3
END
}

# A suite that trains for some seconds, with such resources.
long_training() {
    suite | sed 's/tokens: 4096/tokens: 256000/; s/checkpoint: 4/checkpoint: 20/'
    resources "$@"
}

# Until the condition holds.
await() {
    for _ in $(seq $((10 * hung))); do
        "$@" > "$dir/await" 2>&1 && return 0
        sleep 0.1
    done
    cat "$dir/await"
    squeue -o '%.8i %.16j %.4K %.10T %r'
    tail -n 5 "$dir"/run/logs/*.log
    return 1
}

# Are no jobs of suite $1 left?
queue_is_empty() { ! squeue -h -o %j | grep "^$1\."; }
is_complete()    { bin/saemill status "$dir/$1.yaml" | grep -F "The release is complete."; }

# The job number of task $3 of stage $2 of suite $1 in the queue, as ARRAY_INDEX.
job_of() {
    squeue -h -r -n "$1.$2" -o '%F_%K %o' | awk -v task="$3" '
        { split($1, id, "_"); if ($NF + id[2] == task) print $1 }' | grep .
}

# Has the log of task $1 of suite test $3 lines with $2?
log_has() { [ "$(grep -c -e "$2" "$dir/run/logs/$1.log")" = "$3" ]; }

# Stop the ranks of stage $2 of suite $1 where they are, as soon as file $3 exists; let them go
# on, after a second in which the signals that were sent to them arrive.  (Ranks of other tasks are
# stopped, too, and get none; and Slurm itself lets those go on that it requeues.)
freeze() {
    await test -e "$3"
    await pkill -STOP -f "^[^ ]*bin/saemill-$2 $dir/$1.yaml"
}
thaw() {
    sleep 1
    pkill -CONT -f "^[^ ]*bin/saemill-$2 $dir/$1.yaml"
}

# What the same suite gives when nobody disturbs it.
saemill_run_does_it() {
    timeout --foreground "$hung" bin/saemill run "$dir/test.yaml"
    mv "$dir/run" "$dir/undisturbed"
}

# --- pre-emption, time limit ---------------------------------------------------------

arrays_and_dependencies_do_it() {
    bin/saemill submit "$dir/test.yaml" | tee "$dir/out"
    grep "^tokenize: 2 corpus files, job [0-9]*$" "$dir/out"
    await test -d "$dir/run/harvest/00000"
    cat "$dir/run/logs/submit.log"
    grep "^train: 3 streams, job [0-9]*, aftercorr:[0-9]*$" "$dir/run/logs/submit.log"
    grep "^release: 1 folder, job [0-9]*, afterok:[0-9]*$" "$dir/run/logs/submit.log"
}

# Task 3 of train is put back into the queue from outside, as for a job of more importance.
a_requeued_training_goes_on() {
    freeze test train "$dir/run/train/res.02/w64-t10.checkpoint.h5"
    bin/saemill status "$dir/test.yaml" | tee "$dir/out"
    grep "^  train .* running" "$dir/out"
    scontrol requeue "$(job_of test train 3)"
    thaw test train
    await log_has train-00003 "^train: res.02 w64-t10 goes on at step [1-9]" 1
}

# When it runs again its ranks are held up, and it has three minutes instead of ten; Slurm, which
# looks at times twice a minute, says that they are soon over.
a_training_is_held_up() {
    freeze test train "$dir/run/train/res.02/w64-t10.checkpoint.h5"
    scontrol update jobid="$(job_of test train 3)" timelimit=3
}

# In the meantime another suite: one shard, begun three times and stopped twice before it is
# done.
a_task_without_progress_fails_in_the_end() {
    mkdir "$dir/long"
    documents 600 > "$dir/long/0.jsonl"
    { suite | sed "s,^name: .*,name: idle,; s,$dir/run,$dir/idle,; s,$dir/text,$dir/long,
                   s,block: 4,block: 1,; s,shard: 64,shard: 4096,"
      resources 1 10 60
      printf 'evaluate:\n  sequences: 8\n'; } > "$dir/idle.yaml"
    "$dir/copy/bin/saemill" submit "$dir/idle.yaml"
    log=../../idle/logs/harvest-00000
    for attempt in 1 2; do
        await log_has $log '^== ' $attempt
        freeze idle harvest "$dir/idle/harvest/00000.part"
        scancel -b -s USR1 "$(job_of idle harvest 0)"
        await log_has $log 'stopping after' $attempt
        thaw idle harvest
        await log_has $log '^out of time; requeued' $attempt
    done
    await queue_is_empty idle
    bin/saemill status "$dir/idle.yaml" | tee "$dir/status"
    grep "^  harvest .*: 1 failed$" "$dir/status"
    grep "^  saemill: harvest 0 made no progress in 2 attempts: 10 minutes" "$dir/status"
}

what_submit_began_run_finishes() {
    timeout --foreground "$hung" bin/saemill run "$dir/idle.yaml"
    is_complete idle
}

a_training_out_of_time_goes_on() {
    await log_has train-00003 "stopping after the work in hand" 2
    thaw test train
    await log_has train-00003 "^out of time; requeued" 1
    await log_has train-00003 "^train: res.02 w64-t10 goes on at step [1-9]" 2
}

then_all_is_done_with_the_same_bits() {
    await is_complete test
    await queue_is_empty test
    same_run "$dir/undisturbed" "$dir/run"
}

nothing_is_submitted_twice() {
    complete > "$dir/before"
    bin/saemill submit "$dir/test.yaml" | grep -F "nothing to submit"
    queue_is_empty test
    untouched "$dir/before"
}

# --- failures, srun, two nodes -------------------------------------------------------

# Train that stream number 2 (attn.02) is damaged, on two nodes, by srun.
a_task_that_always_fails_does_not_block_others() {
    mv "$dir/run" "$dir/requeued"
    mkdir "$dir/run"
    cp -r "$dir/requeued/tokens" "$dir/requeued/harvest" "$dir/requeued/shuffle" "$dir/run"
    long_training 2 10 60 > "$dir/test.yaml"
    printf 'damage' | dd of="$dir/run/shuffle/attn.02/00000.h5" bs=1 seek=100000 conv=notrunc
    "$dir/copy/bin/saemill" submit "$dir/test.yaml" | tee "$dir/out"
    grep "^train: 3 streams, job [0-9]*$" "$dir/out"
    await queue_is_empty test
    bin/saemill status "$dir/test.yaml" | tee "$dir/status"
    grep "^  train .*: 1 failed$" "$dir/status"
    grep "^  evaluate .*: 1 missing$" "$dir/status"
    grep "^train 2 failed .*logs/train-00002.log" "$dir/status"
    grep "^  saemill-train: .*attn.02/00000.h5" "$dir/status"
    grep -F "train 3 on n[1-2]," "$dir/run/logs/train-00003.log"
    grep -F ", 2 ranks of 1 thread" "$dir/run/logs/train-00003.log"
}

# The stream is shuffled again.  In the middle of its training node n1 dies, with the batch
# script and half of the ranks, and comes back.  Slurm requeues the task; but its PMIx finds on n1
# what its earlier self left there, and srun starts no ranks, now and then with exit status 0.
a_dead_node_leaves_a_failed_task() {
    rm -r "$dir/run/shuffle/attn.02"
    "$dir/copy/bin/saemill" submit "$dir/test.yaml" | tee "$dir/out"
    grep "^shuffle: 1 streams, job [0-9]*$" "$dir/out"
    grep "^train: 1 streams, job [0-9]*, aftercorr:[0-9]*$" "$dir/out"
    freeze test train "$dir/run/train/attn.02/w64-l0.001.checkpoint.h5"
    cluster_kill n1
    cluster_node n1
    await queue_is_empty test
    bin/saemill status "$dir/test.yaml" | tee "$dir/status"
    grep "^  train .*: 1 failed$" "$dir/status"
    grep "^  saemill: train 2 ended well, but\|^  saemill: saemill-train was ended" "$dir/status"
    [ ! -e "$dir/run/logs/evaluate-00002.log" ]
}

# It goes on where it was when the node died, and is cancelled; then again the rest is done.
cancelled_tasks_are_submitted_again() {
    "$dir/copy/bin/saemill" submit "$dir/test.yaml"
    await log_has train-00002 "^train: attn.02 w64-l0.001 goes on at step [1-9]" 1
    freeze test train "$dir/run/train/attn.02/w64-l0.001.checkpoint.h5"
    scancel -u root         # which lets them go on, and ends them
    await queue_is_empty test
    bin/saemill status "$dir/test.yaml" | tee "$dir/status"
    grep "^  train .*: 1 missing$" "$dir/status"
    complete > "$dir/before"
    bin/saemill submit "$dir/test.yaml" | tee "$dir/out"
    [ "$(grep -c ", job [0-9]" "$dir/out")" = 3 ]       # train, evaluate, release
    await is_complete test
    await queue_is_empty test
    untouched "$dir/before"
    same_run "$dir/undisturbed" "$dir/run"
}

# -------------------------------------------------------------------------------------

long_training 1 10 179 > "$dir/test.yaml"
mkdir "$dir/copy" "$dir/copy/bin"
cp -r slurm "$dir/copy/slurm"
cp bin/* "$dir/copy/bin/"
sed -i 's/^start=.*/start=srun/' "$dir/copy/slurm/site.sh"

try saemill_run_does_it
cluster_up || exit 1
for claim in arrays_and_dependencies_do_it a_requeued_training_goes_on a_training_is_held_up \
        a_task_without_progress_fails_in_the_end what_submit_began_run_finishes \
        a_training_out_of_time_goes_on then_all_is_done_with_the_same_bits \
        nothing_is_submitted_twice a_task_that_always_fails_does_not_block_others \
        a_dead_node_leaves_a_failed_task cancelled_tasks_are_submitted_again; do
    try $claim
done
finish
