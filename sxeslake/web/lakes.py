"""The lakes that a server shows: their short names, their newest commit, and what is kept of them in memory."""

from __future__ import annotations

import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sxeslake.lake import Lake
from sxeslake.web.histories import LakeHistory
from sxeslake.web.shelf import SpectraShelf

_FRESH_S: Final = 1.0  # so long a commit counts as the newest: a page's parts come at one commit
_KEPT: Final = 64
_ANALYSES: Final = 8  # whose positions are at hand
_TAKEN: Final = ("help", "static")  # addresses that are no lake's
_NOT_IN_SLUG: Final = re.compile(r"[^a-z0-9._-]+")


class ResultCache:
    """The last few results by key; a new commit has other keys, so nothing is ever out of date."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: OrderedDict[object, Any] = OrderedDict()
        self._turns: dict[object, threading.Lock] = {}
        self._lock = threading.Lock()

    def get(self, key: object, make: Callable[[], Any]) -> Any:
        """The result of that key, made where it is not there; whoever asks for it meanwhile waits for it."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
            turn = self._turns.setdefault(key, threading.Lock())
        with turn:
            with self._lock:
                if key in self._kept:
                    return self._kept[key]
            try:
                made = make()
                with self._lock:
                    self._kept[key] = made
                    while len(self._kept) > self._most:
                        self._kept.popitem(last=False)
                return made
            finally:
                with self._lock:
                    self._turns.pop(key, None)


@dataclass(eq=False, slots=True)
class ServedLake:
    """One lake of a server."""

    slug: str  # its part of the URLs
    title: str  # its name for people
    lake: Lake
    shelf: SpectraShelf
    remembered: ResultCache  # results of questions
    history: LakeHistory
    measured: ResultCache  # positions of analyses, and their integrated regions
    _lock: threading.Lock
    _head: int = 0
    _looked_at: float = -1e9

    def head(self) -> int:
        """The number of the newest commit, looked for at most once a second."""
        with self._lock:
            if time.monotonic() - self._looked_at > _FRESH_S:
                self._head = self.lake.refresh()
                self._looked_at = time.monotonic()
            return self._head


class Site(Mapping[str, ServedLake]):
    """All lakes of a server, by slug."""

    def __init__(self, lakes: Mapping[str, Lake] | Sequence[Lake], spectra_bytes: int) -> None:
        named = lakes.items() if isinstance(lakes, Mapping) else [(_last_part(lake.url), lake) for lake in lakes]
        shelf = SpectraShelf(spectra_bytes)
        self._lakes: dict[str, ServedLake] = {}
        for title, lake in named:
            slug = self._free(_NOT_IN_SLUG.sub("-", title.casefold()).strip("-.") or "lake")
            kept = ResultCache(_KEPT), LakeHistory(lake), ResultCache(_ANALYSES)
            self._lakes[slug] = ServedLake(slug, title, lake, shelf, *kept, threading.Lock())

    def _free(self, slug: str) -> str:
        found, number = slug, 2
        while found in self._lakes or found in _TAKEN:
            found, number = f"{slug}-{number}", number + 1
        return found

    def __getitem__(self, slug: str) -> ServedLake:
        return self._lakes[slug]

    def __iter__(self) -> Iterator[str]:
        return iter(self._lakes)

    def __len__(self) -> int:
        return len(self._lakes)


def _last_part(url: str) -> str:
    return url.rstrip("/").rpartition("/")[2] or "lake"
