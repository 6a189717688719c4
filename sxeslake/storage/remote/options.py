"""`--storage-option k=v` of a remote store, else a variable of the environment. Errors never quote a value."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from sxeslake.errors import UsageError

from ..address import Address

_TRUE = frozenset(("1", "true", "t", "yes", "on"))
_FALSE = frozenset(("0", "false", "f", "no", "off", ""))


class GivenOptions:
    """The options of one store, all of them known."""

    def __init__(self, kind: str, address: Address, options: Mapping[str, str], known: Sequence[str]) -> None:
        unknown = sorted(set(options) - set(known))
        if unknown:
            hint = f"{kind} knows: {', '.join(known)}."
            raise UsageError(f"unknown storage option: {', '.join(unknown)}", where=address.public, hint=hint)
        self._options, self._where = options, address.public

    def get(self, name: str, variable: str | None = None) -> str | None:
        """The option's value, else the variable's, else None."""
        return self._options.get(name) or (os.environ.get(variable) or None if variable else None)

    def flag(self, name: str, variable: str | None = None) -> bool:
        """Yes or no; no where nothing is said."""
        value = (self.get(name, variable) or "").lower()
        if value not in _TRUE | _FALSE:
            raise UsageError(f"{name} is yes or no", where=self._where)
        return value in _TRUE

    def url(self, name: str, variable: str | None = None) -> str | None:
        """The address of a server."""
        value = self.get(name, variable)
        if value is not None and not value.startswith(("http://", "https://")):
            raise UsageError(f"{name} starts with http:// or https://", where=self._where)
        return None if value is None else value.rstrip("/")

    def number(self, name: str) -> int | None:
        """A whole number."""
        value = self.get(name)
        if value is None:
            return None
        if not value.isdecimal():
            raise UsageError(f"{name} is a number", where=self._where)
        return int(value)
