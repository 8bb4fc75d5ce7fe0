"""A Gemma 2 checkpoint of any size with random bfloat16 weights, sharded as large ones are.

    random_gemma.py FOLDER [--layers 26] [--vocabulary 256000] [--width 2304] ...

The default is the shape of Gemma 2 2B.  Weights are normal numbers of such a size that
activations stay near the size that they have in a trained model.
"""
import argparse
import json
import os
import struct

import numpy as np

SHARD_BYTES = 1 << 30
PIECE = 1 << 24         # values made at a time


def tensors(a):
    """Name, shape and standard deviation of every tensor."""
    heads, kv = a.heads * a.head_width, a.kv_heads * a.head_width
    yield "model.embed_tokens.weight", (a.vocabulary, a.width), a.width ** -0.5
    for layer in range(a.layers):
        prefix = f"model.layers.{layer}."
        for name, outputs, inputs in (("self_attn.q_proj", heads, a.width),
                                      ("self_attn.k_proj", kv, a.width),
                                      ("self_attn.v_proj", kv, a.width),
                                      ("self_attn.o_proj", a.width, heads),
                                      ("mlp.gate_proj", a.mlp_width, a.width),
                                      ("mlp.up_proj", a.mlp_width, a.width),
                                      ("mlp.down_proj", a.width, a.mlp_width)):
            yield f"{prefix}{name}.weight", (outputs, inputs), inputs ** -0.5
        for name in ("input", "post_attention", "pre_feedforward", "post_feedforward"):
            yield f"{prefix}{name}_layernorm.weight", (a.width,), 0.1
    yield "model.norm.weight", (a.width,), 0.1


def shards(a):
    """The tensors in lists of about SHARD_BYTES."""
    some, size = [], 0
    for name, shape, deviation in tensors(a):
        some.append((name, shape, deviation))
        size += 2 * int(np.prod(shape))
        if size >= SHARD_BYTES:
            yield some
            some, size = [], 0
    if some:
        yield some


def write_shard(path, some, pool, rng):
    header, at = {}, 0
    for name, shape, _ in some:
        size = 2 * int(np.prod(shape))
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [at, at + size]}
        at += size
    words = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(words)) + words)
        for _, shape, deviation in some:
            for first in range(0, int(np.prod(shape)), PIECE):
                count = min(PIECE, int(np.prod(shape)) - first)
                start = rng.integers(PIECE)
                values = pool[start:start + count] * np.float32(deviation)
                file.write((values.view(np.uint32) >> 16).astype(np.uint16).tobytes())
    return {name: os.path.basename(path) for name, _, _ in some}


def write_config(a):
    config = {
        "architectures": ["Gemma2ForCausalLM"], "model_type": "gemma2",
        "vocab_size": a.vocabulary, "hidden_size": a.width, "intermediate_size": a.mlp_width,
        "num_hidden_layers": a.layers, "num_attention_heads": a.heads,
        "num_key_value_heads": a.kv_heads, "head_dim": a.head_width,
        "max_position_embeddings": 8192, "sliding_window": 4096,
        "attn_logit_softcapping": 50.0, "final_logit_softcapping": 30.0,
        "query_pre_attn_scalar": a.head_width, "rms_norm_eps": 1e-6, "rope_theta": 10000.0,
        "hidden_activation": "gelu_pytorch_tanh", "attention_bias": False,
        "tie_word_embeddings": True, "bos_token_id": 2, "eos_token_id": 1, "pad_token_id": 0,
        "torch_dtype": "bfloat16",
    }
    with open(os.path.join(a.folder, "config.json"), "w", encoding="utf-8") as file:
        json.dump(config, file, indent=2)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder")
    for name, value in (("layers", 26), ("vocabulary", 256000), ("width", 2304), ("heads", 8),
                        ("kv-heads", 4), ("head-width", 256), ("mlp-width", 9216)):
        parser.add_argument(f"--{name}", type=int, default=value)
    a = parser.parse_args()
    os.makedirs(a.folder, exist_ok=True)
    write_config(a)
    rng = np.random.default_rng(1)
    # Drawing is slow: each piece takes what it needs from one pool, from another place on.
    pool = rng.standard_normal(2 * PIECE, dtype=np.float32)
    plan = list(shards(a))
    places = {}
    for i, some in enumerate(plan):
        name = f"model-{i + 1:05d}-of-{len(plan):05d}.safetensors"
        places.update(write_shard(os.path.join(a.folder, name), some, pool, rng))
    with open(os.path.join(a.folder, "model.safetensors.index.json"), "w",
              encoding="utf-8") as file:
        json.dump({"metadata": {}, "weight_map": places}, file, indent=1)


main()
