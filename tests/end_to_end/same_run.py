"""Are two run folders the same, to the bit?

    same_run.py FOLDER FOLDER

HDF5 files must have the same data sets and attributes, of the same type, shape and bytes;
their padding may differ.  Every other file must have the same bytes, but what was said
meanwhile (lock, logs/) does not count, nor when the inputs were changed (inputs).  What differs is
printed; the exit status is the verdict.
"""
import os
import sys

import h5py
import numpy


def stored(thing):
    """The bytes of a data set as they are on disk, compressed, without padding."""
    if thing.chunks is None:
        return thing[()].tobytes()
    return [thing.id.read_direct_chunk(thing.id.get_chunk_info(i).chunk_offset)
            for i in range(thing.id.get_num_chunks())]


def values(thing):
    return thing[()].tobytes()


def contents(path, read):
    """{name: (type, shape, bytes)} of everything an HDF5 file holds, data sets by read()."""
    found = {}

    def visit(name, thing):
        for key, value in thing.attrs.items():
            value = numpy.asarray(value)
            found[name + "@" + key] = (str(value.dtype), value.shape, value.tobytes())
        if isinstance(thing, h5py.Dataset):
            found[name] = (str(thing.dtype), thing.shape, read(thing))

    with h5py.File(path, "r") as file:
        visit("/", file)
        file.visititems(visit)
    return found


def difference(one, other):
    with open(one, "rb") as a, open(other, "rb") as b:
        if a.read() == b.read():
            return ""
    if not one.endswith(".h5"):
        return "has other bytes"
    if contents(one, stored) == contents(other, stored):
        return ""
    a, b = contents(one, values), contents(other, values)
    names = sorted(name for name in a.keys() | b.keys() if a.get(name) != b.get(name))
    return "differs in " + ", ".join(names) if names else ""


def files(folder):
    return {os.path.relpath(os.path.join(place, name), folder)
            for place, _, names in os.walk(folder) for name in names
            if name not in ("lock", "inputs") and os.path.relpath(place, folder) != "logs"}


def main(one, other):
    only = files(one) ^ files(other)
    faults = [f"{name}: in one of the two only" for name in sorted(only)]
    for name in sorted(files(one) & files(other)):
        fault = difference(os.path.join(one, name), os.path.join(other, name))
        faults += [f"{name}: {fault}"] if fault else []
    print("\n".join(faults) or f"{len(files(one))} files are the same")
    return 1 if faults or not files(one) else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
