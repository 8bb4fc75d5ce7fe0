#!/bin/sh
# A task file of inversions goes through plan, run and status as a suite does: planted z come back, rows
# of a model are explained by a decoder and by an MLP; the same bits on any number of ranks; what is
# wrong is said in one sentence.
. tests/lib.sh

"$PYTHON" tests/end_to_end/planted_networks.py "$dir"
cat > "$dir/suite.yaml" << END
name: test
run: $dir/run
model:
  path: jobs/demo/tiny-gemma2
invert:
  generator: network
  networks: $dir/networks.safetensors
  map: [tanh, none]
  layers: [tanh, none]
  count: 2
  data: 5
  mapping: 4
  prior: 0
  fall: 0.5
  restarts: 4
END

finds_planted_z_with_the_same_bits_on_any_ranks() {
    for ranks in 1 2 3; do
        stage $ranks invert "$dir/suite.yaml"
        mv "$dir/run" "$dir/ranks-$ranks"
    done
    same_run "$dir/ranks-1" "$dir/ranks-2"
    same_run "$dir/ranks-1" "$dir/ranks-3"
    "$PYTHON" -c 'import json, sys
folder = sys.argv[1]
read = lambda name: json.load(open(f"{folder}/{name}.json"))
for number, z in enumerate(read("z")):
    task = read(f"ranks-1/invert/inversion-{number:05}")
    assert max(abs(a - b) for a, b in zip(task["z"], z)) < 1e-4, (task, z)
    assert task["error"] < 1e-6 and len(task["searches"]) == 4, task
    best = task["searches"][task["best"]]
    assert best["loss"] == task["loss"] == min(search["loss"] for search in task["searches"]), task
    assert abs(best["data"] + best["mapping"] + best["prior"] - best["loss"]) < 1e-20, best
assert [thing["error"] < 1e-6 for thing in read("ranks-1/invert/inversions")["things"]] == [True] * 2
' "$dir"
}

# The summary is there when the last task is, whichever that was.
goes_through_the_driver() {
    bin/saemill plan "$dir/suite.yaml" | grep '^test: 2 results$'
    stage 2 invert "$dir/suite.yaml" --task 1
    [ "$(ls "$dir/run/invert" | tr '\n' ' ')" = "inversion-00001.html inversion-00001.json " ]
    bin/saemill status "$dir/suite.yaml" | grep 'invert .* 2 of  *5 files'
    bin/saemill run "$dir/suite.yaml" | grep "All is complete, in $dir/run/invert"
    same_run "$dir/ranks-1" "$dir/run"
}

# A signal in the second task leaves the first one's files alone.
stops_at_a_signal_and_goes_on() {
    rm -rf "$dir/run"
    struck message:300:TERM 1 0 invert || cat "$dir/struck"
    [ "$status" = 7 ]
    [ "$(ls "$dir/run/invert" | tr '\n' ' ')" = "inversion-00000.html inversion-00000.json " ]
    stage 1 invert "$dir/suite.yaml"
    same_run "$dir/ranks-1" "$dir/run"
}

# A decoder and an MLP of the model explain rows of a text.
suite | sed -e "s|^run: .*|run: $dir/trained|" -e 's/sites: \[attn, res\]/sites: [res]/' \
    -e 's/layers: \[0, 2\]/layers: [0]/' -e 's/target_l0: .*/target_l0: [5]/' \
    -e 's/tokens: 4096/tokens: 1024/' -e '/- sites: \[attn\]/,$d' > "$dir/trained.yaml"
printf '%s\n' '{"text": "The song of songs, which is Solomons.", "positions": [3, 5]}' > "$dir/texts.jsonl"
# rows RUN SED...: a task file for them.
rows() {
    run=$1
    shift
    sed -e "s|^run: .*|run: $run|" -e '/networks:/d' -e '/map:/d' -e '/layers:/d' \
        -e "s|generator: .*|generator: decoder\n  suite: $dir/trained.yaml\n  texts: [$dir/texts.jsonl]\n  autoencoders: [res.00/w64-t5]\n  steps: 200|" \
        "$dir/suite.yaml" | sed "$@"
}

