"""A command line as it may be kept: without passwords, keys and the addresses of notices."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from sxeslake.settings import is_secret
from sxeslake.storage.address import redact
from sxeslake.text.safe import visible

_HIDDEN: Final = "***"
_OPTION = re.compile(r"(--[a-z-]*storage-option|--notify)(=(.*))?", re.DOTALL)


def without_secrets(arguments: Iterable[str]) -> list[str]:
    """The arguments, secrets hidden: `--storage-option`, `secret=abc` → `--storage-option`, `secret=***`."""
    kept: list[str] = []
    option = ""
    for each in arguments:
        found = None if option else _OPTION.fullmatch(each)
        if option:
            kept.append(_value(option, each))
            option = ""
        elif found is None:
            kept.append(visible(redact(each)))
        elif found[2] is None:
            option = found[1]
            kept.append(each)
        else:
            kept.append(f"{found[1]}={_value(found[1], found[3])}")
    return kept


def _value(option: str, value: str) -> str:
    """Whoever knows the address of a notice can send some, and a command may hold a token: neither is kept."""
    if option == "--notify":
        return _HIDDEN
    name, equals, setting = value.partition("=")
    # What is no NAME=VALUE is refused, and may be a secret.
    return f"{name}={_HIDDEN if is_secret(name) else visible(redact(setting))}" if equals else _HIDDEN
