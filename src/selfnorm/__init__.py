"""Self-normalizing neural networks: train many seeds at once, measure, compare with the theory."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from selfnorm.checking.monitor import MomentMonitor as MomentMonitor
    from selfnorm.checking.network import check as check

_HOMES = {"check": "network", "MomentMonitor": "monitor"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'selfnorm' has no attribute {name!r}")
    return getattr(import_module(f"selfnorm.checking.{_HOMES[name]}"), name)  # only now: it imports torch
