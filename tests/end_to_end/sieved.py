"""Does a harvest with max_norm hold what its definition says?

    sieved.py WHOLE SIEVED MEDIANS LOG

Of each shard of the harvest WHOLE, which has all rows, those that are longer than so many
medians in any stream are not in SIEVED; the others are, in the same order; attributes and log
say how many were dropped.
"""
import glob
import os
import sys

import h5py
import numpy

whole, sieved, medians = sys.argv[1], sys.argv[2], float(sys.argv[3])
with open(sys.argv[4]) as file:
    log = file.read()
total = 0
for shard in sorted(os.listdir(whole)):
    paths = sorted(glob.glob(f"{whole}/{shard}/*.h5"))
    out, limits = False, {}
    for path in paths:
        with h5py.File(path) as file:
            norms = numpy.linalg.norm(file["activation"][:].astype("f8"), axis=1)
        limits[path] = medians * numpy.sort(norms)[(len(norms) - 1) // 2]
        out = out | (norms > limits[path])
    for path in paths:
        with h5py.File(path) as a, h5py.File(path.replace(whole, sieved)) as b:
            for name in ("activation", "document", "position", "token"):
                assert numpy.array_equal(a[name][:][~out], b[name][:]), (path, name)
            assert b.attrs["dropped"] == out.sum()
            assert abs(b.attrs["norm_limit"] / limits[path] - 1) < 1e-6
    assert f"{(~out).sum()} rows of {len(paths)} streams" in log
    assert f"{out.sum()} dropped for their norm" in log
    total += out.sum()
print(f"{total} rows were dropped")
assert total > 0
