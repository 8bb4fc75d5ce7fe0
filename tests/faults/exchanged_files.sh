#!/bin/sh
# A file in the place of another one of the same kind: refused by the stage that reads it.
. tests/lib.sh

# exchanged STAGE A B WORD...: with A and B exchanged the stage is refused with all the words.
exchanged() {
    stage=$1 a=$2 b=$3
    shift 3
    mv "$a" "$dir/away"; mv "$b" "$a"; mv "$dir/away" "$b"
    if stage 1 "$stage" "$dir/suite.yaml" > "$dir/out" 2> "$dir/err"; then return 1; fi
    mv "$a" "$dir/away"; mv "$b" "$a"; mv "$dir/away" "$b"
    refusal "$@"
}

streams_of_a_harvest() {
    exchanged shuffle "$dir/run/harvest/00000/res.00.h5" "$dir/run/harvest/00000/res.02.h5" \
        "holds rows of res.02, but res.00 belongs there"
}

shuffled_streams() {
    stage 1 shuffle "$dir/suite.yaml"
    exchanged train "$dir/run/shuffle/res.00" "$dir/run/shuffle/res.02" \
        "holds rows of res.02, but res.00 belongs there"
}

autoencoders_of_two_streams() {
    stage 1 train "$dir/suite.yaml"
    [ -e "$dir/run/train/res.02/w64-t5.h5" ]
    exchanged evaluate "$dir/run/train/res.00/w64-t5.h5" "$dir/run/train/res.02/w64-t5.h5" \
        "is an autoencoder of res of layer" "belongs there"
}

an_autoencoder_of_another_seed() {
    sed -e "s|^run:.*|run: $dir/other|" -e 's/^  batch: .*/&\n  seed: 9/' "$dir/suite.yaml" \
        > "$dir/seed.yaml"
    mkdir "$dir/other"
    cp -r "$dir/run/tokens" "$dir/run/harvest" "$dir/run/shuffle" "$dir/other"
    stage 1 train "$dir/seed.yaml"
    exchanged evaluate "$dir/run/train/res.00/w64-t5.h5" "$dir/other/train/res.00/w64-t5.h5" \
        "was made with 'seed: 9', but the suite says 'seed: 0'"
}

suite | sed '/- sites: .attn/,$d' | sed 's/sites: .attn, res./sites: [res]/; s/ shard: 64$/ shard: 4096/' > "$dir/suite.yaml"
stage 1 tokenize "$dir/suite.yaml" > /dev/null
stage 1 harvest "$dir/suite.yaml" > /dev/null
for claim in streams_of_a_harvest shuffled_streams autoencoders_of_two_streams \
    an_autoencoder_of_another_seed; do
    try $claim
done
finish
