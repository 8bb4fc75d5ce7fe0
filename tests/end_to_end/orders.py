"""Does a shuffled stream lie in the order that pipeline/shard/FORMATS.md describes?

    orders.py RUN SITE.LL BUCKET SEED       BUCKET 0: the whole stream

Written from that text alone: Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy
as 1, 2, 3", 2011) and the network of 24 rounds.  Every column of every row is compared, both
by moving input rows forward and by taking output rows back.  The exit status is the verdict.
"""
import glob
import sys

import h5py
import numpy as np

COLUMNS = "activation", "document", "position", "token"
WORD = 2**32


def philox(counter, key):
    """Ten rounds; four words."""
    c, k = list(counter), list(key)
    for _ in range(10):
        one, two = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [two // WORD ^ c[1] ^ k[0], two % WORD, one // WORD ^ c[3] ^ k[1], one % WORD]
        k = [(k[0] + 0x9E3779B9) % WORD, (k[1] + 0xBB67AE85) % WORD]
    return c


def mix(y, keys):
    y = (y ^ keys[0]) * 0x85EBCA6B % WORD
    y = ((y ^ y >> 15) + keys[1]) % WORD * 0xC2B2AE35 % WORD
    y = ((y ^ y >> 13) + keys[2]) % WORD * 0x85EBCA6B % WORD
    return y ^ y >> 16


class Permutation:
    def __init__(self, n, seed, key):
        self.n = n
        bits = (n - 1).bit_length()
        self.low, self.high = 2**((bits + 1) // 2), 2**(bits // 2)
        self.keys = []
        for number in range(24 * key, 24 * key + 24):
            words = philox((number % WORD, number // WORD, 1, 0), (seed % WORD, seed // WORD))
            self.keys.append(np.array(words[:3], np.uint64))

    def once(self, x, sign):
        high, low = x // self.low, x % self.low
        for r in range(24)[::sign]:
            if r % 2 == 0:
                high = (high + sign * mix(low.astype(np.uint64), self.keys[r]).astype(np.int64)) % self.high
            else:
                low = (low + sign * mix(high.astype(np.uint64), self.keys[r]).astype(np.int64)) % self.low
        return high * self.low + low

    def move(self, x, sign):
        """sign 1: where input rows go; -1: where output rows come from."""
        x = self.once(x, sign)
        while (x >= self.n).any():
            x = np.where(x >= self.n, self.once(x, sign), x)
        return x


def places(rows, bucket, seed, sign):
    """Of all rows; each bucket has a permutation of its own."""
    parts = []
    for key, first in enumerate(range(0, rows, bucket)):
        n = min(bucket, rows - first)
        parts.append(first + Permutation(n, seed, key).move(np.arange(n), sign))
    return np.concatenate(parts)


def read(paths):
    columns = {name: [] for name in COLUMNS}
    for path in sorted(paths):
        with h5py.File(path, "r") as file:
            for name in COLUMNS:
                columns[name].append(file[name][()])
    return {name: np.concatenate(parts) for name, parts in columns.items()}


def main(run, tap, bucket, seed):
    before = read(glob.glob(f"{run}/harvest/*/{tap}.h5"))
    after = read(glob.glob(f"{run}/shuffle/{tap}/*.h5"))
    rows = len(before["token"])
    forward = places(rows, bucket or rows, seed, 1)
    back = places(rows, bucket or rows, seed, -1)
    faults = [name for name in COLUMNS
              if not (np.array_equal(after[name][forward], before[name])
                      and np.array_equal(before[name][back], after[name]))]
    print(f"{rows} rows of {tap} in buckets of {bucket or rows}:", faults or "all in their places")
    return 1 if faults or np.array_equal(forward, np.arange(rows)) else 0


sys.exit(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
