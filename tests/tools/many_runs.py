"""Write many runs that were never trained, to time the page, the list and the report on them; all numbers are made up.

cd tests; python -m tools.many_runs /tmp/many --number 1000

The folders `<root>/made/<dataset>/<network>/d<depth>-<hash>/` have the size and the files that train.py leaves. Figure
1's cells of three data sets come first, then the same at other batch sizes and learning rates.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from itertools import islice, product
from pathlib import Path

import numpy as np
import pandas as pd
import yaml
from tools.made_tables import errors, made_moments

from selfnorm.config import Job
from selfnorm.networks.moments import is_recorded
from selfnorm.review.catalogue import Catalogue
from selfnorm.runs.files import write_json
from selfnorm.runs.layout import CONFIG, CURVE_COLUMNS, CURVES, ENVIRONMENT, FINISHED, LOCK, MOMENTS, SUMMARY
from selfnorm.sweeps.compose import compose_job
from selfnorm.training.recording import is_validated, over_seeds

TAG = "made"
DATASETS, DEPTHS = ("mnist", "cifar10", "fashion_mnist"), (8, 16, 32)
EXPERIMENTS = ("selu_deep", "batchnorm_deep")
EPOCHS = 80  # five hundred rows of curves.csv in each run, half a million together
BATCH_SIZES = (128, 64, 256, 32, 512, 16, 1024, 8)
RATES = (1e-5, 3e-6, 7e-6, 2e-5, 5e-6, 1.5e-5, 1e-6)
MOST = len(RATES) * len(BATCH_SIZES) * len(DATASETS) * len(DEPTHS) * len(EXPERIMENTS)
MACHINE = {
    "command": "python -m tools.many_runs", "python": "3.11.7",
    "versions": {"selfnorm": "0.1.0", "torch": "2.13.0+cpu", "pytorch-lightning": "2.6.6", "torchmetrics": "1.9.0",
                 "hydra-core": "1.3.8", "wandb": "0.31.0", "numpy": "2.4.6"},
    "platform": "made up", "processor": "made up", "cores": 2, "threads": 2, "gpus": [], "git_commit": None,
    "git_dirty": False,
}  # fmt: skip


def write_many(root: Path, number: int) -> None:
    """Write `number` runs below `root`, which must not be there yet. Raises ValueError for more than MOST."""
    if not 1 <= number <= MOST:
        raise ValueError(f"{number} runs cannot be made: 1 to {MOST}")
    rng = np.random.default_rng(11)
    moments: dict[tuple[str, int, int], str] = {}  # the same text for equal networks: it takes longest to make
    for job in islice(_jobs(), number):
        depth = job.model.depth
        rate, noise = (0.8, 0.03) if job.network == "selu" else (4 / depth, 0.005 * depth)
        made_RT = errors(rng, seeds=len(job.seeds), epochs=job.training.epochs, noise=noise, rate=rate)
        key = (job.network, depth, job.training.batch_size)
        if key not in moments:
            moments[key] = _moments(job, rng).to_csv(index=False)
        folder = root / job.folder.relative_to(job.runs_dir)
        folder.mkdir(parents=True)
        (folder / LOCK).touch()
        (folder / MOMENTS).write_text(moments[key])
        (folder / CONFIG).write_text(yaml.safe_dump(job.model_dump(by_alias=True), sort_keys=False))
        write_json(folder / ENVIRONMENT, MACHINE)
        _write_curves(folder, job, made_RT)
    Catalogue(root).overview()  # leaves a row in every folder, as the first list does


def _jobs() -> Iterator[Job]:
    given = ("scale=preview", f"tag={TAG}", "seeds=[0,1,2,3,4,5]", f"training.epochs={EPOCHS}")
    cells = [
        compose_job(f"+experiment={name}", f"dataset={dataset}", f"model.depth={depth}", *given)
        for dataset, depth, name in product(DATASETS, DEPTHS, EXPERIMENTS)
    ]
    for lr, batch_size, cell in product(RATES, BATCH_SIZES, cells):
        optimizer = cell.optimizer.model_copy(update={"lr": lr})
        training = cell.training.model_copy(update={"batch_size": batch_size})
        yield cell.model_copy(update={"optimizer": optimizer, "training": training})


def _step(job: Job, epoch: int) -> int:
    assert job.dataset.train_limit is not None  # scale=preview sets it
    return epoch * (job.dataset.train_limit // job.training.batch_size)


def _moments(job: Job, rng: np.random.Generator) -> pd.DataFrame:
    last, drift = job.training.epochs, 0.02 if job.network == "selu" else -0.05
    steps = [_step(job, epoch) for epoch in range(last + 1) if epoch == last or is_recorded(epoch, None)]
    return made_moments(rng, depth=job.model.depth, seeds=len(job.seeds), steps=steps, drift=drift)


def _write_curves(folder: Path, job: Job, errors_RT: np.ndarray) -> None:
    """curves.csv and the summary that belongs to it."""
    last, rows = job.training.epochs, [",".join(CURVE_COLUMNS)]
    summary = {"state": FINISHED, "seeds": job.seeds, "steps": _step(job, last), "seconds": 41.5, "diverged": {}}
    for epoch, errors_R in enumerate(errors_RT.T):
        splits = ["train"]
        splits += ["validation"] if epoch == last or is_validated(epoch, None) else []
        splits += ["test"] if epoch == last else []
        for split in splits:
            by_seed = dict(
                zip(map(str, job.seeds), (errors_R if split == "train" else 1.1 * errors_R).tolist(), strict=True)
            )
            accuracy = {seed: float(np.exp(-loss)) for seed, loss in by_seed.items()}
            rows += [f"{_step(job, epoch)},{epoch},{s},{split},{by_seed[s]},{accuracy[s]}" for s in by_seed]
            summary |= {f"{split}_loss": over_seeds(by_seed), f"{split}_accuracy": over_seeds(accuracy)}
    (folder / CURVES).write_text("\n".join(rows) + "\n")
    write_json(folder / SUMMARY, summary)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", type=Path, help="folder for the runs; none of them may be there yet")
    parser.add_argument("--number", type=int, default=24, help=f"how many, at most {MOST} (default 24)")
    options = parser.parse_args()
    write_many(options.root, options.number)
