#!/bin/sh
# A file in the place of another one of the same kind, or of another run's of the same shape: refused
# by every stage that reads it.
. tests/lib.sh

run=$dir/run
other=$dir/other

exchange() {
    mv "$1" "$dir/away"
    mv "$2" "$1"
    mv "$dir/away" "$2"
}

# exchanged STAGE A B WORD...: with A and B exchanged the stage is refused with all the words.
exchanged() {
    stage=$1 a=$2 b=$3 what=$dir/suite.yaml
    shift 3
    [ "$stage" = verify ] && what=$run/release
    exchange "$a" "$b"
    ended=0
    stage 1 "$stage" "$what" > "$dir/out" 2> "$dir/all" || ended=$?
    exchange "$a" "$b"
    [ "$ended" != 0 ]
    grep "^saemill-$stage: " "$dir/all" > "$dir/err"
    refusal "$@"
}

# places STAGE A B: the same, of two places in the run folder, of which both are named.
places() {
    exchanged "$1" "$run/$2" "$run/$3" "${2%.*}" "${3%.*}" "was made as" "of a run folder, but" \
        "belongs there"
}

# runs STAGE FILE WORD...: the same, of the same place in two runs.
runs() {
    stage=$1 file=$2
    shift 2
    exchanged "$stage" "$run/$file" "$other/$file" "$run/$file" " was made " "$@"
}

harvest_reads_the_tokens_of_its_places_and_its_run() {
    places harvest tokens/00000.h5 tokens/00001.h5
    runs harvest tokens/00000.h5 "from another model, other text or another suite"
}

shuffle_reads_the_harvest_of_its_places_and_its_run() {
    places shuffle harvest/00000/res.00.h5 harvest/00001/res.00.h5
    places shuffle harvest/00000/res.00.h5 harvest/00000/res.02.h5
    runs shuffle harvest/00000/res.00.h5 "with 'seed: 5', but the suite says 'seed: 0'"
}

train_reads_the_rows_of_its_places_and_its_run() {
    places train shuffle/res.00/00000.h5 shuffle/res.00/00001.h5
    places train shuffle/res.00 shuffle/res.02
    runs train shuffle/res.00/00000.h5 "with 'seed: 5', but the suite says 'seed: 0'"
    runs train shuffle/res.00 "with 'seed: 5', but the suite says 'seed: 0'"
}

# Two of res.00 differ in target_l0 alone.
evaluate_reads_the_autoencoders_of_its_places_and_its_run() {
    places evaluate train/res.00/w64-t5.h5 train/res.00/w64-t10.h5
    places evaluate train/res.00/w64-t5.h5 train/res.02/w64-t5.h5
    runs evaluate train/res.00/w64-t5.h5 "with 'seed: 5', but the suite says 'seed: 0'"
    places evaluate tokens/00000.h5 tokens/00001.h5
    runs evaluate tokens/00000.h5 "from another model, other text or another suite"
}

release_reads_the_autoencoders_scores_and_logs_of_its_places_and_its_run() {
    places release train/res.00/w64-t5.h5 train/res.00/w64-t10.h5
    runs release train/res.00/w64-t5.h5 "with 'seed: 5', but the suite says 'seed: 0'"
    places release evaluate/res.00/w64-t5.json evaluate/res.00/w64-t10.json
    places release evaluate/res.00/w64-t5.json evaluate/res.02/w64-t5.json
    runs release evaluate/res.00/w64-t5.json "from another model, other text or another suite"
    places release train/res.00/w64-t5.tsv train/res.00/w64-t10.tsv
    runs release train/res.00/w64-t5.tsv "from another model, other text or another suite"
}

verify_compares_the_release_with_its_own_run() {
    places verify tokens/00000.h5 tokens/00001.h5
    runs verify tokens/00000.h5 "from another model, other text or another suite"
    places verify shuffle/res.00/00000.h5 shuffle/res.00/00001.h5
    runs verify shuffle/res.00 "with 'seed: 5', but the suite says 'seed: 0'"
    places verify harvest/00000/res.00.h5 harvest/00001/res.00.h5
    exchanged verify "$run/release" "$other/release" "run/release/" \
        "is not what release makes of the other files"
}

# known_to_all WORD...: the stage that reads it, and the driver's commands, refuse with the words.
known_to_all() {
    stage=$1
    shift
    if stage 1 "$stage" "$dir/suite.yaml" > "$dir/out" 2> "$dir/all"; then return 1; fi
    grep "^saemill-$stage: " "$dir/all" > "$dir/err"
    refusal "$@"
    for command in plan status "submit --dry-run" run; do
        if bin/saemill $command "$dir/suite.yaml" > "$dir/out" 2> "$dir/err"; then return 1; fi
        refusal "$@"
    done
}

