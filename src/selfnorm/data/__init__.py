"""Data sets: a name goes in, the standardized tensors of its three splits come out.

datasets (one declaration per data set) -> sources, transfer, archives, packages (files by hand, mirrors, registries)
-> cache (verified, atomic) -> readers (formats) -> splits (tensors: load_splits).
A user's own file: own (digest, splits, classes) -> tables, arrays (formats) -> readers.
"""
