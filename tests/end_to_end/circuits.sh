#!/bin/sh
# A task file of circuits goes through plan, run, submit and status as a suite does; the same bits on
# any number of ranks, also after a kill; what is wrong is said in one sentence.
. tests/lib.sh

# A task file on standard output: 20 indirect objects on the small model.
task() {
    cat << END
name: test
run: $dir/run
model:
  path: jobs/circuits/tiny-gpt2
circuit:
  method: ioi
  generator: ioi
  data: jobs/circuits/ioi.json
  count: 20
  block: 4
END
}

gives_the_same_bits_on_any_ranks() {
    rm -rf "$dir/ranks-"*
    for ranks in 1 2 3; do
        stage $ranks circuit "$dir/suite.yaml"
        mv "$dir/run" "$dir/ranks-$ranks"
    done
    same_run "$dir/ranks-1" "$dir/ranks-2"
    same_run "$dir/ranks-1" "$dir/ranks-3"
}

# What pages show is what the other files hold.
shows() {
    HDF5_PLUGIN_PATH=lib "$PYTHON" tests/end_to_end/circuit_pages.py "$dir/ranks-1/circuit"
}
shows_heads() { shows; }
shows_edges() { shows; }
shows_scores() { shows; }
shows_changes() { shows; }
shows_the_curve_of_searches() { shows; }
shows_curves() { shows; }
shows_suppression() { shows; }
shows_successors() { shows; }
shows_latents() { shows; }
shows_nodes() { shows; }
shows_gates() { shows; }
shows_latents_apart() { shows; }

# Three files, one task.
says_how_far_it_is() {
    bin/saemill status "$dir/suite.yaml" > "$dir/out"
    grep 'circuit .* 0 of  *3 files' "$dir/out"
    [ "$(grep -c ' of ' "$dir/out")" = 1 ]
    bin/saemill plan "$dir/suite.yaml" > "$dir/out"
    grep 'test: 1 result from 20 prompts' "$dir/out"
    ! grep -e harvest -e autoencoders "$dir/out"
    bin/saemill plan "$dir/suite.yaml" --json | "$PYTHON" -c 'import json, sys
stages = json.load(sys.stdin)["stages"]
assert [stage["stage"] for stage in stages] == ["circuit"] and stages[0]["fits"], stages'
    bin/saemill submit "$dir/suite.yaml" --dry-run > "$dir/out"
    [ "$(grep -c '=\$(' "$dir/out")" = 1 ]
    grep 'circuit0=.*--array=0' "$dir/out"
}

runs_and_does_nothing_twice() {
    bin/saemill run "$dir/suite.yaml"
    same_run "$dir/ranks-1" "$dir/run"
    complete > "$dir/before"
    bin/saemill run "$dir/suite.yaml" | grep 'circuit: complete, 3 files'
    stage 2 circuit "$dir/suite.yaml" | grep 'all results are there already'
    untouched "$dir/before"
    bin/saemill status "$dir/suite.yaml" | grep "All is complete, in $dir/run/circuit"
}

# One file of the three is missing: the task is done again, with the same bits.
makes_what_is_missing() {
    rm "$dir/run/circuit/ioi.h5"
    bin/saemill status "$dir/suite.yaml" | grep '2 of  *3 files'
    stage 2 circuit "$dir/suite.yaml" --task 0
    same_run "$dir/ranks-1" "$dir/run"
}

survives_kills() {
    mv "$dir/run" "$dir/first"
    survives_strikes 12 circuit
    stage 2 circuit "$dir/suite.yaml"
    same_run "$dir/ranks-1" "$dir/run"
}

# Edges removed one by one, and scored by gradients.
edges() {
    rm -rf "$dir/run"
    task | sed -e 's/method: ioi/method: acdc\n  metric: kl\n  thresholds: [0.3, 1]/' \
        -e "s|^run: .*|run: $dir/run|" > "$dir/suite.yaml"
}

