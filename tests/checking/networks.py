"""Networks to check: right ones of many kinds, and the pieces to make wrong ones from."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor, nn

Init = Callable[[Tensor], object]


def lecun(weight: Tensor) -> None:
    nn.init.normal_(weight, 0, weight[0].numel() ** -0.5)


def he(weight: Tensor) -> None:
    nn.init.normal_(weight, 0, (2 / weight[0].numel()) ** 0.5)


def drawn(model: nn.Module, init: Init, *, seed: int = 0) -> nn.Module:
    """The model with all its linear maps and convolutions drawn by `init`, biases zero."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        for module in model.modules():
            if isinstance(module, nn.Linear | nn.Conv1d | nn.Conv2d):
                init(module.weight)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
    return model


def chain(*after: Callable[[], nn.Module], widths: tuple[int, ...] = (64,) * 9, outputs: int = 10) -> nn.Sequential:
    """Linear maps between the widths, each followed by modules, and a linear output."""
    layers: list[nn.Module] = []
    for num_in, num_out in pairwise(widths):
        layers += [nn.Linear(num_in, num_out), *(make() for make in after)]
    return nn.Sequential(*layers, nn.Linear(widths[-1], outputs))


def inputs(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


class Residual(nn.Module):
    """Blocks that add to their input, normalized before: x + f(norm(x)), as transformers have them."""

    def __init__(self, width: int, depth: int) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(depth))
        self.up = nn.ModuleList(nn.Linear(width, 4 * width) for _ in range(depth))
        self.down = nn.ModuleList(nn.Linear(4 * width, width) for _ in range(depth))
        self.act = nn.GELU()

    def forward(self, x: Tensor) -> Tensor:
        for norm, up, down in zip(self.norms, self.up, self.down, strict=True):
            x = x + down(self.act(up(norm(x))))
        return x


def convolutions(activation: type[nn.Module], *between: Callable[[], nn.Module]) -> nn.Sequential:
    blocks: list[nn.Module] = []
    for num_in in (3, 16, 16, 16):
        blocks += [nn.Conv2d(num_in, 16, 3, padding="same"), *(make() for make in between), activation()]
    return nn.Sequential(*blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10))


def _batch_norm() -> nn.Module:
    return nn.BatchNorm1d(64)


# A right network and the shape of its standardized inputs, by name
RIGHT: dict[str, Callable[[], tuple[nn.Module, tuple[int, ...]]]] = {
    "SELU, depth 2": lambda: (drawn(chain(nn.SELU, widths=(64,) * 3), lecun), (256, 64)),
    "SELU, depth 8": lambda: (drawn(chain(nn.SELU), lecun), (256, 64)),
    "SELU, depth 32": lambda: (drawn(chain(nn.SELU, widths=(64,) * 33), lecun), (256, 64)),
    "SELU, wide": lambda: (drawn(chain(nn.SELU, widths=(256,) * 5), lecun, seed=1), (128, 256)),
    "SELU, narrow": lambda: (drawn(chain(nn.SELU, widths=(10, 20, 12, 8)), lecun, seed=2), (256, 10)),
    "SELU, cone": lambda: (drawn(chain(nn.SELU, widths=(256, 128, 64, 32, 16)), lecun, seed=3), (256, 256)),
    "SELU, alpha dropout": lambda: (drawn(chain(nn.SELU, lambda: nn.AlphaDropout(0.05)), lecun), (256, 64)),
    "SELU, Kaiming's fan_in with nonlinearity linear": lambda: (
        drawn(chain(nn.SELU), lambda w: nn.init.kaiming_normal_(w, nonlinearity="linear")),
        (256, 64),
    ),
    "SELU, Xavier where it is LeCun's": lambda: (drawn(chain(nn.SELU), nn.init.xavier_normal_), (256, 64)),
    "SELU, convolutions": lambda: (drawn(convolutions(nn.SELU), lecun), (16, 3, 12, 12)),
    "ReLU, He": lambda: (drawn(chain(nn.ReLU), he), (256, 64)),
    "ReLU in place, dropout": lambda: (
        drawn(chain(lambda: nn.ReLU(inplace=True), lambda: nn.Dropout(0.3)), he),
        (256, 64),
    ),
    "ReLU, torch's default, depth 3": lambda: (drawn(chain(nn.ReLU, widths=(64,) * 4), he), (256, 64)),
    "ReLU, batch normalization": lambda: (drawn(chain(_batch_norm, nn.ReLU), he), (256, 64)),
    "ReLU, convolutions, batch normalization": lambda: (
        drawn(convolutions(nn.ReLU, lambda: nn.BatchNorm2d(16)), he),
        (16, 3, 12, 12),
    ),
    "tanh, Xavier": lambda: (drawn(chain(nn.Tanh), nn.init.xavier_normal_), (256, 64)),
    "ELU, He": lambda: (drawn(chain(nn.ELU), lambda w: nn.init.normal_(w, 0, (1.55 / 64) ** 0.5)), (256, 64)),
    "GELU, residual": lambda: (drawn(Residual(32, 6), lecun), (64, 7, 32)),
    "SiLU, layer normalization": lambda: (
        drawn(chain(lambda: nn.LayerNorm(64), nn.SiLU, widths=(64,) * 5), lecun),
        (256, 64),
    ),
    "leaky ReLU, tokens": lambda: (drawn(chain(nn.LeakyReLU), he), (32, 9, 64)),
}
