"""A checkpoint of any size with random bfloat16 weights, sharded as large ones are.

    random_model.py FOLDER [--shape gemma] [--layers 26] [--vocabulary 256000] [--width 2304] ...

Shapes are those of Gemma 2 2B, Llama 3.2 3B (llama) and Qwen3 4B (qwen).  Weights are normal
numbers of such a size that activations stay near the size that they have in a trained model.
"""
import argparse
import json
import os
import struct

import numpy as np

SHARD_BYTES = 1 << 30
PIECE = 1 << 24         # values made at a time


# What the command line may change, and the rest of config.json.
SHAPES = {
    "gemma": ({"layers": 26, "vocabulary": 256000, "width": 2304, "heads": 8, "kv_heads": 4,
               "head_width": 256, "mlp_width": 9216},
              {"architectures": ["Gemma2ForCausalLM"], "model_type": "gemma2",
               "max_position_embeddings": 8192, "sliding_window": 4096,
               "attn_logit_softcapping": 50.0, "final_logit_softcapping": 30.0,
               "rms_norm_eps": 1e-6, "rope_theta": 10000.0,
               "hidden_activation": "gelu_pytorch_tanh"}),
    "llama": ({"layers": 28, "vocabulary": 128256, "width": 3072, "heads": 24, "kv_heads": 8,
               "head_width": 128, "mlp_width": 8192},
              {"architectures": ["LlamaForCausalLM"], "model_type": "llama",
               "max_position_embeddings": 131072, "rms_norm_eps": 1e-5, "rope_theta": 500000.0,
               "rope_scaling": {"factor": 32.0, "high_freq_factor": 4.0, "low_freq_factor": 1.0,
                                "original_max_position_embeddings": 8192, "rope_type": "llama3"},
               "hidden_act": "silu", "mlp_bias": False}),
    "qwen": ({"layers": 36, "vocabulary": 151936, "width": 2560, "heads": 32, "kv_heads": 8,
              "head_width": 128, "mlp_width": 9728},
             {"architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3",
              "max_position_embeddings": 40960, "rms_norm_eps": 1e-6, "rope_theta": 1000000,
              "rope_scaling": None, "sliding_window": None, "use_sliding_window": False,
              "max_window_layers": 36, "hidden_act": "silu"}),
}


def norms(a):
    """The norms of a layer, and their widths."""
    names = ["input_layernorm", "post_attention_layernorm"]
    if a.shape == "gemma":
        names += ["pre_feedforward_layernorm", "post_feedforward_layernorm"]
    yield from ((name, a.width) for name in names)
    if a.shape == "qwen":
        yield from (("self_attn.q_norm", a.head_width), ("self_attn.k_norm", a.head_width))


def tensors(a):
    """Name, shape, standard deviation and mean of every tensor."""
    heads, kv = a.heads * a.head_width, a.kv_heads * a.head_width
    scale = (0.1, 0 if a.shape == "gemma" else 1)   # Gemma's are differences from 1
    # Gemma multiplies its embeddings by the root of the width.
    yield ("model.embed_tokens.weight", (a.vocabulary, a.width),
           a.width ** -0.5 if a.shape == "gemma" else 1, 0)
    for layer in range(a.layers):
        prefix = f"model.layers.{layer}."
        for name, outputs, inputs in (("self_attn.q_proj", heads, a.width),
                                      ("self_attn.k_proj", kv, a.width),
                                      ("self_attn.v_proj", kv, a.width),
                                      ("self_attn.o_proj", a.width, heads),
                                      ("mlp.gate_proj", a.mlp_width, a.width),
                                      ("mlp.up_proj", a.mlp_width, a.width),
                                      ("mlp.down_proj", a.width, a.mlp_width)):
            yield f"{prefix}{name}.weight", (outputs, inputs), inputs ** -0.5, 0
        for name, width in norms(a):
            yield f"{prefix}{name}.weight", (width,), *scale
    yield "model.norm.weight", (a.width,), *scale


def shards(a):
    """The tensors in lists of about SHARD_BYTES."""
    some, size = [], 0
    for name, shape, *values in tensors(a):
        some.append((name, shape, *values))
        size += 2 * int(np.prod(shape))
        if size >= SHARD_BYTES:
            yield some
            some, size = [], 0
    if some:
        yield some


def write_shard(path, some, pool, rng):
    header, at = {}, 0
    for name, shape, *_ in some:
        size = 2 * int(np.prod(shape))
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [at, at + size]}
        at += size
    words = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(words)) + words)
        for _, shape, deviation, mean in some:
            for first in range(0, int(np.prod(shape)), PIECE):
                count = min(PIECE, int(np.prod(shape)) - first)
                start = rng.integers(PIECE)
                values = pool[start:start + count] * np.float32(deviation) + np.float32(mean)
                file.write((values.view(np.uint32) >> 16).astype(np.uint16).tobytes())
    return {name: os.path.basename(path) for name, *_ in some}


def write_config(a):
    config = {
        **SHAPES[a.shape][1], "vocab_size": a.vocabulary, "hidden_size": a.width,
        "intermediate_size": a.mlp_width, "num_hidden_layers": a.layers,
        "num_attention_heads": a.heads, "num_key_value_heads": a.kv_heads,
        "head_dim": a.head_width, "attention_bias": False, "tie_word_embeddings": True,
        "bos_token_id": 2, "eos_token_id": 1, "pad_token_id": 0, "torch_dtype": "bfloat16",
    }
    if a.shape == "gemma":
        config["query_pre_attn_scalar"] = a.head_width
    with open(os.path.join(a.folder, "config.json"), "w", encoding="utf-8") as file:
        json.dump(config, file, indent=2)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder")
    parser.add_argument("--shape", choices=SHAPES, default="gemma")
    for name in SHAPES["gemma"][0]:
        parser.add_argument("--" + name.replace("_", "-"), type=int)
    a = parser.parse_args()
    for name, value in SHAPES[a.shape][0].items():
        if getattr(a, name) is None:
            setattr(a, name, value)
    return a


def main():
    a = arguments()
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
