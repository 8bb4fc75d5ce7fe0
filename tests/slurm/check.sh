#!/bin/sh
# Whole suites under a real Slurm: arrays that depend on each other, jobs that are requeued, run
# out of time, always fail, are cancelled; nothing is done twice, and the bits are always the
# same.  Needs root.
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

# Until the condition holds, for a minute and a half at most.
await() {
    for _ in $(seq 900); do
        "$@" > "$dir/await" 2>&1 && return 0
        sleep 0.1
    done
    cat "$dir/await"
    squeue -o '%.8i %.16j %.4K %.10T %r'
    tail -n 5 "$dir"/run/logs/*.log
    return 1
}

queue_is_empty() { [ -z "$(squeue -h)" ]; }
is_complete()    { bin/saemill status "$dir/suite.yaml" | grep -F "The release is complete."; }

# The job number of task $2 of stage $1 in the queue, as ARRAY_INDEX.
job_of() {
    squeue -h -r -n "test.$1" -o '%F_%K %o' | awk -v task="$2" '
        { split($1, id, "_"); if ($NF + id[2] == task) print $1 }' | grep .
}

# Does file $2 have $3 lines with $1?
count_is() { [ "$(grep -c -e "$1" "$2")" = "$3" ]; }

# Stop the ranks of stage $1 where they are, as soon as file $2 exists; let them go on, after a
# second in which the signals that were sent to them arrive.
freeze() {
    await test -e "$2"
    await pkill -STOP -f "^[^ ]*bin/saemill-$1 $dir/suite.yaml"
}
thaw() {
    sleep 1
    pkill -CONT -f "^[^ ]*bin/saemill-$1 $dir/suite.yaml"
}

# What the same suite gives when nobody disturbs it.
saemill_run_does_it() {
    bin/saemill run "$dir/suite.yaml"
    mv "$dir/run" "$dir/undisturbed"
}

# --- pre-emption, time limit ---------------------------------------------------------

arrays_and_dependencies_do_it() {
    { suite | sed 's/tokens: 4096/tokens: 256000/; s/checkpoint: 4/checkpoint: 20/'
      resources 1 1 59; } > "$dir/suite.yaml"
    bin/saemill submit "$dir/suite.yaml" | tee "$dir/out"
    grep "^tokenize: 2 corpus files, job [0-9]*$" "$dir/out"
    await test -d "$dir/run/harvest/00000"
    cat "$dir/run/logs/submit.log"
    grep "^train: 3 streams, job [0-9]*, aftercorr:[0-9]*$" "$dir/run/logs/submit.log"
    grep "^release: 1 folder, job [0-9]*, afterok:[0-9]*$" "$dir/run/logs/submit.log"
}

# Lines with $1 in the log of task 3 of train: are there $2?
log_has() { count_is "$1" "$dir/run/logs/train-00003.log" "$2"; }

# Task 3 of train is put back into the queue from outside, as for a job of more importance.
a_requeued_training_goes_on() {
    freeze train "$dir/run/train/res.02/w64-t10.checkpoint.h5"
    bin/saemill status "$dir/suite.yaml" | tee "$dir/out"
    grep "^  train .* running" "$dir/out"
    scontrol requeue "$(job_of train 3)"
    thaw train
    await log_has "^train: res.02 w64-t10 goes on at step [1-9]" 1
}

# When it runs again its ranks are held up, until Slurm says that its minute is soon over.
a_training_out_of_time_goes_on() {
    freeze train "$dir/run/train/res.02/w64-t10.checkpoint.h5"
    await log_has "stopping after the work in hand" 2
    thaw train
    await log_has "^out of time; requeued" 1
    await log_has "^train: res.02 w64-t10 goes on at step [1-9]" 2
}

then_all_is_done_with_the_same_bits() {
    await is_complete
    await queue_is_empty
    same_run "$dir/undisturbed" "$dir/run"
}

nothing_is_submitted_twice() {
    complete > "$dir/before"
    bin/saemill submit "$dir/suite.yaml" | grep -F "nothing to submit"
    queue_is_empty
    untouched "$dir/before"
}

# --- failures, srun, two nodes -------------------------------------------------------

# Train that stream number 2 (attn.02) is damaged, and start ranks by srun, on two nodes.
a_task_that_always_fails_does_not_block_others() {
    { suite | sed 's/tokens: 4096/tokens: 256000/; s/checkpoint: 4/checkpoint: 20/'
      resources 2 10 60; } > "$dir/suite.yaml"
    mkdir "$dir/copy" "$dir/copy/bin"
    cp -r slurm "$dir/copy/slurm"
    cp bin/* "$dir/copy/bin/"
    sed -i 's/^start=.*/start=srun/' "$dir/copy/slurm/site.sh"
    mv "$dir/run" "$dir/requeued"
    mkdir "$dir/run"
    cp -r "$dir/requeued/suite.yaml" "$dir/requeued/tokens" "$dir/requeued/harvest" \
        "$dir/requeued/shuffle" "$dir/run"
    printf 'damage' | dd of="$dir/run/shuffle/attn.02/00000.h5" bs=1 seek=100000 conv=notrunc
    "$dir/copy/bin/saemill" submit "$dir/suite.yaml" | tee "$dir/out"
    grep "^train: 3 streams, job [0-9]*$" "$dir/out"
    await queue_is_empty
    bin/saemill status "$dir/suite.yaml" | tee "$dir/status"
    grep "^  train .*: 1 failed$" "$dir/status"
    grep "^  evaluate .*: 1 missing$" "$dir/status"
    grep "^train 2 failed .*logs/train-00002.log" "$dir/status"
    grep "^  saemill-train: .*attn.02/00000.h5" "$dir/status"
    grep -F "train 3 on n[1-2]," "$dir/run/logs/train-00003.log"
    grep -F ", 2 ranks of 1 thread" "$dir/run/logs/train-00003.log"
}

