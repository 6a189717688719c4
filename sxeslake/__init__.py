"""sxeslake: a content-addressed data lake for electron-microprobe archives.

import sxeslake

with sxeslake.open("s3://epma/lake") as lake:
    for row in lake.ls():
        print(row.sample, row.version)
    lake.pull("ti-grains", "ti-grains.pl7z")
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from sxeslake.version import __version__

if TYPE_CHECKING:
    from sxeslake.archive.sxes.group import create_group, open_group
    from sxeslake.errors import SxeslakeError
    from sxeslake.lake import Lake, init
    from sxeslake.lake import open_lake as open  # noqa: A004 — `sxeslake.open` reads as it should
    from sxeslake.model import Limits

__all__ = ["Lake", "Limits", "SxeslakeError", "__version__", "create_group", "init", "open", "open_group"]

# Loaded when they are touched: the command line must not wait for what it does not use.
_HOME = {
    "Lake": ("lake", "Lake"),
    "Limits": ("model", "Limits"),
    "SxeslakeError": ("errors", "SxeslakeError"),
    "create_group": ("archive.sxes.group", "create_group"),
    "init": ("lake", "init"),
    "open": ("lake", "open_lake"),
    "open_group": ("archive.sxes.group", "open_group"),
}


def __getattr__(name: str) -> object:
    """Load a public name from the module it lives in (PEP 562)."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, attribute = _HOME[name]
    value = getattr(import_module(f"{__name__}.{module}"), attribute)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
