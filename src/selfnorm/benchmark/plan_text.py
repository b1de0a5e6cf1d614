"""The plan for GPUs as a Markdown page: a table per GPU and precision's sums, and what was assumed."""

from __future__ import annotations

import itertools

import pandas as pd

from selfnorm import config
from selfnorm.analysis.coordinates import dataset_title
from selfnorm.analysis.markup import markdown_table
from selfnorm.benchmark.cells import compose_job
from selfnorm.benchmark.plan import GPUS, LAUNCH, WEIGHT_BYTES, Cost, Gpu, cost, count_launches, makespan

PRECISIONS = ("fp32", "bf16")


def paper_jobs() -> list[config.Job]:
    """The cells of +sweep=figure1 at paper scale."""
    cells = itertools.product(("mnist", "cifar10"), (8, 16, 32), ("selu_deep", "batchnorm_deep"))
    return [
        compose_job(f"dataset={dataset}", f"+experiment={network}", f"model.depth={depth}", "scale=paper",
                    "seeds=[0,1,2,3,4,5]")
        for dataset, depth, network in cells
    ]  # fmt: skip


def page(jobs: list[config.Job]) -> str:
    networks = {(job.network, job.model.depth): job for job in jobs}
    counts = {key: count_launches(job) for key, job in networks.items()}
    costs = {
        precision: [cost(job, precision, counts[job.network, job.model.depth]) for job in jobs]
        for precision in PRECISIONS
    }
    return f"""# The paper's whole Figure 1 on GPUs, planned

`python scripts/plan.py`. Nothing here was measured on a GPU: operations and bytes are counted, peaks are those of
NVIDIA's data sheets, dense, without sparsity. A step takes the longest of three: its matrix products at the peak, its
bytes at the memory's bandwidth, its launches at {1e6 * LAUNCH:.0f} µs each (eager PyTorch; assumed). So these are the
least times; `python scripts/benchmark.py --device cuda` measures how far from products alone a step is.

## Cells: twelve networks, six seeds each, 2000 epochs

{markdown_table(_cells(jobs, costs))}
## All twelve cells

{markdown_table(_sums(costs))}
By cells: one process for each GPU takes the next cell, the longest first; the longest is the floor. Spread evenly: the
six seeds of a cell, which need no communication, on GPUs of their own as well.

## What bounds what

- Width 3072, fp32: the products, without tensor cores. Under bf16 autocast: the weights' traffic,
  {WEIGHT_BYTES["bf16"]} bytes a weight and step ({WEIGHT_BYTES["fp32"]} in fp32). A batch of 128 does too little with
  each weight; more seeds on a GPU do not change that.
- Width 784: the launches, of batch normalization above all. Six seeds at once share them already; CUDA graphs or
  `torch.compile` would take most of the rest and are the first thing to try on a GPU: the bytes alone would allow
  {_without_launches(jobs, costs["fp32"])}.
- Memory bounds nothing: the largest cell fits an 80 GB card several times over.
"""


def _without_launches(jobs: list[config.Job], costs: list[Cost]) -> str:
    """Hours of the small-width cells with their launches and without."""
    small = [found for job, found in zip(jobs, costs, strict=True) if job.dataset.name == "mnist"]
    without, usual = (sum(found.seconds(GPUS[-1], "fp32", launch) for found in small) / 3600 for launch in (0, LAUNCH))
    return f"{without:.1f} h where launches make it {usual:.1f} h ({GPUS[-1].name}, the six MNIST cells)"


def _cells(jobs: list[config.Job], costs: dict[str, list[Cost]]) -> pd.DataFrame:
    gpu = GPUS[-1]
    rows = []
    for index, job in enumerate(jobs):
        one, low = (costs[precision][index] for precision in PRECISIONS)
        rows.append({
            "data set": dataset_title(job.dataset.name),
            "network": job.network,
            "depth": job.model.depth,
            "GFLOP a step": f"{one.step_flops / 1e9:.0f}",
            "GB a step": f"{one.step_bytes / 1e9:.2f}",
            "launches a step": one.launches,
            "TFLOP an error pass": f"{one.error_flops / 1e12:.1f}",
            "memory, GB": f"{one.memory / 1e9:.1f}",
            f"{gpu.name}, fp32, bound": f"{one.seconds(gpu, 'fp32') / 3600:.2f} h, {_bound(one, gpu, 'fp32')}",
            "bf16": f"{low.seconds(gpu, 'bf16') / 3600:.2f} h, {_bound(low, gpu, 'bf16')}",
        })  # fmt: skip
    return pd.DataFrame(rows)


def _bound(found: Cost, gpu: Gpu, precision: str) -> str:
    times = {
        "products": found.step_flops / gpu.flops[precision],
        "bytes": found.step_bytes / gpu.bandwidth,
        "launches": found.launches * LAUNCH,
    }
    return max(times, key=lambda name: times[name])


def _sums(costs: dict[str, list[Cost]]) -> pd.DataFrame:
    rows = []
    for gpu, precision in itertools.product(GPUS, PRECISIONS):
        hours = [found.seconds(gpu, precision) / 3600 for found in costs[precision]]
        rows.append({
            "GPU": gpu.name,
            "precision": precision,
            "one GPU": f"{sum(hours):.1f} h",
            "eight GPUs, by cells": f"{makespan(hours, 8):.1f} h",
            "eight GPUs, work spread evenly": f"{sum(hours) / 8:.1f} h",
        })  # fmt: skip
    return pd.DataFrame(rows)
