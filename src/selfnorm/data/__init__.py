"""Data room: a data set's name goes in, standardized tensors of its three splits come out.

catalogue (what the files are) -> transfer, archives (bytes in) -> sources -> cache (verified, atomic)
-> readers (formats) -> splits (tensors: load_splits).
"""
