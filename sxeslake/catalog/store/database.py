"""DuckDB in memory over the exact part files of one snapshot: quick to open, brings only the tables a query names."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sxeslake.catalog.query.conditions import Over
from sxeslake.catalog.query.copies import any_repeated
from sxeslake.catalog.schema.registry import Table
from sxeslake.catalog.schema.tables import BY_NAME
from sxeslake.catalog.schema.views import further_views, literal, needed_tables, table_view
from sxeslake.catalog.store.cache import Cache, Fetch
from sxeslake.catalog.store.snapshot import Snapshot
from sxeslake.errors import DamagedLakeError, UsageError

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

    from sxeslake.catalog.query.library import Bound

_BATCH_ROWS: Final = 32_768
_SETTINGS: Final = (  # global: a setting of one connection does not reach its cursors
    "SET GLOBAL TimeZone = 'UTC'",
    "SET GLOBAL autoinstall_known_extensions = false",
    "SET GLOBAL autoload_known_extensions = false",
    "SET GLOBAL parquet_metadata_cache = true",  # parts never change: their footers need reading once
    "SET GLOBAL python_enable_replacements = false",  # a name in a query is a table, never a variable of ours
)


_EXPLAIN: Final = re.compile(r"\s*EXPLAIN\b(\s+ANALYZE\b)?(\s*\([^()]*\))?", re.IGNORECASE)


def _plain(sql: str) -> str:
    """The query behind an EXPLAIN, which the parser's JSON does not know."""
    return _EXPLAIN.sub("", sql, count=1)


