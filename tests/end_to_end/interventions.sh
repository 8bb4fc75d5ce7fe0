#!/bin/sh
# A task file of interventions goes through plan, run and status as a suite does; the same bits on any
# number of ranks; what is wrong is said in one sentence.  The model is made by hand and knows the
# answers to its questions (knowing_model.py).
. tests/lib.sh

"$PYTHON" tests/end_to_end/knowing_model.py "$dir" jobs/circuits/tiny-gpt2/tokenizer.json

# Two autoencoders of its only layer.
suite | sed -e "s|jobs/demo/tiny-gemma2|$dir/model|" -e "s|^run: .*|run: $dir/trained|" \
    -e 's/sites: \[attn, res\]/sites: [res]/' -e 's/layers: \[0, 2\]/layers: [0]/' \
    -e '/- sites: \[attn\]/,$d' > "$dir/trained.yaml"
cat > "$dir/suite.yaml" << END
name: test
run: $dir/run
model:
  path: $dir/model
intervene:
  method: unlearning
  suite: $dir/trained.yaml
  autoencoders: [res.00/w64-t5]
  forget: [$dir/forget.jsonl]
  retain: [$dir/retain.jsonl]
  questions: [$dir/questions.jsonl]
  controls: [$dir/controls.jsonl]
  template: " {A} {B} {C} {D} {question}"
  context: 16
  question_context: 8
  block: 5
  thresholds: [0.1, 0.9]
  latents: [2]
  strengths: [10, 100]
END

forgets_with_the_same_bits_on_any_ranks() {
    for stage in tokenize harvest shuffle train; do
        stage 1 $stage "$dir/trained.yaml"
    done
    for ranks in 1 2 3; do
        stage $ranks intervene "$dir/suite.yaml"
        mv "$dir/run" "$dir/ranks-$ranks"
    done
    same_run "$dir/ranks-1" "$dir/ranks-2"
    same_run "$dir/ranks-1" "$dir/ranks-3"
}

# It knows all questions; no latent is below the first threshold, and without one nothing changes.
measures_what_is_known() {
    "$PYTHON" -c 'import json, sys
folder = sys.argv[1]
read = lambda name: json.load(open(f"{folder}/{name}.json"))
none, some, sweep = read("unlearning-t0.1-n2-s100"), read("unlearning-t0.9-n2-s100"), read("unlearning")
assert none["latents"] == [] and none["retain"]["loss_added"] == 0, none
assert none["questions"] == {"asked": 6, "known": 6, "accuracy": 1, "accuracy_given_order": 1}, none
assert len(some["latents"]) == 2 and some["retain"]["loss_added"] != 0, some
assert some["latents"][0]["forget"] >= some["latents"][1]["forget"] > 0, some
assert all(latent["retain"] < 0.9 for latent in some["latents"]), some
assert some["questions"]["accuracy"] < 1, some
assert [point["latents"] for point in sweep["points"]] == [0, 0, 2, 2], sweep
assert sweep["points"][3]["questions"] == some["questions"]["accuracy"], sweep
assert sweep["points"][0]["on_front"] and 0 <= sweep["score"] <= 1, sweep
' "$dir/ranks-1/intervene"
}

# variant NAME SED: the task file with a change, as $dir/NAME.yaml, with $dir/NAME as run folder.
variant() {
    sed -e "s|^run: .*|run: $dir/$1|" -e "$2" "$dir/suite.yaml" > "$dir/$1.yaml"
}

