"""Instruments: from run folders to ratios with an interval on every number.

In: the tidy files of finished runs (runs), or the committed tables made of them (results). Out: coordinates and axes
(coordinates), curves by seed (curves), fluctuation, spread and speed (fluctuation, statistics), ratios with interval
and p-value (inference, comparison), words and tables for readers (words), the pictures' style (figures). Imports no
torch.
"""