scores() {
    rm -rf "$dir/run"
    task | sed -e 's/method: ioi/method: eap\n  samples: 20\n  steps: 2/' > "$dir/suite.yaml"
}

# Heads looked at one by one: on prompts, when others are ablated, by their weights.
suppression() {
    rm -rf "$dir/run"
    task | sed -e 's/method: ioi/method: copy_suppression\n  heads: [2.4, 1.0]/' \
        -e 's|count: 20|function_words: jobs/circuits/function_words.json\n  count: 5|' > "$dir/suite.yaml"
}

repair() {
    rm -rf "$dir/run"
    task | sed -e 's/method: ioi/method: self_repair\n  ablated: [2.4, 2.2]/' > "$dir/suite.yaml"
}

successors() {
    rm -rf "$dir/run"
    task | sed -e 's/method: ioi/method: successor/' -e 's|ioi.json|ordinals.json|' \
        -e '/generator:/d' > "$dir/suite.yaml"
}

finds_copy_suppression_with_the_same_bits() {
    suppression
    gives_the_same_bits_on_any_ranks
    [ "$(ls "$dir/ranks-1/circuit" | wc -l)" = 6 ]      # a task for each entry of heads
}

finds_self_repair_with_the_same_bits() {
    repair
    gives_the_same_bits_on_any_ranks
}

finds_successors_with_the_same_bits() {
    successors
    gives_the_same_bits_on_any_ranks
    bin/saemill plan "$dir/suite.yaml" > "$dir/out"
    grep '^test: 1 result$' "$dir/out"
}

removes_edges_with_the_same_bits() {
    edges
    gives_the_same_bits_on_any_ranks
}

scores_edges_with_the_same_bits() {
    scores
    gives_the_same_bits_on_any_ranks
}

# Small autoencoders of the same model: three streams, two of which have two.
trained() {
    suite | sed -e 's|jobs/demo/tiny-gemma2|jobs/circuits/tiny-gpt2|' -e 's/\[0, 2\]/[1, 2]/' \
        -e "s|^run: .*|run: $dir/trained|"
}

latents() {
    rm -rf "$dir/run"
    task | sed -e "s|method: ioi|method: latents\n  samples: 3\n  steps: 2\n  suite: $dir/trained.yaml|" \
        -e 's|count: 20|&\n  autoencoders: [attn.02/w64-l0.001, res.01/w64-t5]|' > "$dir/suite.yaml"
}

# One autoencoder is of the residual stream, so no nodes are the corrupted prompt.
scores_latents_with_the_same_bits() {
    trained > "$dir/trained.yaml"
    for stage in tokenize harvest shuffle train; do
        stage 2 $stage "$dir/trained.yaml"
    done
    latents
    gives_the_same_bits_on_any_ranks
    "$PYTHON" -c 'import json, sys
found = json.load(open(sys.argv[1]))
sizes = found["faithfulness"]
assert sizes[-1]["value"] == found["clean"] and sizes[-1]["nodes"] == 130, sizes
assert abs(sizes[0]["value"] - found["corrupted"]) < 1e-5 < abs(found["clean"]), sizes
assert found["sites"][0]["autoencoder"] == "res.01/w64-t5", found["sites"]
assert len(found["sample"]["nodes"]) == 3 and len(found["strongest"]) == 100
' "$dir/ranks-1/circuit/latents.json"
}

# unlike SED WORD...: what is asked, with a mistake, is refused with these words.
unlike() {
    sed -e "s|^run: .*|run: $dir/wrong|" -e "$1" "$dir/asked.yaml" > "$dir/wrong.yaml"
    shift
    refused "$dir/wrong.yaml" "$@"
}

