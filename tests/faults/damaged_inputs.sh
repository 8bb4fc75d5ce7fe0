#!/bin/sh
# A suite file, a checkpoint or a text that is not what it should be: refused in one line.
. tests/lib.sh

# The suite with a copy of the demo's model in which a file is damaged:
# damaged_model HOW FILE [KEY].
damaged_model() {
    rm -rf "$dir/model"
    cp -r jobs/demo/tiny-gemma2 "$dir/model"
    how=$1 file=$2
    shift 2
    "$PYTHON" tests/faults/damage.py "$how" "$dir/model/$file" "$@"
    sed "s|path: .*|path: $dir/model|" "$dir/suite.yaml" > "$dir/damaged.yaml"
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

refuses_text_that_is_not_json() {
    rm -rf "$dir/run"
    echo 'not JSON' > "$dir/text/2.jsonl"
    refused "$dir/suite.yaml" "$dir/text/2.jsonl"
}

try refuses_a_misspelt_key
try refuses_a_config_without_a_needed_key
try refuses_a_truncated_checkpoint
try refuses_tensors_that_overlap
try refuses_tensors_beyond_the_end
try refuses_text_that_is_not_json
finish
