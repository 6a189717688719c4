"""`publish tables`: bring open tables to a snapshot of the catalogue, each in one transaction.

    <place>/<table>/<hash>.parquet      the files; all that count and, without `keep_hours`, no others
    <place>/<table>/_delta_log/…        the Delta log

Files are written before the transaction that adds them, and deleted after the one that removes them. Run again, only
what is new is written. A publisher that stops leaves files that nothing names; they are deleted when a day old.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from sxeslake.catalog.open_tables.delta import AddedFile, DeltaLog, DeltaState
from sxeslake.catalog.open_tables.files import NAME, TableFile, content, table_files
from sxeslake.catalog.schema.registry import Table
from sxeslake.catalog.schema.tables import TABLES
from sxeslake.catalog.store.cache import Cache
from sxeslake.catalog.store.snapshot import Snapshot
from sxeslake.errors import ConflictError, ObjectExistsError
from sxeslake.storage.interface import ObjectInfo, Store
from sxeslake.storage.object_store import ObjectStorePlace
from sxeslake.text.html import HtmlRecord

PREFIX: Final = "tables/"
"""Where the tables of a lake lie in it."""
_ATTEMPTS: Final = 5
_UPLOADS: Final = 4
_LEFT_BEHIND_S: Final = 86_400.0  # longer than any publisher takes from a file to its transaction


@dataclass(frozen=True, slots=True)
class PublishedTable(HtmlRecord):
    """What publishing did to one table.

    Attributes
    ----------
    table : str
        Its name.
    version : int
        The version of the Delta table.
    commit : int
        The commit of the lake that it shows: the newest, or a later one of another publisher.
    rows : int
        Rows in all.
    files : int
        Files in all.
    added : int
        Files that were added.
    removed : int
        Files that were removed.
    bytes_written : int
        Bytes of files that were written.

    Examples
    --------
    >>> lake.publish_tables().tables[0].table
    'archives'
    """

    table: str
    version: int
    commit: int
    rows: int
    files: int
    added: int
    removed: int
    bytes_written: int


@dataclass(frozen=True, slots=True)
class TablesReport(HtmlRecord):
    """What publishing the tables did.

    Attributes
    ----------
    commit : int
        The commit of the lake.
    url : str
        The folder that has a folder for each table.
    tables : tuple of PublishedTable
        One a table.

    Examples
    --------
    >>> report = lake.publish_tables()
    >>> [table.rows for table in report.tables if table.table == "positions"]
    [12]
    """

    commit: int
    url: str
    tables: tuple[PublishedTable, ...]


@dataclass(frozen=True, slots=True)
class TablesTarget:
    """Where tables go: a store and a prefix of its keys, and the same place for deltalake."""

    store: Store
    prefix: str
    place: ObjectStorePlace
    url: str


def publish_tables(
    snapshot: Snapshot,
    cache: Cache,
    fetch: Callable[[str], bytes],
    target: TablesTarget,
    lake_id: str,
    *,
    keep_hours: int = 0,
) -> TablesReport:
    """Bring every table to the snapshot; `fetch` gets parts that are in checkpoints only."""
    done = []
    for table in TABLES:
        log = DeltaLog(target.place.below(table.name), table.name, table.help, table.arrow, lake_id)
        done.append(_TableRun(table, snapshot, cache, fetch, target, log).run(keep_hours))
    return TablesReport(snapshot.head.number, target.url, tuple(done))


class _TableRun:
    """Publishing one table."""

    def __init__(
        self,
        table: Table,
        snapshot: Snapshot,
        cache: Cache,
        fetch: Callable[[str], bytes],
        target: TablesTarget,
        log: DeltaLog,
    ) -> None:
        self._table, self._snapshot, self._cache, self._fetch, self._log = table, snapshot, cache, fetch, log
        self._store, self._prefix = target.store, f"{target.prefix}{table.name}/"
        self._written = 0

    def run(self, keep_hours: int) -> PublishedTable:
        number = self._snapshot.head.number
        files = {file.name: file for file in self._files()}
        for _ in range(_ATTEMPTS):
            state = self._log.state()
            if state is not None and state.commit > number:  # another publisher, ahead of us
                return PublishedTable(
                    self._table.name, state.version, state.commit, int(state.table.count()), len(state.files), 0, 0,
                    self._written,
                )  # fmt: skip
            sizes = self._upload(list(files.values()))
            there = frozenset[str]() if state is None else state.files
            new, gone = files.keys() - there, there - files.keys()
            if state is None or new or gone or not state.same_columns:
                added = [AddedFile(name, sizes[name], files[name].rows) for name in sorted(new)]
                if state is not None and not state.same_columns:  # the table is made anew
                    added = [AddedFile(name, sizes[name], file.rows) for name, file in sorted(files.items())]
                if not self._log.commit(state, added, gone, number):
                    continue
            return self._cleaned(keep_hours, len(new), len(gone))
        raise ConflictError(
            "other publishers were always faster.", where=self._log_place(), hint="Run the command again."
        )  # fmt: skip

    def _log_place(self) -> str:
        return f"{self._store.url}/{self._prefix}"

    def _files(self) -> list[TableFile]:
        if self._snapshot.hidden or self._snapshot.dead_packs:
            self._cache.need(self._snapshot.of([self._table.name]), self._fetch)
        return table_files(self._table, self._snapshot, self._cache)

    def _listed(self) -> dict[str, ObjectInfo]:
        found = {info.key.removeprefix(self._prefix): info for info in self._store.list(self._prefix)}
        return {name: info for name, info in found.items() if NAME.fullmatch(name)}

    def _upload(self, files: Sequence[TableFile]) -> dict[str, int]:
        """Write what is not there, or there with another size; the size of each file."""
        sizes = {name: info.size for name, info in self._listed().items()}
        missing = [
            file for file in files if file.name not in sizes or file.bytes not in (None, sizes[file.name])
        ]  # fmt: skip
        self._cache.need([file.part for file in missing], self._fetch)
        with ThreadPoolExecutor(_UPLOADS, "sxeslake-publish") as pool:
            for file, size in zip(missing, pool.map(self._put, missing), strict=True):
                sizes[file.name] = size
                self._written += size
        return sizes

    def _put(self, file: TableFile) -> int:
        data = content(self._table, file, self._cache)
        try:
            self._store.create(self._prefix + file.name, data)
        except ObjectExistsError:  # damaged, or another publisher's at this moment: the bytes are the same
            self._store.replace(self._prefix + file.name, data)
        return len(data)

    def _cleaned(self, keep_hours: int, added: int, removed: int) -> PublishedTable:
        """Delete what was removed long enough ago, and what publishers that stopped have left behind."""
        state = self._log.state()
        assert state is not None
        self._log.vacuum(state, keep_hours)
        if keep_hours == 0:
            self._delete_left_behind(state)
        return PublishedTable(
            self._table.name, state.version, max(state.commit, self._snapshot.head.number), int(state.table.count()),
            len(state.files), added, removed, self._written,
        )  # fmt: skip

    def _delete_left_behind(self, state: DeltaState) -> None:
        oldest = time.time() - _LEFT_BEHIND_S
        listed = self._listed()
        left = [name for name, info in listed.items() if name not in state.files and info.modified < oldest]
        self._store.delete([self._prefix + name for name in left])
