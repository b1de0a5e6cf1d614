"""Run folders with made curves of known noise, in the layout that the training job writes."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from tools.made_tables import STEPS_PER_EPOCH, errors, made_moments

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
        "optimizer": {"name": "sgd", "lr": 1e-5, "momentum": 0.0},
        "recording": {"error_samples": None},
        "trainer": {"precision": "fp32"},
        "training": {"batch_size": 128, "error_batch_size": 128, "epochs": 100, "loss": "sum", "error_mode": "train"},
        "tag": tag,
        "scale": "preview",
    }
    for dotted, value in changes.items():
        group, key = dotted.split("__")
        made.setdefault(group, {})[key] = value
    return made


def write_run(
    folder: Path,
    configuration: dict[str, Any],
    errors_RT: np.ndarray,
    *,
    state: str = "finished",
    diverged: dict[str, int] | None = None,
    moments: pd.DataFrame | None = None,
    forks: pd.DataFrame | None = None,
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
    if forks is not None:
        forks.to_csv(folder / "forks.csv", index=False)
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


def made_forks(rng: np.random.Generator, errors_RT: np.ndarray, sd: dict[str, float]) -> pd.DataFrame:
    """Eight copies at some epochs, whose log errors scatter about the run's next one by the `sd` of their source."""
    rows = [
        (epoch * STEPS_PER_EPOCH, epoch, seed, source, fork, update,
         errors_RT[seed, epoch + 1] * np.exp(scatter * rng.standard_normal()))
        for epoch in (1, 10, 30, 100, 200) if epoch + 1 < errors_RT.shape[1]
        for seed in range(len(errors_RT))
        for source, scatter in sd.items()
        for fork in range(8)
        for update in ((0,) if source == "evaluation" else (STEPS_PER_EPOCH // 2, STEPS_PER_EPOCH))
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=["step", "epoch", "seed", "source", "fork", "update", "loss"])


def write_claim(root: Path, *, epochs: int = 300) -> None:
    """BN against SNN on MNIST: alike at depth 8; at 16 BN is perturbed 5 times, rough 3 times and slow 3 times as much.

    At depth 32 it is as at 16, but the SNN has no forks.
    """
    rng = np.random.default_rng(11)
    bn = {"noise": 0.09, "rate": 0.02, "all": 0.05, "order": 0.02}
    snn = {"noise": 0.03, "rate": 0.06, "all": 0.01, "order": 0.01}
    for depth, networks in ((8, {"BN": snn, "SNN": snn}), (16, {"BN": bn, "SNN": snn}), (32, {"BN": bn, "SNN": snn})):
        for network, made in networks.items():
            errors_RT = errors(rng, seeds=6, epochs=epochs, noise=made["noise"], rate=made["rate"])
            forks = made_forks(rng, errors_RT, {source: made[source] for source in ("all", "order")})
            folder = root / "claim" / "mnist" / network / f"d{depth:02d}-00000000"
            unforked = (depth, network) == (32, "SNN")
            configuration = config(depth=depth, network=network, tag="claim")
            write_run(folder, configuration, errors_RT, forks=None if unforked else forks)


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


SPREADS = {  # network and its changes: sd over copies under each source
    "BN": ({}, {"order": 0.02, "statistics": 0.01, "evaluation": 0.04, "all": 0.05}),
    "BN, batch size 32": ({"training__batch_size": 32}, {"order": 0.03, "evaluation": 0.04, "all": 0.06}),
    "BN, running statistics": ({"training__error_mode": "eval"}, {"order": 0.02, "all": 0.02}),
    "BN before": ({"normalization__position": "before"}, {"order": 0.02, "evaluation": 0.04, "all": 0.05}),
    "SNN": ({}, {"order": 0.001, "evaluation": 0.0, "all": 0.001}),
    "SNN, alpha dropout 0.05": (
        {"dropout__name": "alpha", "dropout__rate": 0.05},
        {"order": 0.001, "masks": 0.03, "evaluation": 0.05, "all": 0.1},
    ),
}  # fmt: skip


def write_causes(root: Path, *, seeds: int = 6, epochs: int = 60) -> None:
    """Forks of six networks that fall alike, with known spreads."""
    rng = np.random.default_rng(8)
    for name, (changes, spread) in SPREADS.items():
        made = errors(rng, seeds=seeds, epochs=epochs, noise=0.01, rate=0.5)
        configuration = config(depth=16, network="BN" if name.startswith("BN") else "SNN", tag="causes", **changes)
        folder = root / "causes" / "mnist" / name.replace(", ", "-").replace(" ", "-") / "d16-00000000"
        write_run(folder, configuration, made, forks=made_forks(rng, made, spread))


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