# Of the same size, with the same times; evaluate would score with it what was trained on another.
a_model_that_has_changed() {
    weights=$dir/model/model.safetensors
    cp -p "$weights" "$dir/kept"
    printf x | dd of="$weights" bs=1 seek=4000000 conv=notrunc 2> "$dir/dd"
    touch -r "$dir/kept" "$weights"
    known_to_all evaluate "$weights has changed since harvest, shuffle, train"
    cp -p "$dir/kept" "$weights"
    cp "$dir/model/config.json" "$dir/kept"
    echo >> "$dir/model/config.json"
    known_to_all harvest "$dir/model/config.json has changed since tokens, harvest" \
        "it had 689 bytes and has 690"
    cp "$dir/kept" "$dir/model/config.json"
    cp "$dir/model/tokenizer.model" "$dir/kept"
    printf x >> "$dir/model/tokenizer.model"
    known_to_all harvest "$dir/model/tokenizer.model has changed since tokens, harvest"
    cp "$dir/kept" "$dir/model/tokenizer.model"
    cp "$weights" "$dir/model/more.safetensors"
    mv "$weights" "$dir/kept"
    known_to_all harvest "$dir/model/more.safetensors is new"
    mv "$dir/kept" "$weights"
    rm "$dir/model/more.safetensors"
}

# Copied, touched: the same bytes are the same model.
a_model_with_the_same_bytes_is_the_same() {
    cp "$dir/model/model.safetensors" "$dir/kept"
    mv "$dir/kept" "$dir/model/model.safetensors"
    touch "$dir"/model/* "$dir"/text/*
    bin/saemill status "$dir/suite.yaml"
    stage 1 evaluate "$dir/suite.yaml"
    cp "$run/inputs" "$dir/kept"
    stage 1 evaluate "$dir/suite.yaml"
    cmp "$run/inputs" "$dir/kept"
}

# The record of the inputs only saves time.
without_a_record_a_changed_model_is_found_too() {
    mv "$run/inputs" "$dir/kept-inputs"
    weights=$dir/model/model.safetensors
    cp "$weights" "$dir/kept"
    printf x | dd of="$weights" bs=1 seek=4000000 conv=notrunc 2> "$dir/dd"
    mv "$run/evaluate" "$dir/scores"
    if stage 1 evaluate "$dir/suite.yaml" > "$dir/out" 2> "$dir/all"; then return 1; fi
    grep "^saemill-evaluate: " "$dir/all" > "$dir/err"
    refusal "$run/train/res.00/w64-t" "was made from another model"
    mv "$dir/kept" "$weights"
    printf 'x' > "$run/inputs"
    stage 1 evaluate "$dir/suite.yaml"
    same_run "$run/evaluate" "$dir/scores"
}

cp -r jobs/demo/tiny-gemma2 "$dir/model"
suite | sed -e '/- sites: .attn/,$d' -e "s|path: jobs.*|path: $dir/model|" \
    -e 's/sites: .attn, res./sites: [res]/' > "$dir/suite.yaml"
sed -e "s|^run:.*|run: $other|" -e 's/^  block: .*/&\n  seed: 5/' "$dir/suite.yaml" > "$dir/other.yaml"
cp -r "$dir/text" "$dir/texts"
for text in "$dir"/texts/*; do
    tac "$text" > "$dir/text/${text##*/}"
done
for stage in $stages; do
    stage 1 "$stage" "$dir/other.yaml" > /dev/null
done
cp "$dir"/texts/* "$dir/text"
for stage in $stages; do
    case $stage in
        harvest)  try harvest_reads_the_tokens_of_its_places_and_its_run ;;
        shuffle)  try shuffle_reads_the_harvest_of_its_places_and_its_run ;;
        train)    try train_reads_the_rows_of_its_places_and_its_run ;;
        evaluate) try evaluate_reads_the_autoencoders_of_its_places_and_its_run ;;
        release)  try release_reads_the_autoencoders_scores_and_logs_of_its_places_and_its_run ;;
    esac
    stage 1 "$stage" "$dir/suite.yaml" > /dev/null
done
try verify_compares_the_release_with_its_own_run
for claim in a_model_that_has_changed a_model_with_the_same_bytes_is_the_same \
    without_a_record_a_changed_model_is_found_too; do
    try $claim
done
finish
