"""How far a verification of every byte has come: a small file in the local cache; the next run goes on there."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from sxeslake.vault.local import private
from sxeslake.vault.log.commit import utc_now

_NAME = "verified.json"
_SAVE_EVERY_S = 5.0


class Verified:
    """Packs that were read whole and found right. They are immutable, so only rot can have changed them since."""

    def __init__(self, folder: Path, *, resume: bool) -> None:
        self._path = folder / _NAME
        self._packs: dict[str, str] = {}
        self._saved = time.monotonic()
        if resume:
            self._packs = self._read()

    def _read(self) -> dict[str, str]:
        try:
            found = json.loads(self._path.read_bytes())["packs"]
            return {str(pack): str(moment) for pack, moment in found.items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):  # a lost record costs time, no more
            return {}

    def left(self, packs: Iterable[str]) -> list[str]:
        """Those packs that are still to be read."""
        return [pack for pack in packs if pack not in self._packs]

    def add(self, pack: str) -> None:
        """Note a pack; written down every few seconds."""
        self._packs[pack] = utc_now()
        if time.monotonic() - self._saved > _SAVE_EVERY_S:
            self.save()

    def save(self) -> None:
        """Write the record down, where the cache has room for it."""
        with suppress(OSError):
            private.replace(self._path, json.dumps({"packs": self._packs}).encode())
        self._saved = time.monotonic()

    def clear(self) -> None:
        """Everything has been read: the next run begins again."""
        self._packs.clear()
        with suppress(OSError):
            self._path.unlink(missing_ok=True)
