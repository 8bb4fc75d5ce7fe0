#!/bin/sh
# Every model family, from ready ids (no tokenizer is there): activations on disk equal the
# reference, and have the same bits whatever the ranks; an autoencoder is trained on them and scored.
. tests/lib.sh

ids_suite() {
    suite | sed -e "s|path: .*|path: $dir/$1-model|" -e "s|^run: .*|run: $dir/$1|" \
        -e "s|files: .*|files: [$dir/$1-model/ids.h5]|" -e "s|context: .*|context: $2|" \
        -e 's|holdout: .*|holdout: 0|' -e 's|sites: \[attn, res\]|sites: [attn, mlp_in, mlp, res]|' \
        -e 's|layers: \[0, 2\]|layers: [all]|' -e 's|block: .*|block: 1|' \
        -e 's|shard: 64|shard: 2|' -e 's|^harvest:|&\n  store: f32|'
}

# A copy of a golden model with texts: those of its reference, or COUNT random ones.  Where texts of
# the reference do not begin with BOS, its first text is taken, and its first id for BOS.
model_of() {
    rm -rf "$dir/$1-model"
    cp -r "tests/golden/$1" "$dir/$1-model"
    "$PYTHON" - "$dir/$1-model" "${2-}" << 'END'
import json
import sys

import h5py
import numpy

folder, count = sys.argv[1:]
with open(folder + "/config.json") as file:
    config = json.load(file)
ids = h5py.File(folder + "/expected.h5")["tokens"][:]
if (ids[:, 0] != config.get("bos_token_id")).any():
    ids = ids[:1]
    config["bos_token_id"] = int(ids[0, 0])
if count:
    ids = numpy.random.default_rng(3).integers(3, config["vocab_size"], (int(count), 48), "i4")
    ids[:, 0] = config["bos_token_id"]
with open(folder + "/config.json", "w") as file:
    json.dump(config, file)
h5py.File(folder + "/ids.h5", "w")["tokens"] = ids
END
}

harvests_as_the_reference() {
    model_of "$1"
    ids_suite "$1" "${2:-48}" > "$dir/$1.yaml"
    stage 1 tokenize "$dir/$1.yaml"
    stage 2 harvest "$dir/$1.yaml"
    HDF5_PLUGIN_PATH=lib "$PYTHON" tests/end_to_end/families.py \
        "tests/golden/$1/expected.h5" "$dir/$1/harvest"
}

gemma_1()   { harvests_as_the_reference gemma1-random; }
gemma_2()   { harvests_as_the_reference gemma2-random; }
gemma_3()   { harvests_as_the_reference gemma3-random; }
gpt_2()     { harvests_as_the_reference gpt2-random; }
gpt_neox()  { harvests_as_the_reference gpt-neox-random; }
llama_3()   { harvests_as_the_reference llama3-random 80; }
mistral()   { harvests_as_the_reference mistral-random; }
olmo_2()    { harvests_as_the_reference olmo2-random; }
phi_3()     { harvests_as_the_reference phi3-random; }
qwen_2()    { harvests_as_the_reference qwen2-random; }
qwen_3()    { harvests_as_the_reference qwen3-random; }

random_suite() {
    suite | sed -e "s|path: .*|path: $dir/$1-model|" -e "s|^run: .*|run: $dir/$1-trained|" \
        -e "s|files: .*|files: [$dir/$1-model/ids.h5]|" -e 's|context: .*|context: 48|' \
        -e 's|holdout: .*|holdout: 0.2|' -e 's|sites: \[attn, res\]|sites: [attn, mlp_in, mlp, res]|' \
        -e 's|tokens: 4096|tokens: 1024|' -e 's|sites: \[attn\]$|sites: [mlp_in]\n    target: mlp|'
}

# It names no BOS, so sequences of text begin with EOS, 407.
olmo_2_begins_with_eos() {
    cp -r tests/golden/olmo2-random "$dir/olmo2-text"
    cp tests/golden/tokenizers/olmo2/tokenizer.json "$dir/olmo2-text"
    suite | sed -e "s|path: .*|path: $dir/olmo2-text|" -e "s|^run: .*|run: $dir/olmo2-read|" \
        -e 's|context: .*|context: 48|' > "$dir/olmo2-text.yaml"
    stage 1 tokenize "$dir/olmo2-text.yaml"
    HDF5_PLUGIN_PATH=lib "$PYTHON" -c "import h5py
ids = h5py.File('$dir/olmo2-read/tokens/00000.h5')['train/ids'][:]
assert (ids[:, 0] == 407).all() and (ids[:, 1] != 407).any()"
}

