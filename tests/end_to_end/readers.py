"""What Python makes of our files, with h5py, NumPy and the definitions alone.

    readers.py floats SHARD         the activations of a shard are floats, as its sums say
    readers.py heldout RUN FILE     the held-out sequences of a run, as ready token ids
    readers.py scores RUN HARVEST   the scores of the release's autoencoders, made anew from
                                    params.npz and the raw activations of a run on FILE
"""
import glob
import json
import os
import sys

import h5py
import numpy

TOLERANCE = 1e-5


def floats(shard):
    with h5py.File(shard) as file:
        rows = file["activation"][()]
        assert rows.dtype == numpy.float32, rows.dtype
        assert rows.shape == (len(file["token"]), len(file["sum"])), rows.shape
        rows = rows.astype(numpy.float64)
        assert numpy.isclose((rows ** 2).sum(), file.attrs["sum_squares"], rtol=1e-12)
        assert numpy.allclose(rows.sum(0), file["sum"][()], rtol=1e-9, atol=1e-6)
    print(shard, rows.shape)


def heldout(run, path):
    ids = []
    for name in sorted(glob.glob(run + "/tokens/*.h5")):
        with h5py.File(name) as file:
            ids.append(file["holdout/ids"][()])
    with h5py.File(path, "w") as file:
        file["tokens"] = numpy.concatenate(ids)


def activations(harvest, site, layer):
    rows = []
    for name in sorted(glob.glob(f"{harvest}/*/{site}.{layer:02d}.h5")):
        with h5py.File(name) as file:
            rows.append(file["activation"][()])
    return numpy.concatenate(rows).astype(numpy.float64)


def forward(sae, x):
    before = x @ sae["W_enc"] + sae["b_enc"]
    f = numpy.where(before > numpy.maximum(sae["threshold"], 0), before, 0)
    return f, f @ sae["W_dec"] + sae["b_dec"]


def score(sae, x):
    f, y = forward(sae, x)
    mse = ((x - y) ** 2).sum(1).mean()
    norms = numpy.linalg.norm(x, axis=1), numpy.linalg.norm(y, axis=1)
    return {
        "tokens": len(x),
        "l0": (f > 0).sum(1).mean(),
        "l1": f.sum(1).mean(),
        "mse": mse,
        "fvu": mse / ((x - x.mean(0)) ** 2).sum(1).mean(),
        "cosine": ((x * y).sum(1) / (norms[0] * norms[1])).mean(),
        "l2_ratio": (norms[1] / norms[0]).mean(),
        "gamma": (y ** 2).sum(1).mean() / (x * y).sum(1).mean(),
        "never_active": (f.max(0) == 0).sum(),
        "dense_above_10_percent": ((f > 0).mean(0) > 0.1).sum(),
    }


def scores(run, harvest):
    names = sorted(glob.glob(run + "/release/*/*/*/*/params.npz"))
    assert names
    for name in names:
        with open(os.path.join(os.path.dirname(name), "scores.json")) as file:
            theirs = json.load(file)
        ours = score(numpy.load(name), activations(harvest, theirs["site"], theirs["layer"]))
        off = {key: abs(theirs[key] / value - 1) if value else abs(theirs[key])
               for key, value in ours.items()}
        worst = max(off, key=off.get)
        print(f"{name}: {worst} is off by {off[worst]:.1e}")
        assert off[worst] <= TOLERANCE, (worst, theirs[worst], ours[worst])


globals()[sys.argv[1]](*sys.argv[2:])
