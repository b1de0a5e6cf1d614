"""Run folders with made curves of known noise, in the layout that the training job writes."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from selfnorm.benchmark.made_tables import STEPS_PER_EPOCH, errors, made_moments

SCRIPT = Path(__file__).parents[2] / "scripts" / "report.py"


def config(
    *, dataset: str = "mnist", depth: int = 8, network: str = "SNN", tag: str = "figure1", **changes: Any
) -> dict[str, Any]:
    """A resolved configuration; changes are dotted keys with `__` for the dot."""
    bn = network == "BN"
    made: dict[str, Any] = {
        "dataset": {"name": dataset, "train_limit": 10000},
        "model": {"depth": depth, "width": 128, "block": "plain", "gain": None},
        "activation": {"name": "relu" if bn else "selu"},
        "normalization": {"name": "batch", "position": "after"} if bn else {"name": "none"},
        "dropout": {"name": "none"},
        "optimizer": {"name": "sgd", "lr": 1e-5},
        "training": {"batch_size": 128, "error_batch_size": 128, "epochs": 100, "loss": "sum", "error_mode": "train"},
        "tag": tag,
        "scale": "preview",
    }
    for dotted, value in changes.items():
        group, key = dotted.split("__")
        made[group][key] = value
    return made


def write_run(
    folder: Path,
    configuration: dict[str, Any],
    errors_RT: np.ndarray,
    *,
    state: str = "finished",
    diverged: dict[str, int] | None = None,
    moments: pd.DataFrame | None = None,
) -> Path:
    """Write one run folder; a train row per seed and epoch and as many validation rows."""
    num_seeds, num_records = errors_RT.shape
    epoch_T = np.arange(num_records)
    parts = [
        pd.DataFrame(
            {"step": epoch_T * STEPS_PER_EPOCH, "epoch": epoch_T, "seed": seed, "split": split, "loss": loss_T,
             "accuracy": np.exp(-loss_T)}
        )
        for seed in range(num_seeds)
        for split, loss_T in (("train", errors_RT[seed]), ("validation", 1.1 * errors_RT[seed]))
    ]  # fmt: skip
    folder.mkdir(parents=True)
    pd.concat(parts).sort_values(["step", "seed"], kind="stable").to_csv(folder / "curves.csv", index=False)
    if moments is not None:
        moments.to_csv(folder / "moments.csv", index=False)
    (folder / "config.yaml").write_text(yaml.safe_dump(configuration | {"seeds": list(range(num_seeds))}))
    summary = {
        "state": state,
        "seeds": list(range(num_seeds)),
        "diverged": diverged or {},
        "seconds": 12.5,
        "test_accuracy": {"n": num_seeds, "by_seed": {str(s): 0.9 + 0.001 * s for s in range(num_seeds)}},
    }
    (folder / "summary.json").write_text(json.dumps(summary))
    environment = {"versions": {"torch": "2.13.0"}, "device": "cpu", "commit": "0123abc"}
    (folder / "environment.json").write_text(json.dumps(environment))
    return folder


def write_figure1(
    root: Path,
    *,
    datasets: tuple[str, ...] = ("mnist", "cifar10"),
    seeds: int = 6,
    epochs: int = 100,
    records: int = 30,
) -> None:
    """The twelve cells of Figure 1; BN is slower and its noise is larger the deeper it is."""
    rng = np.random.default_rng(7)
    for dataset in datasets:
        slow = 0.3 if dataset == "cifar10" else 1.0
        for depth, bn_noise, bn_rate in ((8, 0.03, 0.5), (16, 0.08, 0.2), (32, 0.15, 0.06)):
            for network, noise, rate in (("SNN", 0.03, 0.8), ("BN", bn_noise, bn_rate)):
                made = errors(rng, seeds=seeds, epochs=epochs, noise=noise, rate=slow * rate)
                drift = 0.02 if network == "SNN" else -0.05
                moments = made_moments(rng, depth=depth, seeds=seeds, records=records, drift=drift)
                folder = root / "figure1" / dataset / network / f"d{depth:02d}-00000000"
                write_run(folder, config(dataset=dataset, depth=depth, network=network), made, moments=moments)


CAUSES: tuple[tuple[str, str, dict[str, Any], float], ...] = (
    # name, reference network, changes, noise
    ("reference", "BN", {}, 0.12),
    ("eval", "BN", {"training__error_mode": "eval"}, 0.09),
    ("batch32", "BN", {"training__batch_size": 32}, 0.24),
    ("batch512", "BN", {"training__batch_size": 512}, 0.06),
    ("before", "BN", {"normalization__position": "before"}, 0.11),
    ("relu", "BN", {"normalization__name": "none"}, 0.04),
    ("lr", "BN", {"optimizer__lr": 2e-5}, 0.15),
    ("reference", "SNN", {}, 0.03),
    ("selu-bn", "SNN", {"normalization__name": "batch"}, 0.1),
    ("alpha", "SNN", {"dropout__name": "alpha", "dropout__rate": 0.05}, 0.05),
    ("standard", "SNN", {"dropout__name": "standard", "dropout__rate": 0.05}, 0.07),
    ("batch32", "SNN", {"training__batch_size": 32}, 0.05),
    ("lr", "SNN", {"optimizer__lr": 2e-5}, 0.04),
)


def write_causes(root: Path, *, seeds: int = 6, epochs: int = 60) -> None:
    """Two references (noise 0.12 and 0.03) and their one-axis controls."""
    rng = np.random.default_rng(8)
    for name, network, changes, noise in CAUSES:
        made = errors(rng, seeds=seeds, epochs=epochs, noise=noise, rate=0.5)
        configuration = config(depth=16, network=network, tag="causes", **changes)
        write_run(root / "causes" / "mnist" / f"{network}-{name}" / "d16-00000000", configuration, made)


ARCHITECTURES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("SNN", {}),
    ("BN", {"activation__name": "relu", "normalization__name": "batch"}),
    ("MSRA", {"activation__name": "relu"}),
    ("LN", {"activation__name": "relu", "normalization__name": "layer"}),
    ("WN", {"activation__name": "relu", "normalization__name": "weight"}),
    ("Highway", {"activation__name": "relu", "model__block": "highway"}),
    ("ResNet", {"activation__name": "relu", "normalization__name": "batch", "model__block": "residual"}),
)


def write_architectures(root: Path, *, seeds: int = 6, epochs: int = 40) -> None:
    """The paper's networks side by side, all with noise 0.05."""
    rng = np.random.default_rng(9)
    for name, changes in ARCHITECTURES:
        made = errors(rng, seeds=seeds, epochs=epochs, noise=0.05, rate=0.5)
        configuration = config(tag="architectures", **changes)
        write_run(root / "architectures" / "mnist" / name / "d08-00000000", configuration, made)
