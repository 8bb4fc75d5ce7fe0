#!/bin/sh
# Every model family, from ready ids (no tokenizer is there) to activations on disk, equals its
# reference.
. tests/lib.sh

ids_suite() {
    suite | sed -e "s|path: .*|path: tests/golden/$1|" -e "s|^run: .*|run: $dir/$1|" \
        -e "s|files: .*|files: [tests/golden/$1/expected.h5]|" -e 's|context: .*|context: 48|' \
        -e 's|holdout: .*|holdout: 0|' -e 's|sites: \[attn, res\]|sites: [attn, mlp, res]|' \
        -e 's|layers: \[0, 2\]|layers: [all]|' -e 's|block: .*|block: 1|' \
        -e 's|shard: 64|shard: 2|' -e 's|^harvest:|&\n  store: f32|'
}

harvests_as_the_reference() {
    ids_suite "$1" > "$dir/$1.yaml"
    stage 1 tokenize "$dir/$1.yaml"
    stage 2 harvest "$dir/$1.yaml"
    HDF5_PLUGIN_PATH=lib "$PYTHON" tests/end_to_end/families.py \
        "tests/golden/$1/expected.h5" "$dir/$1/harvest"
}

gemma_1()   { harvests_as_the_reference gemma1-random; }
gemma_2()   { harvests_as_the_reference gemma2-random; }
gemma_3()   { harvests_as_the_reference gemma3-random; }
gpt_2()     { harvests_as_the_reference gpt2-random; }

for family in gemma_1 gemma_2 gemma_3 gpt_2; do
    try $family
done
finish
