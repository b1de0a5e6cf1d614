"""Run a function in two processes that share a gloo group: for what DDP must do, in seconds.

In: a function of a module's top level, of (rank, *arguments). Out: what it returned on each rank.
A fork server imports torch and Lightning once for all pairs of processes that one pytest process starts.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from multiprocessing.queues import SimpleQueue
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch.distributed as dist
import torch.multiprocessing as mp

PRELOADED = ["torch", "pytorch_lightning", "torchmetrics", "hydra"]


def in_two_processes(function: Callable[..., Any], *arguments: Any) -> list[Any]:
    """What `function(rank, *arguments)` returns for rank 0 and 1; numbers, lists and the like, not tensors."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    results: SimpleQueue[tuple[int, Any]] = context.SimpleQueue()
    with TemporaryDirectory() as folder:  # where the two find each other
        given = (function, arguments, Path(folder, "store"), results)
        mp.start_processes(_in_group, args=given, nprocs=2, start_method="forkserver")
    return [result for _, result in sorted((results.get() for _ in range(2)), key=lambda pair: pair[0])]


def _in_group(
    rank: int, function: Callable[..., Any], arguments: tuple[Any, ...], store: Path, results: SimpleQueue[Any]
) -> None:
    dist.init_process_group("gloo", f"file://{store}", rank=rank, world_size=2)
    results.put((rank, function(rank, *arguments)))
    dist.barrier()
    dist.destroy_process_group()
