#!/bin/sh
# A suite file, a checkpoint or a text that is not what it should be: refused in one line.
. tests/lib.sh

# Another suite needs another run folder.
afresh() { rm -rf "$dir/run"; }

# The suite with a copy of the demo's model.
whole_model() {
    afresh
    rm -rf "$dir/model"
    cp -r jobs/demo/tiny-gemma2 "$dir/model"
    sed "s|path: .*|path: $dir/model|" "$dir/suite.yaml" > "$dir/damaged.yaml"
}

# The same with one file damaged: damaged_model HOW FILE [KEY].
damaged_model() {
    whole_model
    how=$1 file=$2
    shift 2
    "$PYTHON" tests/faults/damage.py "$how" "$dir/model/$file" "$@"
}

refuses_a_misspelt_key() {
    sed 's/learning_rate/learning_rat/' "$dir/suite.yaml" > "$dir/misspelt.yaml"
    line=$(grep -n learning_rat "$dir/misspelt.yaml" | cut -d: -f1)
    refused "$dir/misspelt.yaml" "$dir/misspelt.yaml:$line" learning_rat
}

refuses_a_config_without_a_needed_key() {
    damaged_model without config.json num_key_value_heads
    refused "$dir/damaged.yaml" "$dir/model/config.json" num_key_value_heads
}

refuses_a_truncated_checkpoint() {
    damaged_model truncate model.safetensors
    refused "$dir/damaged.yaml" "$dir/model/model.safetensors"
}

refuses_tensors_that_overlap() {
    damaged_model overlap model.safetensors
    refused "$dir/damaged.yaml" "$dir/model/model.safetensors"
}

refuses_tensors_beyond_the_end() {
    damaged_model beyond model.safetensors
    refused "$dir/damaged.yaml" "$dir/model/model.safetensors"
}

refuses_a_weight_that_is_not_a_number() {
    damaged_model nan model.safetensors model.layers.1.mlp.up_proj.weight
    refused "$dir/damaged.yaml" "$dir/model/model.safetensors" layers.1.mlp.up_proj.weight finite
}

# From several files the model is the same; not so without one of them, or when the index
# names a tensor that is not there.
# The hash of the rows of each file of the harvest $1, on standard output.
hashes() {
    "$PYTHON" -c 'import glob, h5py, sys
for path in sorted(glob.glob(sys.argv[1] + "/*/*.h5")):
    print(path[len(sys.argv[1]):], h5py.File(path).attrs["hash"])' "$1"
}

# The same rows; but to other files they are tied by another identity.
takes_a_checkpoint_in_several_files() {
    whole_model
    stage 2 tokenize "$dir/damaged.yaml"
    stage 2 harvest "$dir/damaged.yaml"
    mv "$dir/run/harvest" "$dir/whole"
    "$PYTHON" tests/faults/damage.py shards "$dir/model/model.safetensors"
    stage 2 harvest "$dir/damaged.yaml"
    hashes "$dir/whole" > "$dir/wanted"
    [ -s "$dir/wanted" ]
    hashes "$dir/run/harvest" | cmp - "$dir/wanted"
}

refuses_a_lost_file_of_a_checkpoint() {
    rm -rf "$dir/run/harvest"
    mv "$dir/model/model-2.safetensors" "$dir/model/lost"
    refused "$dir/damaged.yaml" "$dir/model/model.safetensors.index.json" model-2.safetensors
    mv "$dir/model/lost" "$dir/model/model-2.safetensors"
}

refuses_an_index_that_names_a_missing_tensor() {
    sed -i 's|{"weight_map": {|&"model.layers.7.x": "model-1.safetensors", |' \
        "$dir/model/model.safetensors.index.json"
    refused "$dir/damaged.yaml" "$dir/model/model.safetensors.index.json" model.layers.7.x \
        model-1.safetensors
    afresh
}

