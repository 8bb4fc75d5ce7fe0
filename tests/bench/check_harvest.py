"""Is a harvest what the definition of the model gives: Gemma 2, Llama 3, Qwen3?

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
    return x / np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + epsilon) * scale


def frequencies(c):
    """Radians a position of each pair of dimensions."""
    half = c["head_dim"] // 2
    plain = c["rope_theta"] ** (-np.arange(half) / half)
    llama = c.get("rope_scaling")
    if llama is None:
        return plain
    turns = llama["original_max_position_embeddings"] * plain / (2 * np.pi)
    low, high = llama["low_freq_factor"], llama["high_freq_factor"]
    kept = np.clip((turns - low) / (high - low), 0, 1)
    return plain * (kept + (1 - kept) / llama["factor"])


def turned(x, c):
    """RoPE on [tokens, heads, head_width]."""
    half = x.shape[-1] // 2
    angle = np.arange(len(x))[:, None] * frequencies(c)
    cosine, sine = np.cos(angle)[:, None], np.sin(angle)[:, None]
    a, b = x[..., :half], x[..., half:]
    return np.concatenate([a * cosine - b * sine, b * cosine + a * sine], axis=-1)


def attend(x, w, scale, c):
    tokens, size = len(x), c["head_dim"]
    q, k, v = ((x @ numbers(w(f"self_attn.{name}_proj.weight")).T).reshape(tokens, -1, size)
               for name in "qkv")
    if c["model_type"] == "qwen3":
        q = rms(q, scale("self_attn.q_norm"), c["rms_norm_eps"])
        k = rms(k, scale("self_attn.k_norm"), c["rms_norm_eps"])
    q, k = turned(q, c), turned(k, c)
    group = q.shape[1] // k.shape[1]
    k, v = np.repeat(k, group, axis=1), np.repeat(v, group, axis=1)
    score = np.einsum("ihd,jhd->hij", q, k) / np.sqrt(c.get("query_pre_attn_scalar", size))
    cap = c.get("attn_logit_softcapping")
    if cap is not None:
        score = cap * np.tanh(score / cap)
    score[:, ~np.tri(tokens, dtype=bool)] = -np.inf
    weight = np.exp(score)
    weight /= weight.sum(axis=-1, keepdims=True)
    return np.einsum("hij,jhd->ihd", weight, v).reshape(tokens, -1)


def gelu(x):
    return x / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x ** 3)))


def silu(x):
    return x / (1 + np.exp(-x))


def activations(tensors, c, ids):
    """{stream: rows} of a sequence."""
    found, gemma = {}, c["model_type"] == "gemma2"
    activation = gelu if gemma else silu
    x = numbers(tensors["model.embed_tokens.weight"][ids])
    if gemma:
        x *= float(np.float32(c["hidden_size"] ** 0.5))
    for layer in range(c["num_hidden_layers"]):
        def w(name, prefix=f"model.layers.{layer}."):
            return tensors[prefix + name]

        def scale(name):
            return numbers(w(name + ".weight")) + gemma

        def norm(x, name):
            return rms(x, scale(name + "_layernorm"), c["rms_norm_eps"])

        z = attend(norm(x, "input"), w, scale, c)
        out = z @ numbers(w("self_attn.o_proj.weight")).T
        x = x + (norm(out, "post_attention") if gemma else out)
        y = norm(x, "pre_feedforward" if gemma else "post_attention")
        hidden = (activation(y @ numbers(w("mlp.gate_proj.weight")).T)
                  * (y @ numbers(w("mlp.up_proj.weight")).T))
        out = hidden @ numbers(w("mlp.down_proj.weight")).T
        if gemma:
            out = norm(out, "post_feedforward")
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
