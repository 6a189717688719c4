"""The versions used last, open: each keeps the rows that it has read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from sxeslake.vault.log.state import Version

_KEEP = 16


class OpenVersion(Protocol):
    """A reader of one version."""

    version: Version


_ReaderT = TypeVar("_ReaderT", bound=OpenVersion)


class OpenVersions(Generic[_ReaderT]):
    """Readers of versions by name; beyond `keep`, the one opened first is dropped."""

    def __init__(self, open_version: Callable[[Version], _ReaderT], keep: int = _KEEP) -> None:
        self._open_version, self._keep = open_version, keep
        self._open: dict[str, _ReaderT] = {}

    def of(self, version: Version) -> _ReaderT:
        """The reader of a version; a new one where the name means another archive now."""
        found = self._open.get(version.name)
        if found is None or found.version != version:
            found = self._open_version(version)
            for oldest in list(self._open)[: len(self._open) + 1 - self._keep]:
                self._open.pop(oldest, None)  # another thread may have dropped it
            self._open[version.name] = found
        return found
