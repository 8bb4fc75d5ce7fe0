#!/bin/sh
# Steering on two small autoencoders of a small model: the same bits on any number of ranks, whichever
# task comes last; what is wrong is said in one sentence.
. tests/lib.sh

documents 40 > "$dir/text/a.jsonl"
documents 6 > "$dir/retain.jsonl"
documents 12 | tail -6 > "$dir/positive.jsonl"
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
  context: 12
  block: 4
  vectors: 8
  portion: 5
  scale_step: 0.3
  held_out: 2
  epochs: 40
  rate: 0.02
  targets: [5]
  positive: [$dir/positive.jsonl]
  negative: [$dir/retain.jsonl]
END

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
assert [vector["latent"] for vector in vectors] == list(range(8)), vectors
assert all(0.3 < vector["loss_added"] < 0.7 for vector in vectors), vectors
assert h5py.File(f"{folder}/steering-00000.h5")["effects"].shape == (5, 64)
assert sum(targets["scales"]["bins"]) == 8 and targets["effects"] == "teacher_forced", targets
ways = {way["way"]: way for way in targets["targets"][0]["ways"]}
assert list(ways) == ["decoder", "targeted", "rotated", "inverse", "contrast"], ways
assert ways["decoder"]["largest"] == 5 and ways["targeted"]["effect"] > 0, ways
' "$dir/ranks-1/intervene"
}

# wrong SED WORD...: the task file with a mistake is refused with these words.
wrong() {
    sed -e "s|^run: .*|run: $dir/wrong|" -e "$1" "$dir/suite.yaml" > "$dir/wrong.yaml"
    shift
    refused "$dir/wrong.yaml" "$@"
}

refuses_in_one_sentence() {
    wrong 's|targets: .*|targets: [64]|' 'res.02/w64-t10 has no latent 64'
    wrong '/retain:/d' "'intervene.retain' is missing"
    wrong 's|vectors: 8|&\n  scale_most: 0.3|' 'rises by less than 0.5 nats'
}

for claim in steers_with_the_same_bits_on_any_ranks the_last_portion_is_followed_by_the_targets \
        measures_what_vectors_do refuses_in_one_sentence; do
    try $claim
done
finish
