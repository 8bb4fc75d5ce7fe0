"""A test of an edge as its definition reads, in NumPy and float32, beside bench_circuit.c.

    graph_literal.py KL

Makes the model and the first prompts of bench_circuit.c and runs all of the model without the edges
of MLP 0: KL must be what the program found for them.  Then prints how many tests of an edge a second
that comes to, with all prompts.
"""
import sys
import time

import numpy as np

LAYERS, HEADS, WIDTH, HIDDEN, VOCABULARY, PROMPTS, CONTEXT = 12, 12, 768, 3072, 50257, 100, 16
HEAD = WIDTH // HEADS
FIRST = 20              # prompts that are run
MLP_0 = 1 + HEADS       # among the senders


def uniform(seed, stream, count):
    """random_uniform() of the indices below `count`: Philox4x32-10."""
    low = np.uint64(0xffffffff)
    c = [np.arange(count, dtype=np.uint64), 0, np.full(count, stream, np.uint64), 0]
    key = [seed, 0]
    for _ in range(10):
        a, b = c[0] * np.uint64(0xD2511F53), c[2] * np.uint64(0xCD9E8D57)
        c = [(b >> np.uint64(32)) ^ c[1] ^ np.uint64(key[0]), b & low,
             (a >> np.uint64(32)) ^ c[3] ^ np.uint64(key[1]), a & low]
        key = [(key[0] + 0x9E3779B9) % 2**32, (key[1] + 0xBB67AE85) % 2**32]
    return (c[0] >> np.uint64(8)).astype(np.float32) * np.float32(2.0**-24)


def weights(stream, rows, columns, size=None):
    size = np.float32(3.46) / np.sqrt(np.float32(columns)) if size is None else np.float32(size)
    return (size * (uniform(17, stream, rows * columns) - np.float32(.5))).reshape(rows, columns)


def model():
    layers = [{'qkv': weights(10 * l + 3, 3 * WIDTH, WIDTH).reshape(3, HEADS, HEAD, WIDTH),
               'out': weights(10 * l + 4, WIDTH, WIDTH).reshape(WIDTH, HEADS, HEAD),
               'up': weights(10 * l + 5, HIDDEN, WIDTH),
               'down': weights(10 * l + 6, WIDTH, HIDDEN)} for l in range(LAYERS)]
    return weights(1, VOCABULARY, WIDTH, .1), weights(2, CONTEXT, WIDTH, .1), layers


def norm(x):
    x = x - x.mean(-1, keepdims=True)
    return x / np.sqrt((x * x).mean(-1, keepdims=True) + np.float32(1e-5))


def attend(q, k, v):
    """Of one head, [prompts, CONTEXT, HEAD] each."""
    scores = q @ k.transpose(0, 2, 1) / np.float32(np.sqrt(HEAD))
    scores = np.where(np.tri(CONTEXT, dtype=bool), scores, -np.inf)
    scores = np.exp(scores - scores.max(-1, keepdims=True))
    return scores / scores.sum(-1, keepdims=True) @ v


def mlp(layer, x):
    h = norm(x) @ layer['up'].T
    h *= np.float32(.5) * (1 + np.tanh(np.float32(.7978845608) * (h + np.float32(.044715) * h**3)))
    return h @ layer['down'].T


def run(parts, ids, reference=None, absent=None):
    """What each sender makes, and the input of each receiver: with a reference (out', in'),
    in' + the sum over present edges of out - out'.  `absent`: the edges of this sender."""
    embedding, positions, layers = parts
    out, inputs = np.empty((1 + LAYERS * (HEADS + 1), *ids.shape, WIDTH), np.float32), {}
    other = np.zeros_like(out) if reference is None else reference[0]
    difference, made = np.empty_like(out), 0

    def send(x):
        nonlocal made
        out[made] = x
        difference[made] = x - other[made]
        made += 1

    def receive(name, senders):
        mask = np.array([u != absent for u in range(senders)], np.float32)
        x = np.tensordot(mask, difference[:senders], 1)
        inputs[name] = x if reference is None else x + reference[1][name]
        return inputs[name]

    send(embedding[ids] + positions)
    for l, layer in enumerate(layers):
        before = made
        for h in range(HEADS):
            q, k, v = (norm(receive((l, part, h), before)) @ layer['qkv'][part, h].T
                       for part in range(3))
            send(attend(q, k, v) @ layer['out'][:, h].T)
        send(mlp(layer, receive((l, 'mlp'), made)))
    receive('final', made)
    return out, inputs


def log_probabilities(parts, inputs):
    logits = (norm(inputs['final'][:, -1]) @ parts[0].T).astype(np.float64)
    logits -= logits.max(-1, keepdims=True)
    return logits - np.log(np.exp(logits).sum(-1, keepdims=True))


def main(expected):
    parts = model()
    clean, corrupted = ((VOCABULARY * uniform(1, stream, FIRST * CONTEXT).astype(np.float64))
                        .astype(np.int32).reshape(FIRST, CONTEXT) for stream in (1, 2))
    wanted = log_probabilities(parts, run(parts, clean)[1])
    reference = run(parts, corrupted)
    since = time.perf_counter()
    found = log_probabilities(parts, run(parts, clean, reference, MLP_0)[1])
    kl = (np.exp(wanted) * (wanted - found)).sum() / FIRST
    seconds = (time.perf_counter() - since) * PROMPTS / FIRST
    print(f'the literal definition, in NumPy: KL {kl:.6g} without the edges of m0; '
          f'{1 / seconds:.3f} edges/s')
    if abs(kl - expected) > 1e-3 * expected:
        sys.exit(f'KL is {kl:.9g}, and of bench_circuit {expected:.9g}')


main(float(sys.argv[1]))