refuses_a_layer_the_model_does_not_have() {
    sed 's/layers: \[0, 2\]/layers: [0-4]/' "$dir/suite.yaml" > "$dir/wrong.yaml"
    refused "$dir/wrong.yaml" 0-4 'the model has 4'
}

refuses_a_site_that_does_not_exist() {
    sed 's/sites: \[attn, res\]/sites: [attn, rse]/' "$dir/suite.yaml" > "$dir/wrong.yaml"
    line=$(grep -n rse "$dir/wrong.yaml" | cut -d: -f1)
    refused "$dir/wrong.yaml" "$dir/wrong.yaml:$line" rse mlp_in
}

refuses_sequences_longer_than_the_model_knows() {
    afresh
    sed 's/context: .*/context: 257/' "$dir/suite.yaml" > "$dir/wrong.yaml"
    refused "$dir/wrong.yaml" 257 jobs/demo/tiny-gemma2 256
}

# $1: id of a token.
ready_ids() {
    "$PYTHON" -c 'import h5py, numpy, sys
ids = numpy.full((3, 64), 7, "i4")
ids[:, 0] = 2
ids[2, 63] = sys.argv[2]
h5py.File(sys.argv[1], "w")["tokens"] = ids' "$dir/ids.h5" "$1"
    sed "s|files: .*|files: [$dir/ids.h5]|" "$dir/suite.yaml" > "$dir/wrong.yaml"
}

refuses_ids_beyond_the_vocabulary() {
    afresh
    ready_ids 4096
    refused "$dir/wrong.yaml" "$dir/ids.h5" 4096
    ready_ids -1
    refused "$dir/wrong.yaml" "$dir/ids.h5" -1
}

# Of a text that is read as a whole.
refuses_to_tokenize_without_memory() {
    afresh
    documents 40000 > "$dir/text/2.txt"
    sed "s|files: .*|files: [$dir/text/2.txt, $dir/text/0.jsonl]|" "$dir/suite.yaml" > "$dir/wrong.yaml"
    bin/saemill plan "$dir/wrong.yaml" | grep "^  tokenize .* [23][0-9][0-9] MB "
    export SLURM_MEM_PER_NODE=400
    without_room tokenize "$dir/wrong.yaml" "$dir/run/tokens" 'tokenize needs' memory '419 MB'
    unset SLURM_MEM_PER_NODE
    rm "$dir/text/2.txt"
}

# 84 MB are less than the programs alone need.
refuses_a_harvest_without_memory() {
    afresh
    stage 1 tokenize "$dir/suite.yaml"
    export SLURM_MEM_PER_NODE=80
    without_room harvest "$dir/suite.yaml" "$dir/run/harvest" 'harvest needs' memory '83.9 MB'
    unset SLURM_MEM_PER_NODE
    export SLURM_MEM_PER_CPU=40 SLURM_CPUS_ON_NODE=2
    without_room harvest "$dir/suite.yaml" "$dir/run/harvest" 'harvest needs' memory '83.9 MB'
}

refuses_text_that_is_not_json() {
    afresh
    echo 'not JSON' > "$dir/text/2.jsonl"
    refused "$dir/suite.yaml" "$dir/text/2.jsonl"
}

try refuses_a_misspelt_key
try refuses_a_config_without_a_needed_key
try refuses_a_truncated_checkpoint
try refuses_tensors_that_overlap
try refuses_tensors_beyond_the_end
try refuses_a_weight_that_is_not_a_number
try takes_a_checkpoint_in_several_files
try refuses_a_lost_file_of_a_checkpoint
try refuses_an_index_that_names_a_missing_tensor
try refuses_a_layer_the_model_does_not_have
try refuses_a_site_that_does_not_exist
try refuses_sequences_longer_than_the_model_knows
try refuses_ids_beyond_the_vocabulary
try refuses_to_tokenize_without_memory
try refuses_a_harvest_without_memory
try refuses_text_that_is_not_json
finish