refuses_other_latents() {
    latents
    cp "$dir/suite.yaml" "$dir/asked.yaml"
    unlike 's|  suite: .*||' "'circuit.suite' is missing"
    unlike 's|  autoencoders: .*||' "'circuit.autoencoders' is missing" 'such as res.01/w64-t5'
    unlike 's|res.01/w64-t5|res.03/w64-t5|' 'has no autoencoder res.03/w64-t5' 'res.01/w64-t5'
    unlike 's|attn.02/w64-l0.001|res.01/w64-t10|' 'res.01/w64-t10' 'of the same stream'
    unlike 's|count: 20|&\n  ablation: zero|' 'the values of the corrupted prompts'
    unlike "s|suite: .*|suite: $dir/asked.yaml|" 'is a file for a circuit'
    sed -e 's/widths: \[64\]/widths: [32]/' "$dir/trained.yaml" > "$dir/narrow.yaml"
    unlike "s|trained.yaml|narrow.yaml|; s|w64|w32|g" 'res.01/w32-t5 is not trained' 'run'
    sed -e "s|^run: .*|run: $dir/nothing|" "$dir/trained.yaml" > "$dir/untrained.yaml"
    unlike "s|trained.yaml|untrained.yaml|" "$dir/nothing/inputs" 'run that suite first'
    sed -e 's/- sites: \[attn\]/&\n    target: res/' "$dir/trained.yaml" > "$dir/transcoders.yaml"
    unlike "s|trained.yaml|transcoders.yaml|; s|, res.01/w64-t5||; s|l0.001|&-to-res|" \
        'attn.02/w64-l0.001-to-res is a transcoder'
    cp -r jobs/circuits/tiny-gpt2 "$dir/other"
    printf '\0\0\0\0' | dd of="$dir/other/model.safetensors" bs=1 seek=4000000 conv=notrunc
    unlike "s|jobs/circuits/tiny-gpt2|$dir/other|" 'another model than' "$dir/other"
}

# Latents of attention taken apart, down to the stream that the same layer reads.
attention() {
    rm -rf "$dir/run"
    latents
    sed -i -e 's/method: latents/method: attention_latents/' -e '/steps:/d' "$dir/suite.yaml"
}

# The parts of heads and tokens, with the bias, are the pre-activation; so are those of the stream.
takes_latents_apart_with_the_same_bits() {
    attention
    gives_the_same_bits_on_any_ranks
    "$PYTHON" -c 'import json, sys
found = json.load(open(sys.argv[1]))
assert len(found["latents"]) == 3, found["latents"]
for latent in found["latents"]:
    assert latent["autoencoder"] == "attn.02/w64-l0.001" and latent["active"] > 0, latent
    assert abs(sum(head["share"] for head in latent["heads"]) - 1) < 1e-9, latent["heads"]
    for prompt in latent["strongest"]:
        below = prompt["below"]
        whole = latent["bias"] + below["latents"] + below["error"] + below["bias"]
        assert abs(whole - prompt["pre_activation"]) < 1e-4, prompt
        assert prompt["position"] > 0 and len(prompt["parts"]) == 5, prompt
' "$dir/ranks-1/circuit/attention_latents.json"
}

refuses_latents_that_it_cannot_take_apart() {
    attention
    cp "$dir/suite.yaml" "$dir/asked.yaml"
    unlike 's|samples: 3|latents: [attn.02/w64-l0.001/64]|' 'no latent attn.02/w64-l0.001/64' '0 to 63'
    unlike 's|samples: 3|latents: [res.01/w64-t5/3]|' 'like attn.02/w64-l0.001/0'
    unlike 's|  samples: 3||' 'which latents?' "'samples'"
    unlike 's|attn.02/w64-l0.001, ||' 'none of these is of a stream attn' 'has attn.02/w64-l0.001'
    unlike 's|res.01|res.02|' 'res.02/w64-t5 is not of attn'
    sed -e 's/sites: \[attn, res\]/sites: [res]/' -e '/- sites: \[attn\]/,$d' "$dir/trained.yaml" \
        > "$dir/streams.yaml"
    unlike "s|trained.yaml|streams.yaml|; s|attn.02/w64-l0.001, ||" 'streams.yaml trains none'
}

