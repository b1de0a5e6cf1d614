"""What a run came to: numbers for summary.json, and one sentence for the terminal."""

from __future__ import annotations

import math
from collections.abc import Mapping
from statistics import fmean, stdev
from typing import Any

from selfnorm import config
from selfnorm.training.recording import Recorder


def summarize(job: config.Job, recorder: Recorder, *, steps: int) -> dict[str, Any]:
    """The last errors and accuracies, per seed and over the seeds that stayed finite."""
    summary: dict[str, Any] = {"state": "finished", "seeds": job.seeds} | recorder.known(steps)
    for split, error in recorder.latest.items():
        for quantity, values in (("loss", error.loss_R.tolist()), ("accuracy", error.accuracy_R.tolist())):
            by_seed = {str(s): v if math.isfinite(v) else None for s, v in zip(job.seeds, values, strict=True)}
            summary[f"{split}_{quantity}"] = over_seeds(by_seed)
    return summary


def over_seeds(by_seed: Mapping[str, float | None]) -> dict[str, Any]:
    """Mean, standard deviation and n of the seeds that stayed finite, beside all of them."""
    finite = [value for value in by_seed.values() if value is not None]
    return {
        "mean": fmean(finite) if finite else None,
        "sd": stdev(finite) if len(finite) > 1 else None,
        "n": len(finite),
        "by_seed": by_seed,
    }


def in_one_sentence(job: config.Job, summary: dict[str, Any]) -> str:
    """What the run came to, with its spread and number of seeds."""
    loss, accuracy = summary["train_loss"], summary["test_accuracy"]
    spread = f" ± {loss['sd']:.2g} (mean ± sd over n={loss['n']} seeds)" if loss["sd"] is not None else " (one seed)"
    lost = f"; diverged: seeds {', '.join(summary['diverged'])}" if summary["diverged"] else ""
    answered = "none" if accuracy["mean"] is None else f"{accuracy['mean']:.4f}"
    return (
        f"{job.dataset.name} {job.network} d{job.model.depth}: training error {loss['mean']:.4g}{spread}, "
        f"test accuracy {answered}, {summary['steps']} steps in {summary['seconds']:.0f} s{lost}"
    )
