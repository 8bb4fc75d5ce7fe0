#!/bin/sh
# What lies between the two passes of a shuffle: a flipped bit in it is found, and all files
# together take no more of the disk than was said before the start.
. tests/lib.sh

shuffled=$dir/run/shuffle/res.00

# The file and the place in it are named, nothing is published; the remedy that is named helps.
finds_a_flipped_bit_in_a_dealt_file() {
    rm -rf "$dir/run/shuffle"
    under=$shuffled.part/dealt- strike=rename:2:STOP struck_rank=0 struck_stage=shuffle
    striking stage 2 shuffle "$dir/suite.yaml" --task 1 > "$dir/out" 2> "$dir/all" &
    await_halt shuffle $!
    "$PYTHON" tests/faults/damage.py dealt "$shuffled.part" > "$dir/flipped"
    go_on shuffle
    status=0
    wait $! || status=$?
    cat "$dir/all"
    grep "^saemill-shuffle: " "$dir/all" > "$dir/err"
    refusal "$(cat "$dir/flipped") is damaged: the chunk at byte" "remove it and run"
    [ "$status" = 4 ]
    [ ! -e "$shuffled" ]
    rm "$(cat "$dir/flipped")"
    stage 3 shuffle "$dir/suite.yaml" --task 1
    same_run "$dir/undisturbed" "$shuffled"
}

# Each rank stops before each file that it removes or gives its final size; then there is most.
watch_disk() {
    while kill -0 "$1" 2> /dev/null; do
        for rank in $(halted shuffle); do
            du -s -B1 "$dir/run/shuffle"
            kill -CONT "$rank"
        done
        sleep 0.01
    done > "$dir/samples"
}

takes_the_disk_that_was_planned() {
    under=$shuffled.part struck_rank='' struck_stage=shuffle
    for strike in remove:1+:STOP resize:1+:STOP; do
        rm -rf "$dir/run/shuffle"
        striking stage 2 shuffle "$dir/suite.yaml" --task 1 > "$dir/out" &
        watch_disk $!
        wait $!
        cat "$dir/samples" >> "$dir/all_samples"
    done
    planned=$(sed -n 's/.*fan-out [0-9]*; \([0-9.]*\) MB of disk at most.*/\1/p' "$dir/out")
    most=$(sort -n "$dir/all_samples" | tail -1 | cut -f1)
    echo "$most bytes of $planned MB planned"
    awk -v most="$most" -v planned="$planned" 'BEGIN {
        exit !(most <= planned * 1e6 && most > planned * 1e6 / 2) }'
}

suite | sed "s/  shard: 2048/&\n  memory: 5700kB/" > "$dir/suite.yaml"
stage 2 tokenize "$dir/suite.yaml" > /dev/null
stage 2 harvest "$dir/suite.yaml" > /dev/null
stage 2 shuffle "$dir/suite.yaml" --task 1 > /dev/null
cp -r "$shuffled" "$dir/undisturbed"
try finds_a_flipped_bit_in_a_dealt_file
try takes_the_disk_that_was_planned
finish
