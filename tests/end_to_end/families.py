"""Compare what harvest has written of ready ids with the reference's activations.

    families.py EXPECTED HARVEST

Each stream of every shard: the rows are those of the reference at (document, position), all but
those of special tokens, and differ by less than 2e-5 of their norm.
"""
import glob
import sys

import h5py
import numpy

NAMES = {"attn": "attn", "mlp_in": "mlp_in", "mlp": "mlp", "res": "resid"}
expected, harvest = h5py.File(sys.argv[1]), sys.argv[2]
shards = sorted(glob.glob(harvest + "/*"))
with h5py.File(harvest + "/../tokens/00000.h5") as file:
    special = [file.attrs[name] for name in ("bos", "eos", "pad")]
with h5py.File(harvest + "/../tokens/00000.h5") as file:
    sequences = len(file["train/ids"])
tokens = expected["tokens"][:sequences]
places = {(s, i) for s, i in zip(*numpy.nonzero(~numpy.isin(tokens, special)))}
streams = sorted({path.rsplit("/", 1)[1] for path in glob.glob(harvest + "/*/*.h5")})
assert len(shards) == (sequences + 1) // 2
known = [stream for stream in streams
         if f"{NAMES[stream.split('.')[0]]}.{int(stream.split('.')[1])}" in expected]
assert len(known) == sum(name.split(".")[0] in NAMES.values() for name in expected)
for stream in known:        # some references have no mlp_in
    site, layer, _ = stream.split(".")
    reference = expected[f"{NAMES[site]}.{int(layer)}"]
    found, difference, norm = set(), 0, 0
    for shard in shards:
        with h5py.File(f"{shard}/{stream}") as file:
            sequence, position = file["document"][:], file["position"][:] + 1
            rows = reference[:][sequence, position]
            assert (file["token"][:] == tokens[sequence, position]).all()
            found |= set(zip(sequence, position))
            difference += ((file["activation"][:].astype("f8") - rows) ** 2).sum()
            norm += (rows.astype("f8") ** 2).sum()
    print(f"{stream:12} relative error {(difference / norm) ** .5:.2g}")
    assert found == places
    assert difference < 2e-5 ** 2 * norm
