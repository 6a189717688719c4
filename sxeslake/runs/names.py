"""Names and times of runs."""

from __future__ import annotations

import os
from datetime import UTC, datetime


def new_id() -> str:
    """A name for a run that sorts by time: `20261127T030000.123Z-0a1b2c3d`."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S.%f}"[:-3] + f"Z-{os.urandom(4).hex()}"


def instant() -> str:
    """Now, UTC: `2026-11-27T03:00:00.123Z`."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
