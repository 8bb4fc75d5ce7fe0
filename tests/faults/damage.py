"""Damage a file in a way that a disk, a network or a careless copy might.

    damage.py flip FILE SET             one bit in the first chunk of a data set
    damage.py array FILE ATTRIBUTE      a thousand values for one
    damage.py dealt FOLDER              one bit of the first dealt file in the folder of a shuffle
                                        under way
    damage.py truncate FILE             the last hundred bytes are gone
    damage.py overlap FILE              safetensors: a tensor begins inside another one
    damage.py beyond FILE               safetensors: a tensor ends behind the file's end
    damage.py nan FILE TENSOR           safetensors: the first value of a bf16 tensor is none
    damage.py shards FILE               safetensors: the same in two files and an index
    damage.py without FILE KEY          JSON: the key is gone
"""
import glob
import json
import os
import struct
import sys

import h5py


def flip(path, name):
    with h5py.File(path, "r") as file:
        chunk = file[name].id.get_chunk_info(0)
    flip_at(path, chunk.byte_offset + chunk.size // 2)


def array(path, name):
    with h5py.File(path, "r+") as file:
        file.attrs[name] = [file.attrs[name]] * 1000


def dealt(folder):
    path, = glob.glob(folder + "/dealt-*/00000")
    flip_at(path, os.path.getsize(path) // 2)
    print(path)


def flip_at(path, at):
    with open(path, "r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte ^ 0x10]))


def truncate(path):
    os.truncate(path, os.path.getsize(path) - 100)


def read_tensors(path):
    """Header and data of a safetensors file."""
    with open(path, "rb") as file:
        size = struct.unpack("<Q", file.read(8))[0]
        return json.loads(file.read(size)), bytearray(file.read())


def write_tensors(path, header, data):
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)


def change_offsets(path, change):
    """Rewrite the header of a safetensors file after change(entries, bytes of data)."""
    header, data = read_tensors(path)
    entries = [entry for name, entry in header.items() if name != "__metadata__"]
    change(sorted(entries, key=lambda entry: entry["data_offsets"]), len(data))
    write_tensors(path, header, data)


def move(entry, begin):
    first, end = entry["data_offsets"]
    entry["data_offsets"] = [begin, begin + end - first]


def overlap(path):
    change_offsets(path, lambda entries, _: move(entries[1], entries[0]["data_offsets"][1] - 2))


def beyond(path):
    change_offsets(path, lambda entries, size: move(entries[-1], size - 64))


def nan(path, tensor):
    header, data = read_tensors(path)
    begin = header[tensor]["data_offsets"][0]
    data[begin:begin + 2] = b"\xc0\x7f"
    write_tensors(path, header, data)


def shards(path):
    header, data = read_tensors(path)
    header.pop("__metadata__", None)
    names = sorted(header)
    places = {}
    for number, part in enumerate((names[::2], names[1::2])):
        name = f"model-{number + 1}.safetensors"
        entries, values = {}, b""
        for tensor in part:
            begin, end = header[tensor]["data_offsets"]
            entries[tensor] = header[tensor] | {
                "data_offsets": [len(values), len(values) + end - begin]}
            values += data[begin:end]
            places[tensor] = name
        write_tensors(os.path.join(os.path.dirname(path), name), entries, values)
    os.remove(path)
    with open(path + ".index.json", "w") as file:
        json.dump({"weight_map": places}, file)


def without(path, key):
    with open(path) as file:
        config = json.load(file)
    del config[key]
    with open(path, "w") as file:
        json.dump(config, file)


globals()[sys.argv[1]](*sys.argv[2:])
