"""Is a harvest of Gemma 2 what its definition gives?

    check_harvest.py CHECKPOINT FOLDER TOLERANCE

The first tokens of a document are put through the model in float64, and its rows in every
file of FOLDER compared.  Printed: the norm of the difference over the norm, for each stream;
the exit status tells whether all are below TOLERANCE.
"""
import glob
import json
import os
import struct
import sys

import h5py
import numpy as np

TOKENS = 48


def checkpoint(folder):
    """The tensors of all files, mapped."""
    found = {}
    for path in glob.glob(os.path.join(folder, "*.safetensors")):
        with open(path, "rb") as file:
            size = struct.unpack("<Q", file.read(8))[0]
            header = json.loads(file.read(size))
        data = np.memmap(path, np.uint8, "r", 8 + size)
        for name, entry in header.items():
            first, end = entry["data_offsets"]
            found[name] = data[first:end].view(np.uint16).reshape(entry["shape"])
    return found


def numbers(half):
    return (half.astype(np.uint32) << 16).view(np.float32).astype(np.float64)


def rms(x, scale, epsilon):
    return x / np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + epsilon) * (1 + scale)


def turned(x, base):
    """RoPE on [tokens, heads, head_width]."""
    half = x.shape[-1] // 2
    angle = np.arange(len(x))[:, None] * base ** (-np.arange(half) / half)
    cosine, sine = np.cos(angle)[:, None], np.sin(angle)[:, None]
    a, b = x[..., :half], x[..., half:]
    return np.concatenate([a * cosine - b * sine, b * cosine + a * sine], axis=-1)


def attend(x, w, c):
    tokens, size = len(x), c["head_dim"]
    q, k, v = (x @ numbers(w(f"self_attn.{name}_proj.weight")).T for name in "qkv")
    q = turned(q.reshape(tokens, -1, size), c["rope_theta"])
    k = turned(k.reshape(tokens, -1, size), c["rope_theta"])
    v = v.reshape(tokens, -1, size)
    group = q.shape[1] // k.shape[1]
    k, v = np.repeat(k, group, axis=1), np.repeat(v, group, axis=1)
    score = np.einsum("ihd,jhd->hij", q, k) / np.sqrt(c["query_pre_attn_scalar"])
    cap = c["attn_logit_softcapping"]
    score = cap * np.tanh(score / cap)
    score[:, ~np.tri(tokens, dtype=bool)] = -np.inf
    weight = np.exp(score)
    weight /= weight.sum(axis=-1, keepdims=True)
    return np.einsum("hij,jhd->ihd", weight, v).reshape(tokens, -1)


def gelu(x):
    return x / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x ** 3)))


def activations(tensors, c, ids):
    """{stream: rows} of a sequence."""
    found, epsilon = {}, c["rms_norm_eps"]
    x = numbers(tensors["model.embed_tokens.weight"][ids]) * float(np.float32(c["hidden_size"] ** 0.5))
    for layer in range(c["num_hidden_layers"]):
        def w(name, prefix=f"model.layers.{layer}."):
            return tensors[prefix + name]

        def norm(x, name):
            return rms(x, numbers(w(name + "_layernorm.weight")), epsilon)

        z = attend(norm(x, "input"), w, c)
        x = x + norm(z @ numbers(w("self_attn.o_proj.weight")).T, "post_attention")
        y = norm(x, "pre_feedforward")
        hidden = gelu(y @ numbers(w("mlp.gate_proj.weight")).T) * (y @ numbers(w("mlp.up_proj.weight")).T)
        out = norm(hidden @ numbers(w("mlp.down_proj.weight")).T, "post_feedforward")
        x = x + out
        for site, rows in (("attn", z), ("mlp_in", y), ("mlp", out), ("res", x)):
            found[f"{site}.{layer:02d}"] = rows
    return found


def main(folder, harvest, tolerance):
    with open(os.path.join(folder, "config.json"), encoding="utf-8") as file:
        config = json.load(file)
    expected, worst = None, 0
    for path in sorted(glob.glob(os.path.join(harvest, "*.h5"))):
        with h5py.File(path) as file:
            ids = [config["bos_token_id"], *file["token"][:TOKENS]]
            got = file["activation"][:TOKENS].astype(np.float64)
        if expected is None:
            expected = activations(checkpoint(folder), config, ids)
        stream = os.path.basename(path)[:-3]
        want = expected[stream][1:]
        error = np.linalg.norm(got - want) / np.linalg.norm(want)
        worst = max(worst, error)
        print(f"{stream:10s} relative error {error:.2g}")
    return 0 if expected is not None and worst < tolerance else 1


sys.exit(main(sys.argv[1], sys.argv[2], float(sys.argv[3])))