def _names_in(tree: object) -> Iterator[str]:
    """Names of tables and table functions in a syntax tree; without recursion, for it may be deep."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            if node.get("type") == "BASE_TABLE":
                yield str(node.get("table_name"))
            elif node.get("type") == "TABLE_FUNCTION":
                yield str(node.get("function", {}).get("function_name"))
            waiting.extend(node.values())
        elif isinstance(node, list):
            waiting.extend(node)


@dataclass(frozen=True, slots=True)
class Holding:
    """What one lake gives to a database: its parts, the cache where they are on this machine, and how to fetch them."""

    snapshot: Snapshot
    cache: Cache
    fetch: Fetch
    lake: str = ""  # its name, where several are asked as one

    def files(self, tables: Iterable[str]) -> list[Path]:
        """The files of some tables."""
        return [self.cache.path(part) for part in self.snapshot.of(tables)]

    def hidden(self, table: Table) -> Iterable[int | str]:
        """The forgotten versions or dead packs, whose rows are left out."""
        return self.snapshot.hidden if table.retire == "archive_id" else self.snapshot.dead_packs

    def is_here(self, table: str) -> bool:
        """Whether all of a table is on this machine."""
        return all(self.cache.has(part) for part in self.snapshot.of([table]))

    def bring(self, tables: Iterable[str]) -> int:
        """Bring some tables to this machine; how many bytes were fetched."""
        return self.cache.need(self.snapshot.of(tables), self.fetch)


class Database:
    """The catalogue at one snapshot. Safe for many threads; each query has a cursor of its own.

    `time_zones` maps instrument → IANA name (`"*"` for all others) and gives `acquired_at`.
    """

    def __init__(
        self, snapshot: Snapshot, cache: Cache, fetch: Fetch, *, time_zones: Mapping[str, str] | None = None
    ) -> None:
        import duckdb  # noqa: PLC0415 - heavy; commands without a query never pay for it

        self.snapshot = snapshot
        self.bytes_fetched = 0
        self._holdings: tuple[Holding, ...] = (Holding(snapshot, cache, fetch),)
        self._lock = threading.Lock()
        self._made: set[str] = set()
        self._has_copies: dict[Over, bool] = {}
        self._connection = duckdb.connect(":memory:")
        for setting in _SETTINGS:
            self._connection.execute(setting)
        self._time_zones = self._checked(time_zones or {})

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def reader(self, sql: str, parameters: Mapping[str, object] | None = None) -> pa.RecordBatchReader:
        """The answer to our own SQL, batch by batch; `$name` parameters are bound. Free SQL goes to the sandbox."""
        return self._relation(sql, parameters).to_arrow_reader(_BATCH_ROWS)

    def table(self, sql: str, parameters: Mapping[str, object] | None = None) -> pa.Table:
        """The whole answer as an Arrow table."""
        return self._relation(sql, parameters).to_arrow_table()

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """The answer to our own SQL as plain tuples; Arrow need not be loaded for it."""
        return self._relation(sql, None).fetchall()

    def scope(self, names: Iterable[str]) -> tuple[list[str], list[Path]]:
        """For the sandbox: the statements that make the views behind some names, and the exact files these read."""
        tables = needed_tables(names)
        with self._lock:
            self._bring(tables)
            here = [name for name in BY_NAME if name in tables or self._is_here(name)]
        statements = [self._view(name) for name in here] + self._further_views(here)
        return statements, [path for holding in self._holdings for path in holding.files(here)]

    def worded(self, sql: str) -> str:
        """The SQL as this database takes it."""
        return sql

    def has_here(self, table: str) -> bool:
        """Whether all of a table is on this machine, so that reading it fetches nothing."""
        with self._lock:
            return self._is_here(table)

    def without_idle_folding(self, bound: Bound) -> Bound:
        """The query without its search for copies, where the table that it is over has none."""
        if bound.over is None or bound.copies is None or self.has_copies(bound.over):
            return bound
        return bound.counting_all()

    def has_copies(self, over: Over) -> bool:
        """Whether a UUID occurs more than once in the table; looked up once, so that most questions look no further."""
        if over not in self._has_copies:
            self._has_copies[over] = bool(self.rows(any_repeated(over)))
        return self._has_copies[over]

    def tables_of(self, sql: str) -> set[str]:
        """The tables that a query of our own reads, also behind views and macros; none where it cannot be parsed.

        Parsed, not bound: the views need not be there yet. Anybody else's SQL is parsed in the sandbox alone.
        """
        ((text,),) = (
            self._connection.cursor().execute("SELECT json_serialize_sql($sql)", {"sql": _plain(sql)}).fetchall()
        )
        return needed_tables(_names_in(json.loads(text)))

    def prepare(self, tables: Iterable[str]) -> None:
        """Bring the parts of some tables and make their views; what is there already costs nothing."""
        with self._lock:
            new = set(tables) - self._made
            if not new:
                return
            self._bring(new)
            for name in new:
                self._make(name)
            self._made |= new
            for statement in self._further_views(self._made):
                self._connection.execute(statement)

    def _relation(self, sql: str, parameters: Mapping[str, object] | None) -> duckdb.DuckDBPyRelation:
        sql = self.worded(sql)
        self.prepare(self.tables_of(sql))
        return self._connection.cursor().sql(sql, params=dict(parameters) if parameters else None)

    def _make(self, name: str) -> None:
        """Make a table's view; a file that is no Parquet is damage of the cache, with a way out."""
        import duckdb  # noqa: PLC0415 - as above

        try:
            self._connection.execute(self._view(name))
        except duckdb.Error as error:
            raise DamagedLakeError(
                f"the local catalogue cannot be read: {error}",
                where=self._holdings[0].cache.folder,
                hint="Run `sxeslake catalog rebuild`.",
            ) from error

    def _bring(self, tables: Iterable[str]) -> None:
        tables = list(tables)
        self.bytes_fetched += sum(holding.bring(tables) for holding in self._holdings)

    def _is_here(self, table: str) -> bool:
        return all(holding.is_here(table) for holding in self._holdings)

    def _view(self, name: str) -> str:
        table, (holding,) = BY_NAME[name], self._holdings
        return table_view(table, holding.files([name]), holding.hidden(table), self._time_zones)

    def _further_views(self, tables: Collection[str]) -> list[str]:
        return [self.worded(statement) for statement in further_views(tables)]

    def _checked(self, time_zones: Mapping[str, str]) -> Mapping[str, str]:
        """Refuse a time zone that DuckDB does not know."""
        for instrument, zone in time_zones.items():
            known: Any = self._connection.execute(
                f"SELECT count(*) FROM pg_timezone_names() WHERE name = {literal(zone)}"
            ).fetchone()
            if not known or not known[0]:
                raise UsageError(
                    f'there is no time zone "{zone}".',
                    where=f"time zone of {instrument}",
                    hint="Names look like Europe/Berlin or Asia/Tokyo.",
                )
        return dict(time_zones)