# Harvested on 3, 2 and 1 ranks, on 1 thread and 2.
has_the_same_bits_on_any_number_of_ranks() {
    for ranks in 3 2 1; do
        OMP_NUM_THREADS=$((1 + ranks % 2)) stage $ranks harvest "$dir/$1.yaml"
        [ $ranks = 3 ] || HDF5_PLUGIN_PATH=lib "$PYTHON" tests/end_to_end/same_run.py \
            "$dir/$1-harvest" "$dir/$1-trained/harvest"
        rm -rf "$dir/$1-harvest"
        [ $ranks = 1 ] || mv "$dir/$1-trained/harvest" "$dir/$1-harvest"
    done
}

# Autoencoders of the residual stream, and a transcoder, are trained on the rows, and scored.
goes_all_the_way() {
    model_of "$1-random" 48
    random_suite "$1-random" > "$dir/$1-random.yaml"
    stage 1 tokenize "$dir/$1-random.yaml"
    has_the_same_bits_on_any_number_of_ranks "$1-random"
    for part in shuffle train evaluate; do
        stage 2 $part "$dir/$1-random.yaml"
    done
    [ "$(find "$dir/$1-random-trained/evaluate" -name '*.json' | wc -l)" = 5 ]
}

gemma_1_goes_all_the_way()  { goes_all_the_way gemma1; }
gemma_3_goes_all_the_way()  { goes_all_the_way gemma3; }
llama_3_goes_all_the_way()  { goes_all_the_way llama3; }
mistral_goes_all_the_way()  { goes_all_the_way mistral; }
qwen_2_goes_all_the_way()   { goes_all_the_way qwen2; }
qwen_3_goes_all_the_way()   { goes_all_the_way qwen3; }
gpt_neox_goes_all_the_way() { goes_all_the_way gpt-neox; }
olmo_2_goes_all_the_way()   { goes_all_the_way olmo2; }
phi_3_goes_all_the_way()    { goes_all_the_way phi3; }

# Does this build, on this CPU, multiply in bf16?
offers_bf16() {
    ! stage 1 harvest "$dir/$1-bf16.yaml" 2>&1 | grep 'precision bf16 needs'
}

# The same in bf16: losses of the model, and with autoencoders in it, are those of float32 to 0.1 %.
is_spliced_in_bf16() {
    sed -e 's|^model:|&\n  precision: bf16|' -e "s|$1-random-trained|$1-random-bf16|" \
        "$dir/$1-random.yaml" > "$dir/$1-bf16.yaml"
    offers_bf16 "$1" || return 0
    for part in tokenize harvest shuffle train evaluate; do
        stage 2 $part "$dir/$1-bf16.yaml"
    done
    "$PYTHON" -c 'import glob, json, sys
folders = sys.argv[1:]
names = [path[len(folders[0]):] for path in glob.glob(folders[0] + "/*/*.json")]
assert len(names) == 5, names
for name in names:
    f32, bf16 = (json.load(open(folder + name)) for folder in folders)
    for loss in ("ce", "ce_spliced"):
        print(name, loss, f32[loss], bf16[loss])
        assert abs(bf16[loss] / f32[loss] - 1) < 0.001, name
' "$dir/$1-random-trained/evaluate" "$dir/$1-random-bf16/evaluate"
}

gemma_is_spliced_in_bf16()    { is_spliced_in_bf16 gemma1; is_spliced_in_bf16 gemma3; }
llama_is_spliced_in_bf16()    { is_spliced_in_bf16 llama3; is_spliced_in_bf16 mistral; }
qwen_is_spliced_in_bf16()     { is_spliced_in_bf16 qwen2; is_spliced_in_bf16 qwen3; }
gpt_neox_is_spliced_in_bf16() { is_spliced_in_bf16 gpt-neox; }
olmo_2_is_spliced_in_bf16()   { is_spliced_in_bf16 olmo2; }
phi_3_is_spliced_in_bf16()    { is_spliced_in_bf16 phi3; }

# There is no norm before OLMo 2's MLP, so no rows before its gain.
olmo_2_has_no_norm_to_name() {
    stage 1 release "$dir/olmo2-random.yaml"
    grep -q '"norm": "none"' "$dir/olmo2-random-trained/release/manifest.json"
    ! grep -r hook_name_before_gain "$dir/olmo2-random-trained/release"
    timeout "$hung" bin/saemill verify "$dir/olmo2-random-trained/release"
}

for family in gemma_1 gemma_2 gemma_3 gpt_2 gpt_neox llama_3 mistral olmo_2 phi_3 qwen_2 qwen_3; do
    try $family
done
for family in gemma_1 gemma_3 llama_3 mistral qwen_2 qwen_3 gpt_neox olmo_2 phi_3; do
    try ${family}_goes_all_the_way
done
for family in gemma llama qwen gpt_neox olmo_2 phi_3; do
    try ${family}_is_spliced_in_bf16
done
try olmo_2_has_no_norm_to_name
try olmo_2_begins_with_eos
finish
