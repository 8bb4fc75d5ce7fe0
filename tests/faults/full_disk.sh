#!/bin/sh
# A disk that fills up while shuffle writes: one sentence, all ranks leave, and once there is
# room the same command goes on.  The disk is a small one in memory, which takes root to mount.
. tests/lib.sh

small=$dir/run/shuffle

# Fill the small disk as soon as something of the name $1 is on it.
fill_when() {
    until find "$small" -name "$1" | grep -q . || [ -e "$dir/over" ]; do sleep 0.01; done
    dd if=/dev/zero of="$small/filler" bs=64k 2> /dev/null
}

# A shuffle is refused when the disk fills up as $1 appears (the disk may fill too late; then
# once more), and goes on when there is room.
refused_and_goes_on() {
    for attempt in 1 2 3 4 5 6 7 8 9 10; do
        rm -rf "$small"/* "$dir/over"
        fill_when "$1" &
        status=0
        stage 2 shuffle "$dir/suite.yaml" --task 1 > "$dir/out" 2> "$dir/err" || status=$?
        touch "$dir/over"
        wait
        rm "$small/filler"
        [ "$status" = 0 ] || break
    done
    echo "attempt $attempt: status $status"
    cat "$dir/err"
    [ "$status" = 6 ]
    [ "$(grep -c '^saemill-shuffle: .*free some space' "$dir/err")" = 1 ]
    stage 3 shuffle "$dir/suite.yaml" --task 1
    same_run "$dir/undisturbed" "$small/res.00"
}

full_while_dealing()        { refused_and_goes_on 'dealt-*'; }
full_while_writing_shards() { refused_and_goes_on '*.h5.part'; }

suite | sed "s/  shard: 2048/&\n  memory: 5700kB/" > "$dir/suite.yaml"
stage 2 tokenize "$dir/suite.yaml" > /dev/null
stage 2 harvest "$dir/suite.yaml" > /dev/null
stage 2 shuffle "$dir/suite.yaml" --task 1 > /dev/null
mv "$small/res.00" "$dir/undisturbed"
if mount -t tmpfs -o size=14m none "$small"; then
    try full_while_dealing
    try full_while_writing_shards
    umount "$small"
else
    echo "[  SKIPPED ] full_while_dealing, full_while_writing_shards: cannot mount a small disk"
fi
finish