# As above, and both kinds of questions go with the difference of means: an answer is then always A.
steers_with_the_same_bits_on_any_ranks() {
    for kind in steer mean_difference; do
        variant $kind "s|template:|clamp: $kind\n  &|; s|thresholds: .*|thresholds: [0.9]|"
        for ranks in 1 3; do
            stage $ranks intervene "$dir/$kind.yaml"
            mv "$dir/$kind" "$dir/$kind-$ranks"
        done
        same_run "$dir/$kind-1" "$dir/$kind-3"
    done
    "$PYTHON" -c 'import json, sys
folder = sys.argv[1]
steer, means = (json.load(open(f"{folder}/{name}.json")) for name in (
    "steer-1/intervene/unlearning-t0.9-n2-s100", "mean_difference-1/intervene/unlearning-s100"))
assert steer["clamp"] == "steer" and len(steer["latents"]) == 2, steer
assert steer["retain"]["loss_added"] != 0, steer
assert means["distance"] > 0 and "latents" not in means and "threshold" not in means, means
assert means["questions"]["accuracy"] == means["controls"]["accuracy"] == 0.25, means
' "$dir"
}

# With the same bits on any ranks, the strongest first.
chooses_by_attribution() {
    variant attribution 's|template:|choose: attribution\n  &|; s|thresholds: .*|thresholds: [0.9]|
        s|strengths: .*|strengths: [100]|'
    for ranks in 1 3; do
        stage $ranks intervene "$dir/attribution.yaml"
        mv "$dir/attribution" "$dir/attribution-$ranks"
    done
    same_run "$dir/attribution-1" "$dir/attribution-3"
    "$PYTHON" -c 'import json, sys
first, second = json.load(open(sys.argv[1]))["latents"]
assert first["attribution"] >= second["attribution"] > 0, (first, second)
assert max(first["retain"], second["retain"]) < 0.9, (first, second)
fired = json.load(open(sys.argv[2]))["latents"]
assert {latent["latent"] for latent in fired} != {first["latent"], second["latent"]}, fired
' "$dir/attribution-1/intervene/unlearning-t0.9-n2-s100.json" \
        "$dir/ranks-1/intervene/unlearning-t0.9-n2-s100.json"
}

# Without questions what is forgotten is how likely texts are; the latents are the same.
measures_texts_alone() {
    variant texts '/questions:/d; /controls:/d; /template:/d; s|thresholds: .*|thresholds: [0.9]|
        s|strengths: .*|strengths: [0, 100]|'
    stage 2 intervene "$dir/texts.yaml"
    "$PYTHON" -c 'import json, math, sys
folder = sys.argv[1]
zero, strong, sweep = (json.load(open(f"{folder}/{name}.json")) for name in (
    "unlearning-t0.9-n2-s0", "unlearning-t0.9-n2-s100", "unlearning"))
asked = json.load(open(sys.argv[2]))
assert strong["latents"] == asked["latents"] and strong["retain"] == asked["retain"], strong
assert "questions" not in strong and "score_given_order" not in sweep, (strong, sweep)
for kind in "forget", "retain":
    one, other = zero[kind], strong[kind]
    gap = math.log(one["likelihood"] / other["likelihood"])
    assert math.isclose(gap, other["loss"] - one["loss"], rel_tol=1e-9), (one, other)
    assert [point[kind] for point in sweep["points"]] == [one["likelihood"], other["likelihood"]]
kept = [point["forget"] for point in sweep["points"] if point["retain"] >= 0.99]
assert sweep["score"] == 1 - min(kept + [1]), sweep
' "$dir/texts/intervene" "$dir/ranks-1/intervene/unlearning-t0.9-n2-s100.json"
}

# What pages show is what the other files hold.
shows_the_sweep() {
    HDF5_PLUGIN_PATH=lib "$PYTHON" tests/end_to_end/circuit_pages.py "$dir/ranks-1/intervene" \
        "$dir/mean_difference-1/intervene" "$dir/attribution-1/intervene" "$dir/texts/intervene"
}

