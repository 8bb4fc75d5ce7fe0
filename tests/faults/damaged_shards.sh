#!/bin/sh
# One flipped bit in a file of the run folder: the stage that reads it names the file, what
# else is complete stays, and the remedy it names gives the right file again.
. tests/lib.sh

# Do stage $1, flip a bit in data set $3 of its file $2: the next stage refuses and says to
# remove $4.  Do that and $1 again.
found() {
    folder=$dir/run/${2%%/*}
    stage 2 "$1" "$dir/suite.yaml"
    rm -rf "$dir/whole"
    cp -r "$folder" "$dir/whole"
    "$PYTHON" tests/faults/damage.py flip "$dir/run/$2" "$3"
    complete > "$dir/before"
    refused "$dir/suite.yaml" "$dir/run/$2" "remove $4"
    untouched "$dir/before"
    case $4 in
    *folder*) rm -r "$dir/run/${2%/*}" ;;
    *)        rm "$dir/run/$2" ;;
    esac
    stage 2 "$1" "$dir/suite.yaml"
    same_run "$dir/whole" "$folder"
}

finds_a_flipped_bit_in_tokens() {
    found tokenize tokens/00000.h5 train/ids "the file"
}

finds_a_flipped_bit_in_harvest() {
    found harvest harvest/00001/res.02.h5 activation "the folder it is in"
}

finds_a_flipped_bit_in_shuffle() {
    found shuffle shuffle/res.00/00001.h5 activation "the folder it is in"
}

finds_a_flipped_bit_in_train() {
    found train train/res.00/w64-t5.h5 decoder "the file"
}

# Token shards of a suite with a longer context, copied: nothing is written behind the buffers.
refuses_tokens_of_another_context() {
    suite | sed "s,^run:.*,run: $dir/longer,; s,context: 64,context: 96," > "$dir/longer.yaml"
    suite | sed "s,^run:.*,run: $dir/copied," > "$dir/copied.yaml"
    stage 1 tokenize "$dir/longer.yaml"
    mkdir "$dir/copied"
    cp -r "$dir/longer/tokens" "$dir/copied/tokens"
    status=0
    stage 2 harvest "$dir/copied.yaml" > "$dir/refusal" 2>&1 || status=$?
    [ "$status" = 2 ]
    grep -q "$dir/copied/tokens/00000.h5 was made with 'context: 96'" "$dir/refusal"
    grep -q "the suite says 'context: 64'" "$dir/refusal"
}

# Where one number is read to, a thousand would not fit.
refuses_an_attribute_of_many_values() {
    rm -rf "$dir/run/harvest"
    "$PYTHON" tests/faults/damage.py array "$dir/run/tokens/00001.h5" bos
    refused "$dir/suite.yaml" "'bos' of $dir/run/tokens/00001.h5" 'wrong type'
    rm "$dir/run/tokens/00001.h5"
    stage 1 tokenize "$dir/suite.yaml"
}

try finds_a_flipped_bit_in_tokens
try refuses_an_attribute_of_many_values
try finds_a_flipped_bit_in_harvest
try finds_a_flipped_bit_in_shuffle
try finds_a_flipped_bit_in_train
try refuses_tokens_of_another_context
finish
