#!/bin/sh
# A list of corpus files that is another one than when tokens were made: refused by name, by all that
# take a file by its place in the list.
. tests/lib.sh

# changed WORD...: tokenize, harvest and the driver refuse, in one sentence with all the words.
changed() {
    for stage in tokenize harvest; do
        if stage 1 $stage "$dir/suite.yaml" > "$dir/out" 2> "$dir/all"; then return 1; fi
        grep "^saemill-$stage: " "$dir/all" > "$dir/err"
        refusal "$@"
    done
    for command in plan status "submit --dry-run"; do
        if bin/saemill $command "$dir/suite.yaml" > "$dir/out" 2> "$dir/err"; then return 1; fi
        refusal "$@"
    done
}

a_file_that_arrives_before_others() {
    documents 3 > "$dir/own/0.jsonl"
    changed tokens/00000.h5 "$dir/own/1.jsonl" "$dir/own/0.jsonl in its place"
    rm "$dir/own/0.jsonl"
}

a_file_that_goes() {
    mv "$dir/own/1.jsonl" "$dir/away"
    changed tokens/00000.h5 "$dir/own/2.jsonl in its place"
    mv "$dir/away" "$dir/own/1.jsonl"
    mv "$dir/own/2.jsonl" "$dir/away"
    changed tokens/00001.h5 "$dir/own/2.jsonl, which corpus.files no longer has"
    mv "$dir/away" "$dir/own/2.jsonl"
}

a_file_that_is_renamed() {
    mv "$dir/own/1.jsonl" "$dir/own/9.jsonl"
    changed tokens/00000.h5 "$dir/own/1.jsonl" "$dir/own/2.jsonl in its place"
    mv "$dir/own/9.jsonl" "$dir/own/1.jsonl"
}

files_that_are_exchanged() {
    mv "$dir/own/1.jsonl" "$dir/away"
    mv "$dir/own/2.jsonl" "$dir/own/1.jsonl"
    mv "$dir/away" "$dir/own/2.jsonl"
    changed "$dir/own/1.jsonl has changed since" "tokens/00000.h5 was made from it"
    mv "$dir/own/1.jsonl" "$dir/away"
    mv "$dir/own/2.jsonl" "$dir/own/1.jsonl"
    mv "$dir/away" "$dir/own/2.jsonl"
}

a_file_behind_the_others_is_added() {
    documents 9 > "$dir/own/3.jsonl"
    stage 1 tokenize "$dir/suite.yaml"
    stage 1 tokenize "$dir/suite.yaml"
    [ -e "$dir/run/tokens/00002.h5" ]
}

# The order of the sequences depends on their number.
no_file_is_added_once_the_harvest_has_begun() {
    stage 1 harvest "$dir/suite.yaml" --task 0
    documents 9 > "$dir/own/4.jsonl"
    changed "$dir/own/4.jsonl" "$dir/run/harvest was begun with 3 files"
    rm "$dir/own/4.jsonl" "$dir/run/tokens/00001.h5"
    stage 1 tokenize "$dir/suite.yaml"
    stage 1 harvest "$dir/suite.yaml"
}

mkdir "$dir/own"
suite | sed "s|/text/|/own/|" > "$dir/suite.yaml"
documents 20 > "$dir/own/1.jsonl"
documents 30 > "$dir/own/2.jsonl"
stage 1 tokenize "$dir/suite.yaml" > /dev/null
for claim in a_file_that_arrives_before_others a_file_that_goes a_file_that_is_renamed \
    files_that_are_exchanged a_file_behind_the_others_is_added \
    no_file_is_added_once_the_harvest_has_begun; do
    try $claim
done
finish
