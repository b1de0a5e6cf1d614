"""Take one replica out of a run as torch's own layers, with the same outputs in evaluation (without dropout).

In: a run folder and a seed. Out: network.pt2, a program that `torch.export.load` runs with torch alone, and
network.safetensors, the state of the same `nn.Sequential`.
"""

from __future__ import annotations

import copy
import io
from itertools import chain
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save
from torch import Tensor, nn

from selfnorm import config
from selfnorm.commandline import one_line
from selfnorm.config import parse_job
from selfnorm.config.activation import SELU_ALPHA, SELU_LAMBDA
from selfnorm.networks.activations import LearnedSelu, Selu
from selfnorm.networks.layers import ReplicaLinear
from selfnorm.networks.mlp import HiddenLayer, ReplicaMLP
from selfnorm.runs.files import open_file, write_atomically, write_json
from selfnorm.runs.layout import NETWORK, STANDARDIZATION
from selfnorm.runs.reading import read_activation, read_config
from selfnorm.runs.state import check_whole, read_summary


class ResidualPair(nn.Module):
    """after(before(x) + x): `before` ends where the skip joins, `after` begins with the activation function."""

    def __init__(self, before: nn.Sequential, after: nn.Sequential) -> None:
        super().__init__()
        self.before, self.after = before, after

    def forward(self, x: Tensor) -> Tensor:
        return self.after(self.before(x) + x)


class ReZero(nn.Module):
    """x + s h(x) with a number s."""

    def __init__(self, layer: nn.Sequential, factor: Tensor) -> None:
        super().__init__()
        self.layer, self.factor = layer, nn.Parameter(factor.clone())

    def forward(self, x: Tensor) -> Tensor:
        return x + self.factor * self.layer(x)


class Highway(nn.Module):
    """t h(x) + (1 - t) x with t = sigmoid(gate(x))."""

    def __init__(self, layer: nn.Sequential, gate: nn.Linear) -> None:
        super().__init__()
        self.layer, self.gate = layer, gate

    def forward(self, x: Tensor) -> Tensor:
        return torch.lerp(x, self.layer(x), torch.sigmoid(self.gate(x)))


def load_run(folder: Path) -> tuple[config.Job, ReplicaMLP, dict[str, Tensor]]:
    """The configuration, the trained networks, and the mean and scale of the inputs (F,) of a finished run.

    Raises ValueError if the folder holds no finished run, in one line.

    Example, a run of two seeds and three images whose pixels are scaled to [0, 1]:

    >>> from selfnorm.networks.layers import EVALUATION
    >>> job, network, standardization = load_run(folder)
    >>> x_BF = (pixels - standardization["input_mean_F"]) / standardization["input_std_F"]
    >>> network(x_BF.float().expand(len(job.seeds), -1, -1), EVALUATION).shape  # logits: seed, image, class
    torch.Size([2, 3, 10])
    """
    try:
        job = parse_job(read_config(folder))
        _check_length(folder / NETWORK)
        check_whole(folder / NETWORK, read_summary(folder))
        state = load_file(folder / NETWORK)
        standardization = {name: state.pop(name) for name in STANDARDIZATION}
        num_features = state["hidden.0.linear.weight_RIO"].shape[1]
        table = read_activation(folder)
        network = ReplicaMLP(job, num_features, num_classes=state["output.weight_RIO"].shape[2], table=table or {})
        network.load_state_dict(state)
    except KeyError as error:
        raise ValueError(f"{folder} holds no finished run ({NETWORK} lacks {error})") from None
    except (ValueError, OSError, LookupError, RuntimeError, SafetensorError) as error:
        raise ValueError(f"{folder} holds no finished run ({one_line(error, longest=300)})") from None
    return job, network.eval(), standardization


def _check_length(path: Path) -> None:
    """Raises ValueError for weights that are not as long as their header says: they are not read to their end."""
    try:
        with open_file(path), safe_open(path, framework="pt"):
            pass
    except SafetensorError:
        raise ValueError(f"{path.name} is not as the run wrote it: copy it whole, or run it again") from None


