#!/bin/sh
# Tokenizers of every kind give random text the ids of their definition in Python, on any ranks.
. tests/lib.sh

# $1: a folder of tests/golden/tokenizers.
check() {
    mkdir -p "$dir/$1"
    "$PYTHON" -B tests/end_to_end/tokenizers.py make "$dir/$1" "$1"
    cat > "$dir/$1/suite.yaml" << END
name: test
run: $dir/$1/run
model:
  path: $dir/$1/model
  tokenizer: tests/golden/tokenizers/$1/tokenizer.json
corpus:
  files: [$dir/$1/text.jsonl]
  context: 48
saes:
  - sites: [res]
END
    stage 2 tokenize "$dir/$1/suite.yaml"
    HDF5_PLUGIN_PATH=lib "$PYTHON" -B tests/end_to_end/tokenizers.py compare "$dir/$1" "$1"
}

gives_the_ids_of_llama3() { check llama3; }
gives_the_ids_of_qwen() { check qwen2; check qwen3; }
gives_the_ids_of_gpt_neox() { check gpt-neox; }
gives_the_ids_of_olmo2() { check olmo2; }
gives_the_ids_of_mistral() { check mistral; check mistral-v3; check tekken; }
gives_the_ids_of_llama2() { check llama2-normalized; }
gives_the_ids_of_phi3() { check phi3; }
gives_the_ids_of_gemma3() { check gemma3; }

try gives_the_ids_of_llama3
try gives_the_ids_of_qwen
try gives_the_ids_of_gpt_neox
try gives_the_ids_of_olmo2
try gives_the_ids_of_mistral
try gives_the_ids_of_llama2
try gives_the_ids_of_phi3
try gives_the_ids_of_gemma3
finish