# A latent of names alone: all answers about names become A, which is right in a quarter of the
# orders, and nothing else changes by a bit.
forgets_what_a_planted_latent_is_for() {
    "$PYTHON" tests/end_to_end/planted_latent.py "$dir/trained/train/res.00/w64-t10.h5"
    variant planted 's|w64-t5|w64-t10|; s|thresholds: .*|thresholds: [0.01]|
        s|latents: .*|latents: [1]|; s|strengths: .*|strengths: [10, 40]|'
    stage 2 intervene "$dir/planted.yaml"
    "$PYTHON" -c 'import json, sys
sweep = json.load(open(sys.argv[1]))
kept, forgotten = sweep["points"]
assert kept["questions"] == 1 and not kept["on_front"], kept
assert forgotten["questions"] == 0.25 and forgotten["controls"] == 1, forgotten
assert kept["loss_added"] == forgotten["loss_added"] == 0, sweep
assert sweep["score"] == 0.75, sweep
' "$dir/planted/intervene/unlearning.json"
}

# The sweep is there when the last task is, whichever that was.
goes_through_the_driver() {
    bin/saemill plan "$dir/suite.yaml" | grep '^test: 4 results$'
    bin/saemill submit "$dir/suite.yaml" --dry-run > "$dir/out"
    [ "$(grep -c '=\$(' "$dir/out")" = 1 ]
    grep 'intervene0=.*--array=0-3' "$dir/out"
    stage 2 intervene "$dir/suite.yaml" --task 3
    [ "$(ls "$dir/run/intervene")" = unlearning-t0.9-n2-s100.json ]
    bin/saemill status "$dir/suite.yaml" | grep 'intervene .* 1 of  *5 files'
    bin/saemill run "$dir/suite.yaml" | grep "All is complete, in $dir/run/intervene"
    same_run "$dir/ranks-1" "$dir/run"
    bin/saemill run "$dir/suite.yaml" | grep 'intervene: complete, 5 files'
    rm "$dir/run/intervene/unlearning.json"
    bin/saemill run "$dir/suite.yaml"
    same_run "$dir/ranks-1" "$dir/run"
}

# wrong SED WORD...: the task file with a mistake is refused with these words.
wrong() {
    sed -e "s|^run: .*|run: $dir/wrong|" -e "$1" "$dir/suite.yaml" > "$dir/wrong.yaml"
    shift
    refused "$dir/wrong.yaml" "$@"
}

refuses_in_one_sentence() {
    wrong 's|{D}||' 'wrong.yaml:13' 'the template must have'
    wrong '/template:/d' "'intervene.template' is missing"
    wrong '/forget:/d' "'intervene.forget' is missing"
    wrong "s|questions: .*|questions: [$dir/forget.jsonl]|" 'forget.jsonl:1' '"question" is missing'
    : > "$dir/empty.jsonl"
    wrong "s|forget: .*|forget: [$dir/empty.jsonl]|" 'empty.jsonl has no texts'
    wrong 's|res.00/w64-t5|&, res.00/w64-t10|' 'one autoencoder'
    wrong 's|res.00/w64-t5|res.01/w64-t5|' 'has no autoencoder res.01/w64-t5'
    wrong "s|retain: .*|retain: [$dir/forget.jsonl]\n  clamp: mean_difference|" 'same mean row'
    wrong 's|template:|choose: attribution\n  clamp: mean_difference\n  &|' 'no latents to choose'
    wrong "s|suite: .*|suite: $dir/suite.yaml|" 'is a file for interventions'
    wrong 's|{A} {B} {C} {D} {question}|{question} {A} {B} {C} {D}|' 'none of 6 questions right'
    wrong 's|question_context: 8|question_context: 5|' "raise 'question_context'"
    wrong 's|strengths: .*|strengths: [10, 10]|' 'two tasks are called unlearning-t0.1-n2-s10'
    wrong 's|^intervene:|circuit: {method: ioi}\n&|' "cannot stand in one file"
    sed -i 's/"answer"/"answers"/' "$dir/questions.jsonl"
    wrong '' 'questions.jsonl:1' '"answer" is missing'
}

for claim in forgets_with_the_same_bits_on_any_ranks measures_what_is_known \
        steers_with_the_same_bits_on_any_ranks chooses_by_attribution measures_texts_alone \
        shows_the_sweep forgets_what_a_planted_latent_is_for goes_through_the_driver \
        refuses_in_one_sentence; do
    try $claim
done
finish
