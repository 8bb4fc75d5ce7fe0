#!/bin/sh
# Two autoencoders in training, killed at 20 random steps and run again on another number of
# ranks each time, then stopped by signals, then with a damaged checkpoint: the parameters and
# the log are those of a run that nobody disturbed.
. tests/lib.sh
newest=$dir/run/train/res.02/w128-t8.checkpoint.h5

# One stream, two autoencoders, as many steps as twenty kills need; $1 is the run folder.
two_autoencoders() {
    suite | sed -e '/^saes:/,$d' -e "s|^run:.*|run: $1|" -e 's/sites: .*/sites: [res]/' \
        -e 's/layers: .*/layers: [2]/' -e 's/checkpoint: 4/checkpoint: 5/'
    cat << END
  dead_after: 2048
saes:
  - {sites: [res], widths: [128], target_l0: [8], tokens: 81_920}
  - {sites: [res], widths: [128], target_l0: [8], tokens: 81_920, recipe: topk}
END
}

# What tells a file from its successor of the same name.
inode() { stat -c %i "$1" 2> "$dir/null" || echo none; }

train_on() {
    stage "$1" train "$dir/suite.yaml"
}

# Start training on $1 ranks and kill them all $2 seconds after its $3-th checkpoint.
killed_in_training() {
    : > "$dir/ranks"
    # shellcheck disable=SC2016
    timeout -k 1 60 $MPIRUN -n "$1" sh -c 'echo $$ >> "$0"; exec "$@"' "$dir/ranks" \
        bin/saemill-train "$dir/suite.yaml" > "$dir/killed" 2>&1 &
    for _ in $(seq "$3"); do
        before=$(inode "$newest")
        until [ "$(inode "$newest")" != "$before" ]; do sleep 0.02; done
    done
    sleep "$2"
    # shellcheck disable=SC2046
    kill -9 $(cat "$dir/ranks")
    ! wait $!
}

is_done_undisturbed() {
    two_autoencoders "$dir/run" > "$dir/suite.yaml"
    for stage in tokenize harvest shuffle; do
        stage 2 $stage "$dir/suite.yaml"
    done
    train_on 2
    cp -r "$dir/run/train" "$dir/undisturbed"
    rm -r "$dir/run/train"
}

# Twenty random numbers of checkpoints, 1 to 3, and delays, up to 30 ms, from a fixed seed.
goes_on_after_twenty_kills() {
    awk 'BEGIN { srand(5); for (k = 0; k < 20; k++)
                     printf "%d %.3f %d\n", 1 + k % 3, 0.03 * rand(), 1 + int(3 * rand()) }' \
        > "$dir/kills"
    while read -r ranks delay checkpoints <&3; do
        killed_in_training "$ranks" "$delay" "$checkpoints"
        cat "$dir/killed" >> "$dir/all"
    done 3< "$dir/kills"
    grep 'w128-t8 goes on at step' "$dir/all" | tee "$dir/steps"
    [ "$(sort -u "$dir/steps" | wc -l)" = 19 ]
    train_on 3
    same_run "$dir/undisturbed" "$dir/run/train"
}

# The log has the steps 0, 1, 2, ..., 319.
has_a_log_without_gap_or_repetition() {
    for log in "$dir"/run/train/res.02/*.tsv; do
        awk 'NR > 1 && $1 != NR - 2 { exit 1 } END { exit NR != 321 }' "$log"
    done
}

# $1 is sent to one rank of two; both must leave at the same step, with status 7.
stops_on() {
    : > "$dir/ranks"
    # shellcheck disable=SC2016
    $MPIRUN -n 2 sh -c 'echo $$ >> "$0"; exec "$@"' "$dir/ranks" bin/saemill-train \
        "$dir/suite.yaml" --live > "$dir/stopped" 2>&1 &
    until grep -q -e 'goes on at step' -e 'rows/s' "$dir/stopped"; do sleep 0.01; done
    kill -"$1" "$(tail -n 1 "$dir/ranks")"
    status=0
    wait $! || status=$?
    cat "$dir/stopped"
    [ "$status" = 7 ]
    grep 'stopped by a signal; run the same command again to go on' "$dir/stopped"
}

stops_on_signals_and_goes_on() {
    rm -r "$dir/run/train"
    stops_on TERM
    stops_on USR1
    [ -e "$dir/run/train/res.02/w128-t8.checkpoint-before.h5" ]
}

# The newest checkpoint is cut short, as by a disk that lost its last writes.
goes_on_from_the_checkpoint_before() {
    truncate -s 100000 "$newest"
    train_on 1 | tee "$dir/out"
    grep "^train: warning: .*w128-t8.checkpoint.h5.*it is left, for the checkpoint before it" "$dir/out"
    same_run "$dir/undisturbed" "$dir/run/train"
}

for claim in is_done_undisturbed goes_on_after_twenty_kills has_a_log_without_gap_or_repetition \
        stops_on_signals_and_goes_on goes_on_from_the_checkpoint_before; do
    try $claim
done
finish