# Nor may autoencoders change under a result.
refuses_changed_latents() {
    latents
    stage 1 circuit "$dir/suite.yaml"
    cp "$dir/trained/train/res.01/w64-t10.h5" "$dir/trained/train/res.01/w64-t5.h5"
    rm "$dir/run/circuit/latents.json"
    refused "$dir/suite.yaml" "trained/train/res.01/w64-t5.h5 has changed since circuit was made"
}

# A task that a signal stops saves a file with $1 in its name.  It goes on after the $2 that are there,
# to the bits of $dir/ranks-1.
goes_on_after() {
    strike=message:400:TERM struck_rank=0 struck_stage=circuit
    status=0
    striking stage 1 circuit "$dir/suite.yaml" > "$dir/struck" 2>&1 || status=$?
    [ "$status" = 7 ]
    ls "$dir/run/circuit" | grep "$1"
    stage 2 circuit "$dir/suite.yaml" | grep "goes on after [1-9][0-9]* $2"
    same_run "$dir/ranks-1" "$dir/run"
}

# Heads at positions knocked out until a circuit remains; what heads send to a receiver; where they
# look.
nodes() {
    rm -rf "$dir/run"
    task | sed -e 's/method: ioi/method: knockout\n  greedy_restarts: 1\n  greedy_steps: 2\n'\
'  greedy_samples: 2\n  random_sets: 1/' -e 's/count: 20/count: 6/' \
        -e 's/block: 4/block: 2/' > "$dir/suite.yaml"
}

knocks_out_nodes_with_the_same_bits() {
    nodes
    gives_the_same_bits_on_any_ranks
}

# An interrupted one goes on with the values that it has.
goes_on_with_knocking_out() {
    nodes
    goes_on_after values sets
}

# A circuit from the file that a search has written; it may not change under the result.
judges_a_circuit_that_it_has_found() {
    cp "$dir/ranks-1/circuit/knockout.json" "$dir/found.json"
    sed -e "s|random_sets: 1|nodes: $dir/found.json|" -e "s|^run: .*|run: $dir/judged|" \
        "$dir/suite.yaml" > "$dir/judged.yaml"
    stage 2 circuit "$dir/judged.yaml"
    "$PYTHON" -c 'import json, sys
found, judged = (json.load(open(name)) for name in sys.argv[1:])
for key in ("logit_difference_circuit", "faithfulness"):
    assert found[key] == judged[key], key
key = lambda node: (node["head"], node["class"], node["minimality"])
assert list(map(key, found["nodes"])) == list(map(key, judged["nodes"])) != []' \
        "$dir/found.json" "$dir/judged/circuit/knockout.json"
    sed -i 's/"END"/"S2"/' "$dir/found.json"
    refused "$dir/judged.yaml" "$dir/found.json has changed since circuit was made"
}

patches_paths_with_the_same_bits() {
    rm -rf "$dir/run"
    task | sed -e 's/method: ioi/method: path_patching\n  receivers: [final, a2.4.q]/' \
        > "$dir/suite.yaml"
    gives_the_same_bits_on_any_ranks
    ls "$dir/ranks-1/circuit" | grep 'path_patching-a2.4.q.json'
}

sees_habits_with_the_same_bits() {
    rm -rf "$dir/run"
    task | sed -e 's/method: ioi/method: habits/' -e 's/generator: ioi/generator: induction/' \
        -e '/data:/d' > "$dir/suite.yaml"
    gives_the_same_bits_on_any_ranks
}

# An interrupted search goes on after the tests that it has made.
goes_on_with_a_search() {
    edges
    goes_on_after steps tests
}

# compared METHOD KEY...: the file of a task that is compared with the circuit of `edges`.
compared() {
    rm -rf "$dir/run"
    task | sed -e "s|method: ioi|method: $1\n  reference: $dir/reference.json|" > "$dir/suite.yaml"
    shift
    printf '  %s\n' "$@" >> "$dir/suite.yaml"
}

