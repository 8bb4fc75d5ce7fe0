#!/bin/sh
# Completions by hand: the same on any number of ranks and whatever else is completed; what is wrong is
# said in one sentence.
. tests/lib.sh

model=jobs/circuits/tiny-gpt2

# completions RANKS OPTION...: on standard output, an object a line.
completions() {
    ranks=$1
    shift
    stage "$ranks" generate $model --samples 3 --tokens 12 --format jsonl "$@"
}

cat > "$dir/prompts.jsonl" << END
{"text": "When Frank and Jean went to the park, Frank gave a ball to"}
{"text": "The war lasted from 17"}
END

completes_the_same_on_any_ranks() {
    for ranks in 1 2 3; do
        completions $ranks --prompts "$dir/prompts.jsonl" --prompt The > "$dir/on-$ranks"
    done
    [ "$(wc -l < "$dir/on-1")" = 9 ]
    cmp "$dir/on-1" "$dir/on-2"
    cmp "$dir/on-1" "$dir/on-3"
}

completes_a_prompt_alone_as_among_others() {
    completions 1 --prompt 'The war lasted from 17' > "$dir/alone"
    grep '"prompt":"The war' "$dir/on-1" | cmp - "$dir/alone"
    completions 1 --prompt 'The war lasted from 17' --seed 2 > "$dir/other"
    ! cmp "$dir/alone" "$dir/other"
}

# The most probable token is the same in each sample.
prints_text() {
    stage 1 generate $model --prompt 'The war lasted from 17' --temperature 0 --samples 2 \
        > "$dir/greedy"
    grep '^The war lasted from 17\[[0-9][0-9]' "$dir/greedy"
    [ "$(uniq "$dir/greedy" | wc -l)" = 1 ]
}

# Even where tokens end within a character.
prints_json() {
    stage 1 generate $model --prompt The --temperature 20 --samples 40 --format jsonl > "$dir/wild"
    "$PYTHON" -c 'import json, sys
lines = [json.loads(line) for line in open(sys.argv[1], encoding="utf-8")]
assert [line["sample"] for line in lines] == list(range(40))
assert any("\ufffd" in line["completion"] for line in lines)' "$dir/wild"
}

# mistaken WORD OPTION...
mistaken() {
    word=$1
    shift
    ! stage 1 generate $model "$@" 2> "$dir/all"
    grep '^saemill-generate: ' "$dir/all" > "$dir/err"
    refusal "$word"
}

refuses_in_one_sentence() {
    mistaken 'nothing to complete'
    mistaken 'what is the value of --prompt' --prompt
    mistaken "'x'" --prompt The --top-k x
    mistaken 'cannot find no.jsonl' --prompts no.jsonl
    mistaken 'the 128 this model was made for' --prompt The --tokens 128
}

for claim in completes_the_same_on_any_ranks completes_a_prompt_alone_as_among_others prints_text \
        prints_json refuses_in_one_sentence; do
    try $claim
done
finish
