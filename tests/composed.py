"""Where the checkout is, and jobs composed from its conf/ as a user's command line composes them."""

from __future__ import annotations

from pathlib import Path

from selfnorm.sweeps.compose import compose_job

__all__ = ["ROOT", "compose_job"]

ROOT = Path(__file__).parents[1]