# The circuit of one search is the reference of others, which begin with the edges of most score: a
# curve of all thresholds, whichever task comes last.
compares_circuits_with_a_reference() {
    cp "$dir/ranks-1/circuit/acdc-0.3.json" "$dir/reference.json"
    compared acdc 'keep: 60' 'thresholds: [0.1, 0.5]'
    gives_the_same_bits_on_any_ranks
    stage 2 circuit "$dir/suite.yaml" --task 1
    [ ! -e "$dir/run/circuit/acdc-roc.json" ]
    stage 1 circuit "$dir/suite.yaml" --task 0
    same_run "$dir/ranks-1" "$dir/run"
    grep -q '"area": 0[.]' "$dir/run/circuit/acdc-roc.json"
    mistaken "s|method: ioi|method: eap\n  reference: $dir/suite.yaml|" 'suite.yaml is not JSON: line 1'
}

ranks_edges_and_nodes_next_to_a_reference() {
    compared eap
    gives_the_same_bits_on_any_ranks
    [ "$(grep -c '"area": 0[.]' "$dir/ranks-1/circuit/eap.json")" = 4 ]
}

# Gates, compared with the same circuit, each penalty a task.
trains_gates_with_the_same_bits() {
    compared subnetwork 'metric: kl' 'penalties: [0.01, 0.1]' 'updates: 24'
    gives_the_same_bits_on_any_ranks
    grep -q '"area": 0[.]' "$dir/ranks-1/circuit/subnetwork-roc.json"
}

# The control: other weights, other scores, and still the same on any ranks.
scores_permuted_weights() {
    compared eap 'control: permuted'
    rm -rf "$dir/usual"
    mv "$dir/ranks-1" "$dir/usual"
    gives_the_same_bits_on_any_ranks
    ! same_run "$dir/usual" "$dir/ranks-1" > "$dir/out" 2>&1
    grep 'eap.h5: differs in .*score' "$dir/out"
}

# Files of prompts that other programs write: the same prompts, the same results.
takes_prompts_from_files() {
    HDF5_PLUGIN_PATH=lib "$PYTHON" tests/end_to_end/prompts_of.py "$dir/ranks-1/circuit/ioi.h5" \
        > "$dir/prompts.jsonl"
    task | sed -e "s|generator: .*|prompts: [$dir/prompts.jsonl]|" -e '/data:/d' \
        -e "s|^run: .*|run: $dir/files|" > "$dir/files.yaml"
    stage 2 circuit "$dir/files.yaml"
    HDF5_PLUGIN_PATH=lib "$PYTHON" tests/end_to_end/prompts_of.py "$dir/files/circuit/ioi.h5" \
        "$dir/ranks-1/circuit/ioi.h5"
}

# mistaken SED WORD...: a task file with a mistake is refused with these words.
mistaken() {
    task | sed -e "s|^run: .*|run: $dir/wrong|" -e "$1" > "$dir/wrong.yaml"
    shift
    refused "$dir/wrong.yaml" "$@"
}

