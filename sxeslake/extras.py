"""Packages that only some of the commands need: loaded when they are used, named with the line that installs them."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from sxeslake.errors import MissingExtraError


def load(module: str, extra: str, purpose: str) -> Any:
    """Import a module of an extra; MissingExtraError with the exact line that installs it.

    load("matplotlib.figure", "plot", "a picture")
    """
    try:
        return import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        raise MissingExtraError(
            f"{purpose} needs {package}, which is not installed.", hint=f'Install it: pip install "sxeslake[{extra}]"'
        ) from error
