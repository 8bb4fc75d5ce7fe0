#!/bin/sh
# What a person sees of a training: how it goes, what will not come to much, and why it stopped.
. tests/lib.sh

# A suite with these lines in its section train, and autoencoder $1; changed in place.
training() {
    autoencoder=$1
    shift
    { suite | sed -e '/^saes:/,$d' -e 's/checkpoint: 4/checkpoint: 1/' -e 's/sites: .*/sites: [res]/' \
          -e 's/layers: .*/layers: [2]/' -e '/learning_rate:/d'
      printf '  %s\n' "$@"
      printf 'saes:\n  - {sites: [res], widths: [64], tokens: 4096, %s}\n' "$autoencoder"
    } > "$dir/suite.yaml"
    rm -rf "$dir/run/train"
}

# Train on two ranks; the last words are in $dir/out.
train() {
    stage 2 train "$dir/suite.yaml" > "$dir/out" 2>&1 || status=$?
    cat "$dir/out"
}

# There is a warning with $1 as soon as the warm-up of 5 steps is over, and at the end.
warns_early_and_late() {
    for step in 6 16; do
        grep "^train: warning: res.02 [^ ]*, step $step of 16: $1" "$dir/out"
    done
    [ "$(grep -c "$1" "$dir/out")" = 2 ]
}

warns_of_thresholds_that_stay_and_l0_that_is_far() {
    training 'target_l0: [5]' 'learning_rate: 1e-7'
    train
    warns_early_and_late 'the thresholds hardly move: by [0-9.e-]* in the mean, from 0.001; [0-9.e-]* % of the pre-activations lie within half'
    # The log has those below the thresholds only: as many lie above, more or less.
    grep -o 'from 0.001; [0-9.e-]*' "$dir/out" | tail -1 | cut -d' ' -f3 > "$dir/share"
    grep -h -v '^#' "$dir"/run/train/*/*.tsv | tail -1 | awk -v share="$(cat "$dir/share")" '
        { below = 100 * $11 / 64; print share, below; exit !(share > 1.5 * below && share < 2.5 * below) }'
    warns_early_and_late 'L0 is [0-9.]* where 5 was asked for; train longer, or raise train.target_strength'
}

# Above a threshold of 1, the norm of a row, there is nothing.
warns_of_dead_latents() {
    training 'sparsities: [1e-3]' 'learning_rate: 1e-7' 'threshold: 1' 'dead_after: 1024'
    train
    warns_early_and_late '100 % of the latents are dead; a longer train.sparsity_warmup'
}

does_not_warn_without_reason() {
    training 'target_l0: [5], recipe: topk' 'learning_rate: 1e-3'
    train
    grep "^train: res.02 done: w64-t5-topk loss [0-9.]*, FVU [0-9.]*, L0 5.0, dead [0-9.]* %" "$dir/out"
    ! grep warning "$dir/out"
}

# Weights that move by 1 a step are soon too large; run again it comes to the same end from the
# checkpoint that was kept.
stops_when_the_loss_explodes() {
    training 'sparsities: [1e-3]' 'learning_rate: 1'
    for time in first again; do
        status=0
        train
        [ "$status" = 5 ]
        grep -o 'res.02 w64-l0.001: the loss of step [0-9]* is [^,]*, it has exploded; lower train.learning_rate' \
            "$dir/out" > "$dir/$time"
    done
    grep 'goes on at step' "$dir/out"
    cmp "$dir/first" "$dir/again"
    [ ! -e "$dir/run/train/res.02/w64-l0.001.h5" ]
}

# A row of the sixth batch is not a number.  The checkpoint after five steps is kept as it was,
# and training comes to a good end from it when the rows are whole again.
stops_at_a_loss_that_is_not_a_number() {
    rows=$dir/run/shuffle/res.02/00000.h5
    training 'sparsities: [1e-3]' 'learning_rate: 1e-3'
    cp "$rows" "$dir/whole.h5"
    HDF5_PLUGIN_PATH=lib "$PYTHON" -c "import h5py
rows = h5py.File('$rows', 'r+')['activation']
rows[5 * 256 + 7] = rows[5 * 256 + 7] * float('nan')"
    for time in first again; do
        status=0
        train
        [ "$status" = 5 ]
        grep 'res.02 w64-l0.001: the loss of step 5 is -*nan, .*remove the checkpoints to begin again (they are kept as they were)' "$dir/out"
        cp "$dir/run/train/res.02/w64-l0.001.checkpoint.h5" "$dir/$time.h5"
        [ ! -e "$dir/run/train/res.02/w64-l0.001.h5" ]
    done
    grep 'goes on at step 5 of 16' "$dir/out"
    cmp "$dir/first.h5" "$dir/again.h5"
    mv "$dir/whole.h5" "$rows"
    status=0
    train
    [ "$status" = 0 ]
    grep 'goes on at step 5 of 16' "$dir/out"
    [ -e "$dir/run/train/res.02/w64-l0.001.h5" ]
}

# Its clock goes on by a second each time that it is read, which is once in a step.
says_every_few_seconds_how_it_goes() {
    training 'target_l0: [5]' 'learning_rate: 1e-3'
    struck_stage=train strike='' struck_rank=0
    STRIKE_CLOCK=1 striking stage 1 train "$dir/suite.yaml" > "$dir/out" 2>&1
    cat "$dir/out"
    grep -E '^train: res.02 step [0-9]+ of 16: w64-t5 loss [0-9.e-]+, FVU [0-9.]+, L0 [0-9.]+, dead [0-9.]+ %: [0-9]+ of 4096 rows \([0-9]+ %\), [0-9.e+]+ rows/s, .* left$' "$dir/out" > "$dir/said"
    [ "$(wc -l < "$dir/said")" = 3 ]
}

for stage in tokenize harvest shuffle; do
    training 'target_l0: [5]'
    stage 2 $stage "$dir/suite.yaml" > /dev/null
done
for claim in warns_of_thresholds_that_stay_and_l0_that_is_far warns_of_dead_latents \
        does_not_warn_without_reason stops_when_the_loss_explodes \
        stops_at_a_loss_that_is_not_a_number says_every_few_seconds_how_it_goes; do
    try $claim
done
finish
