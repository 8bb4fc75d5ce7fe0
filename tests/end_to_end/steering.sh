#!/bin/sh
# Steering on two small autoencoders of a small model: the same bits on any number of ranks, whichever
# task comes last; what is wrong is said in one sentence.
. tests/lib.sh

documents 40 > "$dir/text/a.jsonl"
documents 3 > "$dir/retain.jsonl"
documents 6 | tail -3 > "$dir/positive.jsonl"
suite | sed -e "s|^run: .*|run: $dir/trained|" -e 's/sites: \[attn, res\]/sites: [res]/' \
    -e 's/tokens: 4096/tokens: 1024/' -e '/- sites: \[attn\]/,$d' > "$dir/trained.yaml"
cat > "$dir/suite.yaml" << END
name: test
run: $dir/run
model:
  path: jobs/demo/tiny-gemma2
intervene:
  method: steering
  suite: $dir/trained.yaml
  autoencoders: [res.00/w64-t5]
  read: res.02/w64-t10
  retain: [$dir/retain.jsonl]
  context: 10
  block: 2
  vectors: 6
  portion: 4
  scale_step: 0.3
  held_out: 2
  epochs: 40
  rate: 0.02
  targets: [5]
  positive: [$dir/positive.jsonl]
  negative: [$dir/retain.jsonl]
  prompts: [$dir/prompts.jsonl]
  samples: 2
  tokens: 4
END
printf '{"text": "The"}\n{"text": ""}\n' > "$dir/prompts.jsonl"

steers_with_the_same_bits_on_any_ranks() {
    for stage in tokenize harvest shuffle train; do
        stage 1 $stage "$dir/trained.yaml"
    done
    stage 1 intervene "$dir/suite.yaml"
    mv "$dir/run" "$dir/ranks-1"
    stage 3 intervene "$dir/suite.yaml"
    same_run "$dir/ranks-1" "$dir/run"
    rm -r "$dir/run"
}

# Targets wait for all portions; whoever makes the last portion goes on with them.
the_last_portion_is_followed_by_the_targets() {
    stage 2 intervene "$dir/suite.yaml" --task 2 > "$dir/out"
    grep 'the targets wait until all portions are there; 0 of 2 are' "$dir/out"
    stage 2 intervene "$dir/suite.yaml" --task 1
    [ ! -e "$dir/run/intervene/steering-targets.json" ]
    bin/saemill status "$dir/suite.yaml" | grep 'intervene .* 1 of  *3 files'
    stage 2 intervene "$dir/suite.yaml" --task 0
    same_run "$dir/ranks-1" "$dir/run"
}

# Each vector costs what it should, to what a line leaves of the curve of losses.
measures_what_vectors_do() {
    "$PYTHON" -c 'import h5py, json, sys
folder = sys.argv[1]
read = lambda name: json.load(open(f"{folder}/{name}.json"))
first, second, targets = read("steering-00000"), read("steering-00001"), read("steering-targets")
vectors = first["vectors"] + second["vectors"]
assert [vector["latent"] for vector in vectors] == list(range(6)), vectors
assert all(0.3 < vector["loss_added"] < 0.7 for vector in vectors), vectors
assert h5py.File(f"{folder}/steering-00000.h5")["effects"].shape == (4, 64)
assert sum(targets["scales"]["bins"]) == 6 and targets["effects"] == "teacher_forced", targets
ways = {way["way"]: way for way in targets["targets"][0]["ways"]}
assert list(ways) == ["decoder", "targeted", "rotated", "inverse", "contrast"], ways
assert ways["decoder"]["largest"] == 5 and ways["targeted"]["effect"] > 0, ways
' "$dir/ranks-1/intervene"
}

# In the order of the targets, and without a vector at the end.
writes_completions_for_a_judge() {
    "$PYTHON" -c 'import json, sys
folder = sys.argv[1]
ways = json.load(open(f"{folder}/steering-targets.json"))["targets"][0]["ways"]
lines = [json.loads(line) for line in open(f"{folder}/steering-completions.jsonl")]
expected = [(5, way["way"], way["scale"]) for way in ways] + [(None, "none", 0)]
assert [(line["latent"], line["way"], line["scale"]) for line in lines[::4]] == expected, lines
assert [(line["prompt"], line["sample"]) for line in lines] == 6 * [
    ("The", 0), ("The", 1), ("", 0), ("", 1)], lines
assert all(1 <= len(line["ids"]) <= 4 for line in lines), lines
assert lines[0]["ids"] != lines[20]["ids"], lines
' "$dir/ranks-1/intervene"
    grep -q "of <code>res.00/w64-t5</code>" "$dir/ranks-1/intervene/steering-targets.html"
}

# Effects on what the model writes are others than those on given texts; scales are the same.
effects_of_generations_have_the_same_bits_on_any_ranks() {
    sed -e "s|^run: .*|run: $dir/written|" -e 's|portion: 4|portion: 2|' \
        -e 's|^  epochs|  effects: generations\n&|' "$dir/suite.yaml" > "$dir/written.yaml"
    stage 1 intervene "$dir/written.yaml" --task 0
    mv "$dir/written" "$dir/written-1"
    stage 2 intervene "$dir/written.yaml" --task 0
    same_run "$dir/written-1" "$dir/written"
    HDF5_PLUGIN_PATH=lib "$PYTHON" -c 'import h5py, json, sys
read = lambda folder: json.load(open(f"{folder}/intervene/steering-00000.json"))
effects = lambda folder: h5py.File(f"{folder}/intervene/steering-00000.h5")["effects"][:2]
forced, written = sys.argv[1:]
assert read(written)["vectors"] == read(forced)["vectors"][:2]
assert read(written)["effects"] == "generations"
assert abs(effects(written)).max() > 0 and (effects(written) != effects(forced)).any()
' "$dir/ranks-1" "$dir/written"
}

# wrong SED WORD...: the task file with a mistake is refused with these words.
wrong() {
    sed -e "s|^run: .*|run: $dir/wrong|" -e "$1" "$dir/suite.yaml" > "$dir/wrong.yaml"
    shift
    refused "$dir/wrong.yaml" "$@"
}

refuses_in_one_sentence() {
    : > "$dir/none.jsonl"
    wrong 's|targets: .*|targets: [64]|' 'res.02/w64-t10 has no latent 64'
    wrong '/retain:/d' "'intervene.retain' is missing"
    wrong "s|retain: .*|retain: [$dir/none.jsonl]|" 'none.jsonl has no texts'
    wrong '/negative:/d' 'only one is given'
    wrong 's|vectors: 6|&\n  scale_most: 0.3|' 'none of 4 vectors raises the loss by 0.5 nats'
}

for claim in steers_with_the_same_bits_on_any_ranks the_last_portion_is_followed_by_the_targets \
        measures_what_vectors_do writes_completions_for_a_judge \
        effects_of_generations_have_the_same_bits_on_any_ranks refuses_in_one_sentence; do
    try $claim
done
finish
