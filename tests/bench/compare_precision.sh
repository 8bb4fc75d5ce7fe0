#!/bin/sh
# compare_precision.sh -- does bf16 arithmetic, or any other of our shortcuts, cost quality?
#
#   make compare-precision      6 minutes on two cores, 1 GB of disk
#
# The demo's autoencoder of the residual stream after layer 1 with L0 20 is trained on the same
# rows in float32, in bf16, and plainly in float64 (jumprelu_reference.py).  Passes if the final
# loss in bf16 is within 1 % of that in float32, and if at equal L0 the FVU of both is no
# more than 2 % above the reference's.  The runs stay in runs/compare-precision.
set -eu

runs=runs/compare-precision

# The suite with this precision, in a folder of its own.
suite() {
    sed -e "s|^name:.*|name: compare-precision\nrun: $runs/$1|" -e "s|^train:|&\n  precision: $1|" \
        -e 's|^  sites: \[attn, mlp, res\].*|  sites: [res]\n  layers: [1]|' \
        -e 's/target_l0: \[10, 20, 40\]/target_l0: [20]/' \
        -e '/sites: \[attn, mlp\]/,/tokens:/d' jobs/demo.yaml
}

stage() {
    OMP_NUM_THREADS=1 $MPIRUN -n "$(nproc)" "bin/saemill-$1" "$runs/$2.yaml"
}

mkdir -p $runs
for precision in f32 bf16; do
    suite $precision > $runs/$precision.yaml
done
for part in tokenize harvest shuffle; do
    stage $part f32
done
mkdir -p $runs/bf16
[ -e $runs/bf16/shuffle ] || cp -al $runs/f32/shuffle $runs/bf16
for precision in f32 bf16; do
    stage train $precision
done
HDF5_PLUGIN_PATH=lib "$PYTHON" tests/bench/jumprelu_reference.py res.01 w1024-t20 $runs/f32 $runs/bf16