# The stream is shuffled again; of what is cancelled then, the rest is done.
cancelled_tasks_are_submitted_again() {
    rm -r "$dir/run/shuffle/attn.02"
    "$dir/copy/bin/saemill" submit "$dir/suite.yaml" | tee "$dir/out"
    grep "^shuffle: 1 streams, job [0-9]*$" "$dir/out"
    grep "^train: 1 streams, job [0-9]*, aftercorr:[0-9]*$" "$dir/out"
    freeze train "$dir/run/train/attn.02/w64-l0.001.checkpoint.h5"
    scancel -u root         # which lets them go on, and ends them
    await queue_is_empty
    bin/saemill status "$dir/suite.yaml" | tee "$dir/status"
    grep "^  train .*: 1 missing$" "$dir/status"
    complete > "$dir/before"
    bin/saemill submit "$dir/suite.yaml" | tee "$dir/out"
    [ "$(grep -c ", job [0-9]" "$dir/out")" = 3 ]       # train, evaluate, release
    await is_complete
    await queue_is_empty
    untouched "$dir/before"
    same_run "$dir/undisturbed" "$dir/run"
}

# --- no progress ---------------------------------------------------------------------

# One shard, begun three times and stopped twice before it is done.
a_task_without_progress_fails_in_the_end() {
    documents 600 > "$dir/text/0.jsonl"
    { suite | sed 's/block: 4/block: 1/; s/shard: 64/shard: 4096/'
      resources 1 10 60; } > "$dir/suite.yaml"
    mv "$dir/run" "$dir/cancelled"
    "$dir/copy/bin/saemill" submit "$dir/suite.yaml"
    log=$dir/run/logs/harvest-00000.log
    for attempt in 1 2; do
        await count_is '^== ' "$log" $attempt
        freeze harvest "$dir/run/harvest/00000.part"
        scancel -b -s USR1 "$(job_of harvest 0)"
        await count_is 'stopping after' "$log" $attempt
        thaw harvest
        await count_is '^out of time; requeued' "$log" $attempt
    done
    await queue_is_empty
    bin/saemill status "$dir/suite.yaml" | tee "$dir/status"
    grep "^  harvest .*: 1 failed$" "$dir/status"
    grep "^  saemill: harvest 0 made no progress in 2 attempts: 10 minutes" "$dir/status"
    bin/saemill run "$dir/suite.yaml"       # what submit began, run finishes
}

{ suite | sed 's/tokens: 4096/tokens: 256000/; s/checkpoint: 4/checkpoint: 20/'
  resources 1 1 59; } > "$dir/suite.yaml"
try saemill_run_does_it
cluster_up || exit 1
try arrays_and_dependencies_do_it
try a_requeued_training_goes_on
try a_training_out_of_time_goes_on
try then_all_is_done_with_the_same_bits
try nothing_is_submitted_twice
try a_task_that_always_fails_does_not_block_others
try cancelled_tasks_are_submitted_again
try a_task_without_progress_fails_in_the_end
finish
