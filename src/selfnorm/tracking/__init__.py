"""Weights & Biases as a mirror of the tidy files: never the truth, never able to stop a run."""
