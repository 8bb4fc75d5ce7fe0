"""Damage a file in a way that a disk, a network or a careless copy might.

    damage.py flip FILE SET             one bit in the first chunk of a data set
    damage.py truncate FILE             the last hundred bytes are gone
    damage.py overlap FILE              safetensors: a tensor begins inside another one
    damage.py beyond FILE               safetensors: a tensor ends behind the file's end
    damage.py without FILE KEY          JSON: the key is gone
"""
import json
import os
import struct
import sys

import h5py


def flip(path, name):
    with h5py.File(path, "r") as file:
        chunk = file[name].id.get_chunk_info(0)
    with open(path, "r+b") as file:
        file.seek(chunk.byte_offset + chunk.size // 2)
        byte = file.read(1)[0]
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte ^ 0x10]))


def truncate(path):
    os.truncate(path, os.path.getsize(path) - 100)


def change_offsets(path, change):
    """Rewrite the header of a safetensors file after change(entries, bytes of data)."""
    with open(path, "rb") as file:
        size = struct.unpack("<Q", file.read(8))[0]
        header = json.loads(file.read(size))
        data = file.read()
    entries = [entry for name, entry in header.items() if name != "__metadata__"]
    change(sorted(entries, key=lambda entry: entry["data_offsets"]), len(data))
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)


def move(entry, begin):
    first, end = entry["data_offsets"]
    entry["data_offsets"] = [begin, begin + end - first]


def overlap(path):
    change_offsets(path, lambda entries, _: move(entries[1], entries[0]["data_offsets"][1] - 2))


def beyond(path):
    change_offsets(path, lambda entries, size: move(entries[-1], size - 64))


def without(path, key):
    with open(path) as file:
        config = json.load(file)
    del config[key]
    with open(path, "w") as file:
        json.dump(config, file)


globals()[sys.argv[1]](*sys.argv[2:])
