"""One replica taken out as torch's own layers, with the same outputs in evaluation (dropout is left out).

In: a run folder and a seed. Out: network.pt2, a program that `torch.export.load` runs with torch alone, and
network.safetensors, the state of the same `nn.Sequential`.
"""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import torch
import yaml
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from selfnorm import config
from selfnorm.commandline import one_line
from selfnorm.networks.activations import LearnedSelu, Selu
from selfnorm.networks.layers import ReplicaLinear
from selfnorm.networks.mlp import HiddenLayer, ReplicaMLP
from selfnorm.networks.normalization import ReplicaBatchNorm, ReplicaLayerNorm
from selfnorm.parsing import parse_job
from selfnorm.selu_constants import SELU_ALPHA, SELU_LAMBDA


class ResidualPair(nn.Module):
    """after(before(x) + x): `before` ends where the skip joins, `after` begins with the activation function."""

    def __init__(self, before: nn.Sequential, after: nn.Sequential) -> None:
        super().__init__()
        self.before, self.after = before, after

    def forward(self, x: Tensor) -> Tensor:
        return self.after(self.before(x) + x)


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
    """
    try:
        job = parse_job(yaml.safe_load((folder / "config.yaml").read_text()))
        state = load_file(folder / "network.safetensors")
        standardization = {name: state.pop(name) for name in ("input_mean_F", "input_std_F")}
        num_features = state["hidden.0.linear.weight_RIO"].shape[1]
        network = ReplicaMLP(job, num_features, num_classes=state["output.weight_RIO"].shape[2])
        network.load_state_dict(state)
    except KeyError as error:
        raise ValueError(f"{folder} holds no finished run (network.safetensors lacks {error})") from None
    except (ValueError, OSError, LookupError, RuntimeError, SafetensorError, yaml.YAMLError) as error:
        raise ValueError(f"{folder} holds no finished run ({one_line(error, longest=300)})") from None
    return job, network.eval(), standardization


@torch.no_grad()
def extract_replica(network: ReplicaMLP, replica: int) -> nn.Sequential:
    """Replica number `replica` (from 0) as an `nn.Sequential` in evaluation mode."""
    modules: list[nn.Module] = []
    layers = [layer for layer in network.hidden if isinstance(layer, HiddenLayer)]
    for index, layer in enumerate(layers):
        if network.receives_skip[index]:
            continue  # taken together with the layer before it
        modules += _layer(layer, replica)
        if index + 1 < len(layers) and network.receives_skip[index + 1]:
            first = nn.Sequential(*modules[-len(_layer(layer, replica)) :])
            del modules[-len(first) :]
            modules.append(_residual_pair(first, layers[index + 1], replica))
    return nn.Sequential(*modules, _linear(network.output, replica)).eval()


def _residual_pair(first: nn.Sequential, second: HiddenLayer, replica: int) -> ResidualPair:
    parts = _layer(second, replica)
    joins = next(i for i, part in enumerate(parts) if type(part) is type(_activation(second.activation, replica)))
    return ResidualPair(nn.Sequential(*first, *parts[:joins]), nn.Sequential(*parts[joins:]))


def _layer(layer: HiddenLayer, replica: int) -> list[nn.Module]:
    """linear, normalization and activation function in their order; one `Highway` if the layer is gated."""
    parts: list[nn.Module] = [_linear(layer.linear, replica), _activation(layer.activation, replica)]
    if layer.normalization is not None:
        parts.insert(2 if layer.normalize_after else 1, _normalization(layer.normalization, replica))
    return parts if layer.gate is None else [Highway(nn.Sequential(*parts), _linear(layer.gate, replica))]


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


def _normalization(layer: nn.Module, replica: int) -> nn.Module:
    assert isinstance(layer, ReplicaBatchNorm | ReplicaLayerNorm)
    num_features = layer.scale_R1F.shape[2]
    norm: nn.BatchNorm1d | nn.LayerNorm
    if isinstance(layer, ReplicaBatchNorm):
        norm = nn.BatchNorm1d(num_features, eps=layer.eps, momentum=layer.momentum)
        norm.running_mean = layer.running_mean_R1F[replica, 0].clone()
        norm.running_var = layer.running_variance_R1F[replica, 0].clone()
    else:
        norm = nn.LayerNorm(num_features, eps=layer.eps)
    norm.weight.copy_(layer.scale_R1F[replica, 0])
    norm.bias.copy_(layer.shift_R1F[replica, 0])
    return norm


def export_replica(folder: Path, *, seed: int, out: Path) -> nn.Sequential:
    """Write network.pt2, network.safetensors and export.json (origin, layers, standardization of inputs) to `out`.

    Raises ValueError for a folder that is no finished run and for a seed that it does not have.
    """
    job, network, standardization = load_run(folder)
    if seed not in job.seeds:
        raise ValueError(f"seed {seed} is not in {folder}; it has {', '.join(map(str, job.seeds))}")
    sequential = extract_replica(network, job.seeds.index(seed))
    out.mkdir(parents=True, exist_ok=True)
    example = torch.zeros(2, sequential[0].in_features if isinstance(sequential[0], nn.Linear) else 0)
    program = torch.export.export(sequential, (example,), dynamic_shapes=({0: torch.export.Dim("batch")},))
    torch.export.save(program, out / "network.pt2")
    state = {name: tensor.contiguous() for name, tensor in sequential.state_dict().items()}
    save_file(state, out / "network.safetensors")
    about: dict[str, Any] = {
        "run": str(folder),
        "seed": seed,
        "layers": str(sequential).splitlines(),
        "job": job.identity,
    }
    # The network takes (x - mean) / std of features x scaled to [0, 1]
    about |= {name.removesuffix("_F"): values.tolist() for name, values in standardization.items()}
    (out / "export.json").write_text(json.dumps(about, indent=2) + "\n")
    return sequential
