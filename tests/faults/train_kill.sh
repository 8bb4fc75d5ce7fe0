#!/bin/sh
# Two autoencoders in training, killed at many points of their progress, then twenty times in one
# training on another number of ranks each time, then stopped by signals, then with a damaged
# checkpoint: the parameters and the log are those of a run that nobody disturbed.
. tests/lib.sh
newest=$dir/run/train/res.02/w128-t8.checkpoint.h5

# One stream, two autoencoders of $1 tokens.
two_autoencoders() {
    suite | sed -e '/^saes:/,$d' -e 's/sites: .*/sites: [res]/' -e 's/layers: .*/layers: [2]/' \
        -e 's/checkpoint: 4/checkpoint: 5/'
    cat << END
  dead_after: 2048
saes:
  - {sites: [res], widths: [128], target_l0: [8], tokens: $1}
  - {sites: [res], widths: [128], target_l0: [8], tokens: $1, recipe: topk}
END
}

goes_on_from_many_points() {
    two_autoencoders 4096 > "$dir/suite.yaml"
    for stage in tokenize harvest shuffle; do
        stage 2 $stage "$dir/suite.yaml"
    done
    survives_strikes 60 train
}

train_on() {
    stage "$1" train "$dir/suite.yaml"
}

# As many steps as twenty kills need.
is_done_undisturbed() {
    two_autoencoders 81_920 > "$dir/suite.yaml"
    train_on 2
    cp -r "$dir/run/train" "$dir/undisturbed"
    rm -r "$dir/run/train"
}

# One of one, two or three ranks is killed, at its 3rd to 8th rename (a checkpoint has two, each of
# the autoencoders has one every five steps), or at a message about fifteen steps after the start.
goes_on_after_twenty_kills() {
    : > "$dir/all"
    for k in $(seq 20); do
        ranks=$((1 + k % 3))
        if [ $((k % 2)) = 0 ]; then
            struck "rename:$((2 + $(drawn 1 6 "$k"))):KILL" $ranks 0 train
        else
            struck "message:$((200 * ranks + $(drawn 1 200 "$k"))):KILL" $ranks $((k / 2 % ranks)) train
        fi
        cat "$dir/struck" "$dir/strikes" >> "$dir/all"
    done
    cat "$dir/all"
    grep 'w128-t8 goes on at step' "$dir/all" > "$dir/steps"
    [ "$(sort -u "$dir/steps" | wc -l)" -ge 15 ]     # some strike before the next checkpoint
    train_on 3
    same_run "$dir/undisturbed" "$dir/run/train"
}

# The log has the steps 0, 1, 2, ..., 319, then the checksum of these lines.
has_a_log_without_gap_or_repetition() {
    for log in "$dir"/run/train/res.02/*.tsv; do
        head -n -2 "$log" | awk 'NR > 1 && $1 != NR - 2 { exit 1 } END { exit NR != 321 }'
        tail -n 2 "$log" | grep "^# identity [0-9a-f]\{16\} train/res.02/$(basename "$log" .tsv)\$"
        [ "$(tail -n 1 "$log")" = "# SHA-256 $(head -n -1 "$log" | sha256sum | cut -d' ' -f1)" ]
    done
}

# $1 is sent to one rank of two; both must leave at the same step, with status 7.
stops_on() {
    struck "message:400:$1" 2 1 train || cat "$dir/struck"
    [ "$status" = 7 ]
    grep 'stopped by a signal; run the same command again to go on' "$dir/struck"
}

stops_on_signals_and_goes_on() {
    rm -r "$dir/run/train"
    stops_on TERM
    stops_on USR1
    grep 'goes on at step' "$dir/struck"
    [ -e "$dir/run/train/res.02/w128-t8.checkpoint-before.h5" ]
}

# The newest checkpoint is cut short, as by a disk that lost its last writes.
goes_on_from_the_checkpoint_before() {
    truncate -s 100000 "$newest"
    train_on 1 | tee "$dir/out"
    grep "^train: warning: .*w128-t8.checkpoint.h5.*it is left, for the checkpoint before it" "$dir/out"
    same_run "$dir/undisturbed" "$dir/run/train"
}

for claim in goes_on_from_many_points is_done_undisturbed goes_on_after_twenty_kills \
        has_a_log_without_gap_or_repetition stops_on_signals_and_goes_on \
        goes_on_from_the_checkpoint_before; do
    try $claim
done
finish
