"""Do other programs find in a release what was trained?

    release_loads.py RUN

For every autoencoder of RUN/release: NumPy loads params.npz.  Its forward pass on raw activations
(RUN/harvest), in float64 from params.npz alone, equals that of RUN/train's parameters in the
units of training: x / scale, perhaps with the decoder's bias subtracted; and that which
SAELens's definition of its architecture in cfg.json makes of sae_weights.safetensors; and what the
lines of Python in README.md and in the release's report make of params.npz.  Rows with a latent whose pre-activation is nearer to the threshold than rounding reaches are left
out.
"""
import glob
import html
import json
import re
import struct
import sys

import h5py
import numpy as np

TOLERANCE = 1e-5


def safetensors(path):
    with open(path, "rb") as file:
        length, = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
        data = file.read()
    return {name: np.frombuffer(data[slice(*about["data_offsets"])], "<f4").reshape(about["shape"])
            for name, about in header.items()}


def forward(x, encoder, decoder, encoder_bias, decoder_bias, threshold, skip=None, k=0):
    """Latents, reconstruction, and how far each latent is from its threshold."""
    pre = x @ encoder + encoder_bias
    limit = np.broadcast_to(np.maximum(threshold, 0), pre.shape)
    if k > 0:       # between the last that stays and the first that goes
        order = np.sort(pre, axis=1)
        limit = np.maximum((order[:, -k] + order[:, -k - 1])[:, None] / 2, 0)
    f = np.where(pre > limit, pre, 0)
    y = f @ decoder + decoder_bias + (0 if skip is None else x @ skip)
    return f, y, np.abs(pre - limit)


def trained(path):
    with h5py.File(path, "r") as file:
        p = {name: file[name][()].astype(np.float64) for name in file}
        return p, dict(file.attrs)


def saelens(folder):
    """The forward pass that SAELens makes of cfg.json and its weights, by its architecture."""
    config = json.load(open(f"{folder}/cfg.json"))
    w = {name: values.astype(np.float64) for name, values in
         safetensors(f"{folder}/sae_weights.safetensors").items()}
    kind = config["architecture"]

    def encode(x):
        if kind == "gated":
            product = x @ w["W_enc"]
            magnitude = product * np.exp(w["r_mag"]) + w["b_mag"]
            return np.maximum(magnitude, 0) * (product + w["b_gate"] > 0)
        pre = x @ w["W_enc"] + w["b_enc"]
        if kind.startswith("jumprelu"):
            return np.maximum(pre, 0) * (pre > w["threshold"])
        if kind == "topk":
            least = np.sort(pre, axis=1)[:, -config["k"]][:, None]
            return np.where(pre >= least, np.maximum(pre, 0), 0)
        assert kind in ("standard", "transcoder", "skip_transcoder"), kind
        return np.maximum(pre, 0)

    def decode(f, x):
        return f @ w["W_dec"] + w["b_dec"] + (x @ w["W_skip"].T if "W_skip" in w else 0)

    assert w["W_enc"].shape == (config["d_in"], config["d_sae"])
    assert ("d_out" in config) == kind.endswith("transcoder")
    return lambda x: decode(encode(x), x)


def snippets(release):
    """The lines that README.md and the report show, from np.load() on to y."""
    readme = re.search("```python\n(.*?)```", open("README.md").read(), re.S).group(1)
    report = re.search("<pre><code>(import numpy.*?)</code>", open(f"{release}/index.html").read(),
                       re.S).group(1)
    assert "np.load(" in readme and "np.load(" in report
    return [re.sub(r"np\.load\(.*\)", "params", re.sub(".*sae_lens.*\n", "", text))
            for text in (readme, html.unescape(report))]


def as_shown(snippet, p, x):
    names = {"np": np, "params": p, "x": x}
    exec(snippet, names)
    return names["f"], names["y"]


def rows_of(run, site, layer):
    with h5py.File(f"{run}/harvest/00000/{site}.{layer:02d}.h5", "r") as file:
        return file["activation"][:256].astype(np.float64)


def check(run, folder, about, shown):
    stream = f"{about['site']}.{about['layer']:02d}"
    p = {name: values.astype(np.float64) for name, values in np.load(f"{folder}/params.npz").items()}
    x = rows_of(run, about["site"], about["layer"])
    f, y, margin = forward(x, p["W_enc"], p["W_dec"], p["b_enc"], p["b_dec"], p["threshold"],
                           p.get("affine_skip_connection"), int(p.get("k", [0])[0]))
    t, attributes = trained(f"{run}/train/{stream}/{about['name']}.h5")
    encoder = (t["gain"][:, None] * t["encoder"]).T
    small = x / attributes["scale"]
    centre = t["decoder_bias"] @ encoder if attributes["centred"] else 0
    want_f, want_y, _ = forward(small, encoder, t["decoder"], t["encoder_bias"] - centre,
                                t["decoder_bias"], t["threshold"],
                                t["skip"].T if "skip" in t else None, int(attributes["keep"]))
    close = margin > TOLERANCE * np.abs(x).max()
    rows = close.all(axis=1)
    assert rows.mean() > 0.5, f"{folder}: only {rows.sum()} rows to compare"
    assert p["W_enc"].shape[1] == about["width"]
    assert ((f > 0) == (want_f > 0))[close].all(), f"{folder}: other latents are active"
    errors = [np.linalg.norm(y[rows] - other[rows]) / np.linalg.norm(y[rows])
              for other in (attributes["target_scale"] * want_y, saelens(folder)(x))]
    for snippet in shown:
        shown_f, shown_y = as_shown(snippet, p, x)
        assert ((shown_f > 0) == (f > 0))[close].all() and (shown_f >= 0).all(), \
            f"{folder}: as the documents show it, other latents are active, or one is below 0"
        errors.append(np.linalg.norm(y[rows] - shown_y[rows]) / np.linalg.norm(y[rows]))
    assert max(errors) < TOLERANCE, f"{folder}: reconstructions differ by {errors}"
    return max(errors)


def main(run):
    manifest = json.load(open(f"{run}/release/manifest.json"))
    shown = snippets(f"{run}/release")
    errors = [check(run, f"{run}/release/{about['folder']}", about, shown)
              for about in manifest["autoencoders"]]
    assert len(errors) == len(glob.glob(f"{run}/release/**/params.npz", recursive=True))
    print(f"{len(errors)} autoencoders load; largest difference {max(errors):.2g}")


main(*sys.argv[1:])
