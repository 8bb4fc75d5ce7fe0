#!/bin/sh
# A GPT-2 goes the same way as a Gemma: from its own tokenizer to a release.
. tests/lib.sh
model=tests/golden/gpt2-random

gpt2_suite() {
    suite | sed -e "s|path: .*|path: $model|" -e 's|context: .*|context: 48|' \
        -e 's|sites: \[attn, res\]|sites: [attn, mlp, res]|'
}

# Ids of every document, without BOS and padding, are those of the definition.
is_tokenized_by_its_definition() {
    gpt2_suite > "$dir/suite.yaml"
    stage 2 tokenize "$dir/suite.yaml"
    HDF5_PLUGIN_PATH=lib "$PYTHON" -B - "$dir" "$model" << 'END'
import json
import sys

import h5py

sys.path.insert(0, sys.argv[2])
import tokenizer

with open(sys.argv[2] + "/tokenizer.json") as file:
    model = json.load(file)
ids = {}
with h5py.File(sys.argv[1] + "/run/tokens/00000.h5") as file:
    assert [file.attrs[name] for name in ("bos", "eos", "pad")] == [299, 299, 299]
    for part in "train", "holdout":
        for document, sequence in zip(file[part + "/document"], file[part + "/ids"]):
            assert sequence[0] == 299
            ids.setdefault(document, []).extend(i for i in sequence if i != 299)
with open(sys.argv[1] + "/text/0.jsonl") as file:
    for document, line in enumerate(file):
        assert ids[document] == tokenizer.encode(model, json.loads(line)["text"].encode())
assert len(ids) == 120
END
}

ends_in_a_release() {
    for stage in harvest shuffle train evaluate release; do
        stage 2 $stage "$dir/suite.yaml"
    done
    [ "$(find "$dir/run/release" -name params.npz | wc -l)" = 5 ]
    grep -q tokenizer.json "$dir/run/release/manifest.json"
}

is_verified() { timeout "$hung" bin/saemill verify "$dir/run/release" | grep 'has the scores it says'; }

try is_tokenized_by_its_definition
try ends_in_a_release
try is_verified
finish
