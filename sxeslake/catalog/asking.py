"""Questions to a database: what the catalogue of one lake and that of several have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sxeslake.catalog.query import library
from sxeslake.catalog.query.library import Bound
from sxeslake.catalog.query.result import Result
from sxeslake.catalog.query.run import ask, ask_freely, counted_once

if TYPE_CHECKING:
    from sxeslake.catalog.query.sandbox import SandboxLimits, Scope
    from sxeslake.catalog.store.database import Database


class Asking(ABC):
    """Answers queries of the library and free SQL from the newest database."""

    @abstractmethod
    def database(self) -> Database:
        """The tables at the newest commit."""

    def query(
        self,
        name: str,
        words: Mapping[str, object],
        *,
        folders: Sequence[Path] = (),
        limit: int | None = None,
        limits: SandboxLimits | None = None,
    ) -> Result:
        """The answer to a query of the library, or of `folders`, batch by batch; the latter in the sandbox."""
        bound = self._understood(library.load(folders).bind(name, words))
        database = self.database()
        bound = database.without_idle_folding(bound)
        if bound.trusted:
            return ask(database.reader, bound, limit=limit)
        from sxeslake.catalog.query.sandbox import SandboxLimits  # noqa: PLC0415 - the library's queries need none

        limits = replace(limits or SandboxLimits(), rows=limit)
        bound = counted_once(self._read, bound)
        sql = database.worded(bound.sql)
        return ask_freely(sql, self._scope, parameters=bound.parameters, limits=limits, bound=bound, read=self._read)

    def sql(
        self, text: str, parameters: Mapping[str, object] | None = None, *, limits: SandboxLimits | None = None
    ) -> Result:
        """The answer to anybody's SQL, from a child process that reads the catalogue and nothing else."""
        return ask_freely(text, self._scope, parameters=parameters, limits=limits, read=self._read)

    def _understood(self, bound: Bound) -> Bound:
        """The query, with what is to be said of it."""
        return bound

    def _read(self, sql: str, values: Mapping[str, object]) -> Any:
        return self.database().reader(sql, values)

    def _scope(self, names: Iterable[str]) -> Scope:
        """What the sandbox needs for a query with these names of tables and functions."""
        from sxeslake.catalog.query.sandbox import Scope  # noqa: PLC0415 - the library's queries need no child process

        return Scope(*self.database().scope(names))
