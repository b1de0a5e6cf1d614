"""The run folder, which is all that training and analysis share: its files, columns, states and lock.

Training writes here and analysis reads here. Nothing in this room imports torch, Lightning or Hydra, and only
`tables` imports pandas.
"""
