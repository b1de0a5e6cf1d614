"""The names in a run folder, each written down once: files, columns with their units, and states.

The folder of a run is `runs/<tag>/<dataset>/<network>/d<depth>-<hash>/` (see `config.Job.folder`).
"""

from __future__ import annotations

CONFIG = "config.yaml"  # the resolved configuration
ENVIRONMENT = "environment.json"  # command, versions, machine, commit
SUMMARY = "summary.json"  # the state, the digests of the other files, and the last errors by seed
ACTIVATION = "activation.json"  # a user's own activation as a table, for readers, which import nothing of it
CURVES = "curves.csv"  # CURVE_COLUMNS
MOMENTS = "moments.csv"  # MOMENT_COLUMNS
FORKS = "forks.csv"  # FORK_COLUMNS; only where a run was forked
NETWORK = "network.safetensors"  # the trained networks, every tensor with its replicas first, and STANDARDIZATION
CHECKPOINT = "checkpoint.ckpt"  # until the run has finished
LOCK = ".lock"  # held by the process that trains the run
SHARDS = ".parts"  # runs of some of the seeds each, until they are merged (trainer.shard=seeds)
REPLACED = ".replaced"  # the old run, until all of it is deleted (overwrite=true)
ROW = ".row.json"  # the run's row in a list of runs, cached by the program that lists it
WANDB = "wandb"  # W&B's own folders
WANDB_ID = "wandb_id"

TABLES = (CURVES, MOMENTS)  # of every run; their last rows are of its last step
SHOWN = (CONFIG, ACTIVATION, CURVES, MOMENTS, FORKS, SUMMARY, ENVIRONMENT)  # what readers open
ANY_OF = (CONFIG, SUMMARY, CURVES)  # a folder with one of these is a run's

# States of a run, as it writes them
RUNNING, FINISHED, DIVERGED, INTERRUPTED, FAILED = "running", "finished", "diverged", "interrupted", "failed"
# States that a reader concludes: marked as running although no process holds the lock; no readable summary
CRASHED, MISSING = "crashed", "missing"

CURVE_COLUMNS = {
    "step": "optimizer steps done before the record",
    "epoch": "epochs done before the record",
    "seed": "the network",
    "split": "train, validation or test",
    "loss": "mean cross-entropy in nats",
    "accuracy": "fraction of samples, 0 to 1",
}
MOMENT_COLUMNS = {
    "step": "optimizer steps done before the record",
    "epoch": "epochs done before the record",
    "seed": "the network",
    "layer": "the hidden layer, from 1",
    "preactivation_mean": "mean over samples and units",
    "preactivation_variance": "variance over samples and units",
    "preactivation_unit_mean_sd": "standard deviation over units of each unit's mean over samples",
    "preactivation_unit_variance_sd": "standard deviation over units of each unit's variance over samples",
    "preactivation_kurtosis": "fourth central moment over variance squared, over samples and units; 3 for a Gaussian",
    "preactivation_cosine": "mean cosine between the units' values of two samples, -1 to 1",
    "activation_mean": "as preactivation_mean",
    "activation_variance": "as preactivation_variance",
    "activation_unit_mean_sd": "as preactivation_unit_mean_sd",
    "activation_unit_variance_sd": "as preactivation_unit_variance_sd",
    "activation_kurtosis": "as preactivation_kurtosis",
    "activation_cosine": "as preactivation_cosine",
    "saturated": "fraction of samples and units, 0 to 1",
    "gradient_second_moment": "mean square of d(summed loss)/d(pre-activation), nats squared",
}
FORK_COLUMNS = {
    "step": "optimizer steps done before the fork",
    "epoch": "epochs done before the fork",
    "seed": "the network that was copied",
    "source": "what the copies differ in: order, masks, statistics, all, evaluation",
    "fork": "the copy, from 0",
    "update": "optimizer steps of the copy since the fork",
    "loss": "training error of the copy: mean cross-entropy in nats",
}
LEARNED_COLUMNS = {"alpha": "SELU's constant", "lambda": "SELU's constant"}  # where a SELU's constants are trained

CURVE_KEY = ("step", "seed", "split")  # the columns that identify a row of CURVES
MOMENT_KEY = ("step", "seed", "layer")
FORK_KEY = ("step", "seed", "source", "fork", "update")
MOMENT_COORDINATES = ("step", "epoch", "seed", "layer")  # the rest of a row is measured
TEXT_COLUMNS = ("split", "source")
WHOLE_COLUMNS = ("step", "epoch", "seed", "layer", "fork", "update")
COORDINATES = (*WHOLE_COLUMNS, *TEXT_COLUMNS)

STANDARDIZATION = ("input_mean_F", "input_std_F")  # tensors of NETWORK, the same for every seed