refuses_in_one_sentence() {
    mistaken 's/method: ioi/method: eap\n  metric: kl/' 'the metric kl' 'its gradient is 0'
    mistaken 's/method: ioi/method: subnetwork\n  penalties: [0.1, 0.1]/' \
        'two tasks are called subnetwork-0.1'
    mistaken 's/method: ioi/method: habits/' 'prompt 1 does not repeat itself'
    mistaken 's/method: ioi/method: path_patching\n  receivers: [a2.8.q]/' "no receiver 'a2.8.q'"
    mistaken 's/method: ioi/method: path_patching\n  receivers: [m1]/' 'not to the MLP m1'
    mistaken 's|method: ioi|method: knockout\n  nodes: none.json|' 'no file of a circuit none.json'
    mistaken '/generator/d' 'where do prompts come from'
    mistaken 's|data:.*|prompts: [a.jsonl]|' 'exclude each other'
    mistaken '/data:/d' 'circuit.data' 'jobs/circuits/ioi.json'
    mistaken 's|ioi.json|no.json|' 'jobs/circuits/no.json'
    mistaken 's|count: 20|heads: [4.1]|' 'wrong.yaml:9' 'no head 4.1' '4 layers of 8 heads'
    mistaken 's|count: 20|context: 8|' "tokens; raise 'context'"
    mistaken 's|tiny-gpt2|&\n  precision: bf16|' 'wrong.yaml:5' 'float32'
    mistaken 's/method: ioi/method: successor/' 'wrong.yaml:6' 'no use for prompts'
    mistaken 's/method: ioi/method: self_repair/' 'which heads are ablated'
    mistaken 's/method: ioi/method: copy_suppression\n  heads: [1.0, 1.0]/' \
        'two tasks are called copy_suppression-1.0'
    mistaken 's/method: ioi/method: copy_suppression\n  mean_texts: [no.jsonl]/' 'no.jsonl'
    printf '{"clean": "When Frank", "corrupted": "When Jean", "answers": [" Alexandria"]}\n' \
        > "$dir/several.jsonl"
    mistaken "s|generator: .*|prompts: [$dir/several.jsonl]|;/data:/d" 'several.jsonl:1' \
        "' Alexandria' is" 'must be one'
}

# A stage by hand needs a file of its own kind.
knows_its_own_files() {
    ! stage 1 harvest "$dir/suite.yaml" 2> "$dir/all"
    grep '^saemill-harvest: ' "$dir/all" > "$dir/err"
    refusal 'with a section' 'no stage harvest'
    suite > "$dir/saes.yaml"
    ! stage 1 circuit "$dir/saes.yaml" 2> "$dir/all"
    grep '^saemill-circuit: ' "$dir/all" > "$dir/err"
    refusal 'without a section' 'no stage circuit'
}

# Neither model nor words may change under a result.
refuses_changed_words() {
    sed -e 's/"Aaron", //' jobs/circuits/ioi.json > "$dir/words.json"
    task | sed -e "s|data: .*|data: $dir/words.json|" -e "s|^run: .*|run: $dir/changed|" \
        > "$dir/changed.yaml"
    stage 1 circuit "$dir/changed.yaml"
    sed -i 's/"Adam", //' "$dir/words.json"
    refused "$dir/changed.yaml" "$dir/words.json has changed since circuit was made"
    sed -e 's/count: 20/count: 10/' "$dir/changed.yaml" > "$dir/fewer.yaml"
    refused "$dir/fewer.yaml" "begun with 'count: 20'" "'count: 10'"
}

task > "$dir/suite.yaml"
for claim in gives_the_same_bits_on_any_ranks shows_heads says_how_far_it_is \
        runs_and_does_nothing_twice makes_what_is_missing survives_kills takes_prompts_from_files \
        refuses_in_one_sentence knows_its_own_files refuses_changed_words \
        removes_edges_with_the_same_bits shows_edges goes_on_with_a_search \
        compares_circuits_with_a_reference shows_the_curve_of_searches \
        ranks_edges_and_nodes_next_to_a_reference shows_curves scores_permuted_weights \
        trains_gates_with_the_same_bits shows_gates \
        scores_edges_with_the_same_bits shows_scores \
        finds_copy_suppression_with_the_same_bits shows_suppression \
        finds_self_repair_with_the_same_bits shows_changes \
        finds_successors_with_the_same_bits shows_successors \
        scores_latents_with_the_same_bits shows_latents refuses_other_latents \
        takes_latents_apart_with_the_same_bits shows_latents_apart refuses_latents_that_it_cannot_take_apart \
        refuses_changed_latents knocks_out_nodes_with_the_same_bits shows_nodes \
        goes_on_with_knocking_out judges_a_circuit_that_it_has_found \
        patches_paths_with_the_same_bits sees_habits_with_the_same_bits; do
    try $claim
done
finish
