#!/bin/sh
# A disk that fills up while shuffle writes: one sentence, all ranks leave, and once there is
# room the same command goes on.  The disk is a small one in memory, which takes root to mount.
. tests/lib.sh

small=$dir/run/shuffle

# A shuffle is refused when the disk fills up at point $2 on files with $1 in their path, where the
# ranks stop meanwhile, and goes on when there is room.
refused_and_goes_on() {
    rm -rf "$small"/*
    under=$1 strike=$2:STOP struck_rank=0 struck_stage=shuffle
    striking stage 2 shuffle "$dir/suite.yaml" --task 1 > "$dir/out" 2> "$dir/err" &
    await_halt shuffle $!
    dd if=/dev/zero of="$small/filler" bs=64k 2> "$dir/null" || :
    go_on shuffle
    status=0
    wait $! || status=$?
    rm "$small/filler"
    echo "status $status"
    cat "$dir/err"
    [ "$status" = 6 ]
    [ "$(grep -c '^saemill-shuffle: .*free some space' "$dir/err")" = 1 ]
    stage 3 shuffle "$dir/suite.yaml" --task 1
    same_run "$dir/undisturbed" "$small/res.00"
}

full_while_dealing()        { refused_and_goes_on res.00.part/dealt- write:10; }
full_while_writing_shards() { refused_and_goes_on .h5.part create:1; }

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
