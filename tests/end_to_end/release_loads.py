"""Do other programs find in a release what was trained?

    release_loads.py RUN

For every autoencoder of RUN/release: NumPy loads params.npz; a reader of safetensors of a few
lines finds the same bits; cfg.json gives the sizes.  Its forward pass on raw activations
(RUN/harvest), in float64 from params.npz alone, equals that of RUN/train's parameters in the
units of training: x / scale, with the decoder's bias subtracted.  Latents whose
pre-activation is nearer to the threshold than rounding reaches are left out.
"""
import glob
import json
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


def forward(x, encoder, decoder, encoder_bias, decoder_bias, threshold):
    """Latents, reconstruction, and how far each latent is from its threshold."""
    pre = x @ encoder + encoder_bias
    threshold = np.maximum(threshold, 0)
    f = np.where(pre > threshold, pre, 0)
    return f, f @ decoder + decoder_bias, np.abs(pre - threshold)


def trained(path):
    with h5py.File(path, "r") as file:
        p = {name: file[name][()].astype(np.float64) for name in
             ("encoder", "decoder", "encoder_bias", "decoder_bias", "threshold")}
        return p, float(file.attrs["scale"])


def check(run, folder, about):
    stream = f"{about['site']}.{about['layer']:02d}"
    npz = np.load(f"{folder}/params.npz")
    p = {name: npz[name].astype(np.float64) for name in npz}
    config = json.load(open(f"{folder}/cfg.json"))
    for name, values in safetensors(f"{folder}/sae_weights.safetensors").items():
        assert npz[name].tobytes() == values.tobytes(), f"{folder}: {name} differs"
    assert p["W_enc"].shape == (config["d_in"], config["d_sae"])
    assert config["d_sae"] == about["width"]

    with h5py.File(f"{run}/harvest/00000/{stream}.h5", "r") as file:
        x = file["activation"][:256].astype(np.float64)
    f, y, margin = forward(x, p["W_enc"], p["W_dec"], p["b_enc"], p["b_dec"], p["threshold"])
    t, scale = trained(f"{run}/train/{stream}/{about['name']}.h5")
    want_f, want_y, _ = forward(x / scale - t["decoder_bias"], t["encoder"].T, t["decoder"],
                                t["encoder_bias"], t["decoder_bias"], t["threshold"])
    close = margin > TOLERANCE * np.abs(x).max()
    rows = close.all(axis=1)
    error = np.linalg.norm(y[rows] - scale * want_y[rows]) / np.linalg.norm(y[rows])
    assert rows.mean() > 0.5, f"{folder}: only {rows.sum()} rows to compare"
    assert error < TOLERANCE, f"{folder}: reconstructions differ by {error:.2g}"
    assert ((f > 0) == (want_f > 0))[close].all(), f"{folder}: other latents are active"
    return error


def main(run):
    manifest = json.load(open(f"{run}/release/manifest.json"))
    errors = [check(run, f"{run}/release/{about['folder']}", about)
              for about in manifest["autoencoders"]]
    assert len(errors) == len(glob.glob(f"{run}/release/**/params.npz", recursive=True))
    print(f"{len(errors)} autoencoders load; largest difference {max(errors):.2g}")


main(*sys.argv[1:])
