"""Are two run folders the same, to the bit?

    same_run.py FOLDER FOLDER

HDF5 files must have the same data sets and attributes, of the same type, shape and bytes;
their padding may differ.  Every other file must have the same bytes, but what was said
meanwhile (lock, logs/) does not count.  What differs is printed; the exit status is the
verdict.
"""
import os
import sys

import h5py
import numpy


def contents(path):
    """{name: (type, shape, bytes)} of everything an HDF5 file holds."""
    found = {}

    def note(name, value):
        value = numpy.asarray(value)
        found[name] = (str(value.dtype), value.shape, value.tobytes())

    def visit(name, thing):
        for key, value in thing.attrs.items():
            note(name + "@" + key, value)
        if isinstance(thing, h5py.Dataset):
            note(name, thing[()])

    with h5py.File(path, "r") as file:
        visit("/", file)
        file.visititems(visit)
    return found


def difference(one, other):
    if one.endswith(".h5"):
        a, b = contents(one), contents(other)
        names = sorted(name for name in a.keys() | b.keys() if a.get(name) != b.get(name))
        return "differs in " + ", ".join(names) if names else ""
    with open(one, "rb") as a, open(other, "rb") as b:
        return "" if a.read() == b.read() else "has other bytes"


def files(folder):
    return {os.path.relpath(os.path.join(place, name), folder)
            for place, _, names in os.walk(folder) for name in names
            if name != "lock" and os.path.relpath(place, folder) != "logs"}


def main(one, other):
    only = files(one) ^ files(other)
    faults = [f"{name}: in one of the two only" for name in sorted(only)]
    for name in sorted(files(one) & files(other)):
        fault = difference(os.path.join(one, name), os.path.join(other, name))
        faults += [f"{name}: {fault}"] if fault else []
    print("\n".join(faults) or f"{len(files(one))} files are the same")
    return 1 if faults or not files(one) else 0


sys.exit(main(*sys.argv[1:]))
