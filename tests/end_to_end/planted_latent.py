"""Put a latent into a trained autoencoder that fires on the names of knowing_model.py, and no other.

    planted_latent.py FILE
"""
import sys

import h5py
import numpy

TOPIC, LATENT = 120, 5

with h5py.File(sys.argv[1], "r+") as file:
    latents, width = file["encoder"].shape
    matrix = numpy.zeros((latents, width), "f4")
    matrix[LATENT, TOPIC] = 1
    stored = {"encoder": matrix, "decoder": matrix,
              "encoder_bias": numpy.zeros(latents, "f4"), "decoder_bias": numpy.zeros(width, "f4"),
              "gain": numpy.ones(latents, "f4"),
              "threshold": numpy.full(latents, 1 / file.attrs["scale"], "f4")}
    for name, values in stored.items():     # without the compression that only saemill can write
        del file[name]
        file[name] = values
