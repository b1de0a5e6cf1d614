"""Find out in seconds whether the W&B server can be used; W&B itself waits for minutes, or asks at the terminal."""

from __future__ import annotations

import netrc
import os
import socket
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

PROBE_SECONDS = 3.0


def unreachable() -> str | None:
    """The reason why the server cannot be used, or None."""
    import wandb

    saved = wandb.setup().settings  # by `wandb login`
    address = urlsplit(os.environ.get("WANDB_BASE_URL") or saved.base_url)
    host, port = address.hostname or "", address.port or (443 if address.scheme == "https" else 80)
    if not (os.environ.get("WANDB_API_KEY") or saved.api_key or _has_netrc_key(host)):
        return f"no API key for {host} (run `wandb login`)"
    if address.scheme in getproxies() and not proxy_bypass(host):
        return None  # only the proxy can tell
    try:
        socket.create_connection((host, port), timeout=PROBE_SECONDS).close()
    except OSError as error:
        return f"{host}:{port} does not answer ({first_line(error)})"
    return None


def _has_netrc_key(host: str) -> bool:
    try:
        return netrc.netrc(os.environ.get("NETRC")).authenticators(host) is not None
    except (OSError, netrc.NetrcParseError):
        return False


def first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