@torch.no_grad()
def extract_replica(network: ReplicaMLP, replica: int) -> nn.Sequential:
    """Replica number `replica` (from 0) as an `nn.Sequential` in evaluation mode."""
    blocks: list[list[nn.Module]] = []
    for layer, receives_skip in zip(network.layers, network.receives_skip, strict=True):
        modules = _layer(layer, replica)
        if receives_skip:  # it makes a pair with the layer before it; the skip joins before its activation function
            joins = 1 if layer.normalization is None or layer.normalize_after else 2
            before, after = nn.Sequential(*blocks.pop(), *modules[:joins]), nn.Sequential(*modules[joins:])
            modules = [ResidualPair(before, after)]
        blocks.append(modules)
    return nn.Sequential(*chain.from_iterable(blocks), _linear(network.output, replica)).eval()


def _layer(layer: HiddenLayer, replica: int) -> list[nn.Module]:
    """Linear layer, normalization and activation function in their order; one module if they join their input."""
    modules: list[nn.Module] = [_linear(layer.linear, replica), _activation(layer.activation, replica)]
    if layer.normalization is not None:
        modules.insert(2 if layer.normalize_after else 1, layer.normalization.torch_layer(replica))
    if layer.factor_R11 is not None:
        return [ReZero(nn.Sequential(*modules), layer.factor_R11[replica, 0, 0])]
    return modules if layer.gate is None else [Highway(nn.Sequential(*modules), _linear(layer.gate, replica))]


def _linear(layer: ReplicaLinear, replica: int) -> nn.Linear:
    weight_RIO = layer.effective_weight()
    linear = nn.Linear(weight_RIO.shape[1], weight_RIO.shape[2])
    linear.weight.copy_(weight_RIO[replica].T)
    linear.bias.copy_(layer.bias_R1O[replica, 0])
    return linear


def _activation(activation: nn.Module, replica: int) -> nn.Module:
    if isinstance(activation, LearnedSelu):
        activation = Selu(activation.alpha_R[replica].item(), activation.lambda_R[replica].item())
    if isinstance(activation, Selu) and (activation.alpha, activation.lambda_) == (SELU_ALPHA, SELU_LAMBDA):
        return nn.SELU()
    return copy.deepcopy(activation)


def export_replica(folder: Path, *, seed: int, out: Path) -> nn.Sequential:
    """Write network.pt2, network.safetensors and export.json (origin, layers, standardization of inputs) to `out`.

    Raises ValueError for a folder that is not a finished run, and for a seed that it does not have or that diverged.
    """
    job, network, standardization = load_run(folder)
    if seed not in job.seeds:
        raise ValueError(f"seed {seed} is not in {folder}; it has {', '.join(map(str, job.seeds))}")
    sequential = extract_replica(network, job.seeds.index(seed))
    if not all(tensor.isfinite().all() for tensor in sequential.state_dict().values()):
        raise ValueError(f"seed {seed} of {folder} diverged: its weights are not finite")
    out.mkdir(parents=True, exist_ok=True)
    example = torch.zeros(2, len(standardization["input_mean_F"]))
    program = torch.export.export(sequential, (example,), dynamic_shapes=({0: torch.export.Dim("batch")},))
    content = io.BytesIO()
    torch.export.save(program, content)
    write_atomically(out / "network.pt2", content.getbuffer())
    state = {name: tensor.contiguous() for name, tensor in sequential.state_dict().items()}
    write_atomically(out / NETWORK, save(state))
    about: dict[str, Any] = {"run": str(folder), "seed": seed}
    about |= {"layers": str(sequential).splitlines(), "job": job.identity}
    # The network takes (x - mean) / std of features x scaled to [0, 1]
    about |= {name.removesuffix("_F"): values.tolist() for name, values in standardization.items()}
    write_json(out / "export.json", about)
    return sequential
