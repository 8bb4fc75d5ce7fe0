#!/bin/sh
# Conversations go to a release, and harvest stores what the asked roles say and nothing else.
. tests/lib.sh

# $1: the run's name; $2: whose tokens are kept.
chat_suite() {
    suite | sed -e "s|^run: .*|run: $dir/$1|" -e "s|text/\*.jsonl|text/0.jsonl|" \
        -e "s|^  context: .*|&\n  chat: gemma\n  roles: [$2]|" \
        -e "s|^model:|&\n  tokenizer: tests/golden/tokenizers/gemma3/tokenizer.json|"
}

stores_the_rows_of_a_role() {
    "$PYTHON" -B tests/end_to_end/chat.py make > "$dir/text/0.jsonl"
    chat_suite some assistant > "$dir/some.yaml"
    chat_suite all 'system, user, assistant, template' > "$dir/all.yaml"
    for stage in tokenize harvest; do
        stage 2 $stage "$dir/some.yaml"
        stage 1 $stage "$dir/all.yaml"
    done
    HDF5_PLUGIN_PATH=lib "$PYTHON" -B tests/end_to_end/chat.py compare "$dir/some" "$dir/all"
}

ends_in_a_release() {
    for stage in shuffle train evaluate release; do
        stage 2 $stage "$dir/some.yaml"
    done
    timeout "$hung" bin/saemill verify "$dir/some/release" | grep 'has the scores it says'
}

# Evaluate scores rows of the kept tokens only.
scores_what_is_kept() {
    HDF5_PLUGIN_PATH=lib "$PYTHON" -B - "$dir/some" << 'END'
import glob
import json
import sys

import h5py

with h5py.File(sys.argv[1] + "/tokens/00000.h5") as file:
    kept = int((file["holdout/ids"][:] > 2).sum())
for path in glob.glob(sys.argv[1] + "/evaluate/*/*.json"):
    with open(path, encoding="utf-8") as file:
        assert json.load(file)["tokens"] == kept > 0, path
END
}

try stores_the_rows_of_a_role
try ends_in_a_release
try scores_what_is_kept
finish
