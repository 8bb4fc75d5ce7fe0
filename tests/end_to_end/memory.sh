#!/bin/sh
# Law 3: a harvest says what memory it needs before it begins, and takes that within 10 %.
. tests/lib.sh

takes_what_it_says() {
    stage 1 tokenize "$dir/suite.yaml"
    # shellcheck disable=SC2086
    timeout "$hung" "$PYTHON" tests/memory.py 0.9 saemill-harvest $MPIRUN -n 2 bin/saemill-harvest \
        "$dir/suite.yaml"
}

# One small layer, and long blocks: three shards of a block for each rank.  All sites, so that each
# room for rows is used by the widest of them.
"$PYTHON" tests/bench/random_model.py "$dir/model" --layers 1 --vocabulary 8192 --width 512 \
    --heads 2 --kv-heads 1 --head-width 128 --mlp-width 1024
"$PYTHON" -c 'import h5py, numpy, sys
ids = numpy.random.default_rng(1).integers(4, 8192, (768, 256), "i4")
ids[:, 0] = 2
h5py.File(sys.argv[1], "w")["tokens"] = ids' "$dir/ids.h5"
suite | sed -e "s|path: .*|path: $dir/model|" -e "s|files: .*|files: [$dir/ids.h5]|" \
    -e 's|context: .*|context: 256|' -e 's|holdout: .*|holdout: 0|' \
    -e '/^harvest:/,/layers:/s|sites: .*|sites: [attn, mlp_in, mlp, res]|' \
    -e 's|layers: \[0, 2\]|layers: [0]|' -e 's|layers: \[2\]|layers: [0]|' \
    -e 's|block: .*|block: 128|' -e 's|shard: 64|shard: 256|' > "$dir/suite.yaml"

try takes_what_it_says
finish
