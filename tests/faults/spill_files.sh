#!/bin/sh
# What lies between the two passes of a shuffle: a flipped bit in it is found, and all files
# together take no more of the disk than was said before the start.
. tests/lib.sh

shuffled=$dir/run/shuffle/res.00

# The file and the place in it are named, nothing is published; the remedy that is named helps.
finds_a_flipped_bit_in_a_dealt_file() {
    for attempt in 1 2 3 4 5 6 7 8 9 10; do
        rm -rf "$dir/run/shuffle" "$dir/over"
        "$PYTHON" tests/faults/damage.py dealt "$shuffled.part" "$dir/over" > "$dir/flipped" &
        sleep 0.5       # Python takes long to start
        status=0
        stage 2 shuffle "$dir/suite.yaml" --task 1 > "$dir/out" 2> "$dir/all" || status=$?
        touch "$dir/over"
        wait
        [ "$status" = 0 ] || break
    done
    echo "attempt $attempt: status $status"
    grep "^saemill-shuffle: " "$dir/all" > "$dir/err"
    refusal "$(cat "$dir/flipped") is damaged: the chunk at byte" "remove it and run"
    [ "$status" = 4 ]
    [ ! -e "$shuffled" ]
    rm "$(cat "$dir/flipped")"
    stage 3 shuffle "$dir/suite.yaml" --task 1
    same_run "$dir/undisturbed" "$shuffled"
}

# What shuffle takes at most, looked at all the time, in bytes.
watch_disk() {
    until [ -e "$dir/over" ]; do du -s -B1 "$dir/run/shuffle" 2> /dev/null || :; done > "$dir/samples"
}

takes_the_disk_that_was_planned() {
    rm -rf "$dir/run/shuffle" "$dir/over"
    watch_disk &
    stage 2 shuffle "$dir/suite.yaml" --task 1 > "$dir/out"
    touch "$dir/over"
    wait
    planned=$(sed -n 's/.*fan-out [0-9]*; \([0-9.]*\) MB of disk at most.*/\1/p' "$dir/out")
    most=$(sort -n "$dir/samples" | tail -1 | cut -f1)
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
