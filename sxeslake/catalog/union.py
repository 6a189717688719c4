"""The catalogues of several lakes, asked as one. Each is kept up to date by itself; nothing is written to a lake.

union = UnionCatalog({"epma": first, "site-b": second})
union.query("maps-by-beam-condition", {"kv": "5"})
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from sxeslake.catalog.asking import Asking
from sxeslake.catalog.catalog import Catalog
from sxeslake.catalog.query.library import Bound
from sxeslake.catalog.query.result import Result
from sxeslake.catalog.store.database import Database, Holding
from sxeslake.catalog.store.union import UnionDatabase
from sxeslake.errors import StorageError, SxeslakeError, in_lake
from sxeslake.text.html import counted

if TYPE_CHECKING:
    from sxeslake.catalog.query.sandbox import SandboxLimits


class UnionCatalog(Asking):
    """The catalogues of several lakes by name, in their order; safe for many threads.

    `tell` is called with a lake that does not answer, which is then left out; without it that is an error.
    """

    def __init__(
        self, catalogs: Mapping[str, Catalog], *, time_zones: Mapping[str, str] | None = None,
        tell: Callable[[str, SxeslakeError], None] | None = None,
    ) -> None:  # fmt: skip
        self._catalogs = dict(catalogs)
        self._time_zones, self._tell = time_zones, tell
        self._lock = threading.RLock()
        self._database: UnionDatabase | None = None
        self._of: list[Database] = []

    def close(self) -> None:
        """Close the database of the union; those of the lakes stay open."""
        with self._lock:
            if self._database is not None:
                self._database.close()
                self._database = None

    def database(self) -> Database:
        """The union of the tables, each lake at its newest commit."""
        with self._lock:
            found = {name: held for name in list(self._catalogs) if (held := self._holding(name)) is not None}
            databases = [database for database, _ in found.values()]
            if self._database is None or databases != self._of:
                holdings = [holding for _, holding in found.values()]
                self._database, self._of = UnionDatabase(holdings, time_zones=self._time_zones), databases
            return self._database

    def query(
        self,
        name: str,
        words: Mapping[str, object],
        *,
        folders: Sequence[Path] = (),
        limit: int | None = None,
        limits: SandboxLimits | None = None,
    ) -> Result:
        """The answer over all lakes; a query of a user's own that does not tell lakes apart is named as such."""
        result = super().query(name, words, folders=folders, limit=limit, limits=limits)
        return _told_apart(result, "/*lakes: lake, */ sample")

    def sql(
        self, text: str, parameters: Mapping[str, object] | None = None, *, limits: SandboxLimits | None = None
    ) -> Result:
        """The answer to anybody's SQL over all lakes."""
        return _told_apart(super().sql(text, parameters, limits=limits), "lake, sample")

    def _holding(self, name: str) -> tuple[Database, Holding] | None:
        """What a lake gives now; None where it does not answer and is left out."""
        try:
            return self._catalogs[name].holding(name)
        except SxeslakeError as error:
            if self._tell is None or not isinstance(error, StorageError) or len(self._catalogs) == 1:
                raise in_lake(name, error) from error
            self._tell(name, in_lake(name, error))
            del self._catalogs[name]
            return None

    def _understood(self, bound: Bound) -> Bound:
        """Copies are folded across lakes, and the answer says so."""
        if bound.copies is None and not bound.folds_copies:
            return bound
        note = f"{counted(len(self._catalogs), 'lake')} as one: what several of them hold is counted once"
        return replace(bound, notes=(*bound.notes, note))


def _told_apart(result: Result, instead: str) -> Result:
    """The rows; samples without their lake get a note."""
    if "sample" in result.columns and "lake" not in result.columns:
        result.notes += (f"samples are named without their lake; select {instead}",)
    return result
