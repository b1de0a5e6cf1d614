"""Composing jobs and running sweeps: apart from train.py, the only place that knows Hydra."""