explains_rows_of_a_model() {
    for stage in tokenize harvest shuffle train; do
        stage 1 $stage "$dir/trained.yaml"
    done
    rows "$dir/decoder" -e '' > "$dir/decoder.yaml"
    rows "$dir/mlp" -e 's/generator: .*/generator: mlp\n  layer: 2/' -e '/suite:/d' \
        -e '/autoencoders:/d' -e 's/prior: 0/prior: 0.001/' > "$dir/mlp.yaml"
    stage 2 invert "$dir/decoder.yaml"
    stage 1 invert "$dir/mlp.yaml"
    "$PYTHON" -c 'import json, sys
folder = sys.argv[1]
read = lambda name: json.load(open(f"{folder}/{name}.json"))
decoder, mlp = read("decoder/invert/inversion-00001"), read("mlp/invert/inversion-00000")
assert decoder["position"] == 5 and mlp["position"] == 3, (decoder, mlp)
assert decoder["found"]["error"] < decoder["encoded"]["error"], decoder
assert abs(decoder["found"]["error"] - decoder["error"]) < 1e-12, decoder
assert 0 < decoder["encoded"]["l0"] < decoder["found"]["l0"] <= 64, decoder
assert mlp["error"] < 0.2 and 0 < mlp["cosine"] <= 1, mlp
' "$dir"
    grep -q 'latents of the encoder' "$dir/decoder/invert/inversion-00000.html"
}

# wrong SED WORD...: the task file with a mistake is refused with these words.
wrong() {
    sed -e "s|^run: .*|run: $dir/wrong|" -e "$1" "$dir/suite.yaml" > "$dir/wrong.yaml"
    shift
    refused "$dir/wrong.yaml" "$@"
}

refuses_in_one_sentence() {
    wrong 's|  map: .*|  map: [tanh]|' '2 layers map.*.weight' '1 activations'
    wrong 's|  map: .*|  map: [tanh, softplus]|' 'no activation softplus; there are none, relu'
    wrong 's|networks.safetensors|unfit.safetensors|' 'generator.2.weight reads 7 values' 'gives 8'
    wrong 's|  layers: .*||' "'invert.layers' is missing"
    wrong 's|  networks: .*||' "'invert.networks' is missing"
    wrong 's|count: 2|count: 3|' 'seen has 2 things' "'invert.count' asks for 3"
    wrong 's|fall: .*|observation: mask|' 'seen has 5 values' 'gives 4'
    wrong 's|fall: .*|observation: average|' 'value 4 of observation.group is 0.5'
    wrong 's|fall: .*|observation: affine|' 'has no tensor observation.weight'
    wrong 's|fall: .*|rate: 100\n  steps: 3|' 'none of 4 searches ends below its start'
    wrong 's|data: .*|data: 0|' 'nothing depends on the target'
    rows "$dir/wrong" -e 's|w64-t5|w64-t7|' > "$dir/wrong.yaml"
    refused "$dir/wrong.yaml" 'has no autoencoder res.00/w64-t7'
    rows "$dir/wrong" -e '/texts:/d' > "$dir/wrong.yaml"
    refused "$dir/wrong.yaml" "'invert.texts' is missing"
    rows "$dir/wrong" -e 's|count: 2|count: 3|' > "$dir/wrong.yaml"
    refused "$dir/wrong.yaml" 'the texts have 2 rows to explain'
    rows "$dir/wrong" -e 's/generator: .*/generator: mlp\n  layer: 4/' > "$dir/wrong.yaml"
    refused "$dir/wrong.yaml" 'there is no layer 4'
}

for claim in finds_planted_z_with_the_same_bits_on_any_ranks goes_through_the_driver \
        stops_at_a_signal_and_goes_on explains_rows_of_a_model refuses_in_one_sentence; do
    try $claim
done
finish
