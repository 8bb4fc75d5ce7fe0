"""Networks with planted z, in a safetensors file.

    planted_networks.py FOLDER

FOLDER/networks.safetensors has a map of 2 to 4 values, a generator of 4 to 5, each with a hidden layer
of tanh, two things that z of our choice generate, and operators; FOLDER/z.json has these z.  In
FOLDER/unfit.safetensors the layers of the generator do not fit together.
"""
import json
import sys

import numpy

folder = sys.argv[1]
numbers = numpy.random.default_rng(3)
tensors = {}


def network(prefix, widths):
    """Add its layers, and return it as a function.  PyTorch counts activations as layers, too."""
    layers = []
    for number, (inputs, outputs) in enumerate(zip(widths, widths[1:])):
        weight = numbers.uniform(-1.5, 1.5, (outputs, inputs)).astype("<f4")
        bias = numbers.uniform(-1.5, 1.5, outputs).astype("<f4")
        tensors[f"{prefix}{2 * number}.weight"] = weight
        tensors[f"{prefix}{2 * number}.bias"] = bias
        layers.append((weight.astype(float), bias.astype(float)))

    def run(x):
        for weight, bias in layers[:-1]:
            x = numpy.tanh(weight @ x + bias)
        return layers[-1][0] @ x + layers[-1][1]
    return run


def write(name):
    header, data = {}, b""
    for tensor, values in tensors.items():
        stored = values.astype("<f4").tobytes()
        header[tensor] = {"dtype": "F32", "shape": values.shape,
                          "data_offsets": [len(data), len(data) + len(stored)]}
        data += stored
    text = json.dumps(header).encode()
    with open(f"{folder}/{name}.safetensors", "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text + data)


planted = numbers.uniform(-1, 1, (2, 2))
mapping, generator = network("map.", [2, 6, 4]), network("generator.", [4, 8, 5])
tensors["seen"] = numpy.array([generator(mapping(z)) for z in planted])
tensors["observation.mask"] = numpy.array([1, 0, 1, 1, 1])
tensors["observation.group"] = numpy.array([0, 0, 1, 1, 0.5])
write("networks")
tensors["generator.2.weight"] = tensors["generator.2.weight"][:, :7]
write("unfit")
with open(f"{folder}/z.json", "w", encoding="utf-8") as file:
    json.dump(planted.tolist(), file)
