"""Views, derived columns, and what a query is taken to need."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
from support.catalog_source import MemorySource, group, state

from sxeslake.catalog.schema.tables import TABLES
from sxeslake.catalog.store.cache import Cache
from sxeslake.catalog.store.database import Database
from sxeslake.catalog.store.sync import sync
from sxeslake.errors import DamagedLakeError, UsageError
from sxeslake.storage.memory import MemoryStore

Open = Callable[..., Database]


@pytest.fixture
def open_(tmp_path: Path) -> Iterator[Open]:
    """Opens the catalogue of a source."""
    opened: list[Database] = []

    def open_source(source: MemorySource, **words: Any) -> Database:
        store, cache = MemoryStore("database"), Cache.at(tmp_path)
        opened.append(Database(sync(source, cache, store), cache, store.get, **words))
        return opened[-1]

    yield open_source
    for database in opened:
        database.close()


def sessions(*times: str, instrument: str = "JXA") -> MemorySource:
    """One archive of an analysis at each time."""
    source = MemorySource()
    for number, time in enumerate(times):
        late = state()
        late["saveDate"] = time
        files = group({"p": late}, acquisitionDate=time, instrument=instrument)
        source.commit({f"s{number}": files})
    return source


def test_every_column_of_the_schema_is_in_its_view_with_its_type(open_: Open) -> None:
    source = MemorySource()
    source.commit({"alpha": group({"a": state()})})
    source.add_pack("0" * 32)
    source.annotate("alpha", "material", "steel")
    database = open_(source)
    for table in TABLES:
        rows = database.table(f"DESCRIBE SELECT * FROM {table.name}").to_pylist()
        assert [(r["column_name"], r["column_type"]) for r in rows] == [(c.name, c.type) for c in table.columns]


def test_sessions_end_with_a_pause_that_can_be_chosen(open_: Open) -> None:
    source = sessions("2018/04/12 14:00:00", "2018/04/12 19:00:00", "2018/04/13 17:00:00", "2018/04/13 18:00:00")
    database = open_(source)
    found = database.table("SELECT DISTINCT session FROM analyses ORDER BY 1")["session"].to_pylist()
    assert found == ["JXA 2018-04-12 14:00", "JXA 2018-04-13 17:00"]
    for hours, count in ((4, 3), (5, 2), (30, 1)):
        sql = f"SELECT count(DISTINCT session) AS n FROM sessions_by({hours})"
        assert database.table(sql).to_pylist() == [{"n": count}]


def test_a_long_analysis_does_not_end_its_own_session(open_: Open) -> None:
    source = MemorySource()
    long = {f"p{n}": {**state(n), "saveDate": f"2018/04/12 {n:02d}:30:00"} for n in range(23)}
    source.commit({"long": group(long, acquisitionDate="2018/04/12 00:00:00")})
    source.commit({"next": group({"p": state()}, acquisitionDate="2018/04/13 03:00:00")})
    rows = open_(source).table("SELECT DISTINCT session FROM analyses").to_pylist()
    assert rows == [{"session": "JXA-8530F 2018-04-12 00:00"}]


@pytest.mark.parametrize(
    ("local", "utc"),
    [
        ("2018/01/15 12:00:00", datetime(2018, 1, 15, 11, tzinfo=UTC)),
        ("2018/07/15 12:00:00", datetime(2018, 7, 15, 10, tzinfo=UTC)),
        ("2018/10/28 02:30:00", None),  # came twice
        ("2018/03/25 02:30:00", None),  # never came
    ],
)
def test_utc_only_where_the_zone_is_known_and_the_hour_is_clear(open_: Open, local: str, utc: datetime | None) -> None:
    source = sessions(local)
    sql = "SELECT acquired_at FROM analyses UNION ALL SELECT acquired_at FROM positions"
    assert open_(source).table(sql)["acquired_at"].to_pylist() == [None, None]
    for zones in ({"JXA": "Europe/Berlin"}, {"*": "Europe/Berlin"}):
        found = open_(source, time_zones=zones).table(sql)["acquired_at"].to_pylist()
        assert found == [utc, utc]
    assert open_(source, time_zones={"other": "Europe/Berlin"}).table(sql)["acquired_at"].to_pylist() == [None, None]


def test_an_unknown_time_zone_is_refused(open_: Open) -> None:
    with pytest.raises(UsageError, match="no time zone"):
        open_(MemorySource(), time_zones={"JXA": "Europe/Bärlin'"})


def test_position_documents_hold_the_original_texts(open_: Open) -> None:
    files = group({"a": state(), "b": b"{"})
    source = MemorySource()
    source.commit({"alpha": files})
    rows = open_(source).table("SELECT position_uuid, info_json, state_json FROM position_documents ORDER BY 1")
    assert rows.to_pylist() == [
        {
            "position_uuid": name,
            "info_json": files[f"data/{name}/info.json"].decode(),
            "state_json": files[f"data/{name}/state.json"].decode(),
        }
        for name in "ab"
    ]


@pytest.mark.parametrize(
    ("sql", "tables"),
    [
        ("SELECT 1", set()),
        (
            "WITH p AS (SELECT * FROM positions) SELECT * FROM p JOIN archives USING (archive_id)",
            {"positions", "archives"},
        ),
        ('SELECT * FROM main."Analyses" WHERE sample IN (SELECT sample FROM annotations)', {"analyses", "annotations"}),
        ("SELECT * FROM position_documents", {"positions", "documents"}),
        ("SELECT * FROM sessions_by(3)", {"analyses"}),
        ("EXPLAIN SELECT * FROM positions", {"positions"}),
        ("SELEC", set()),
    ],
)
def test_a_query_brings_the_tables_it_names(open_: Open, sql: str, tables: set[str]) -> None:
    assert open_(MemorySource()).tables_of(sql) == tables


def test_the_scope_of_free_sql_is_exact_files_and_works_elsewhere(open_: Open) -> None:
    source = MemorySource()
    source.commit({"alpha": group({"a": state()})})
    statements, files = open_(source).scope(["positions", "range"])
    elsewhere = duckdb.connect()
    for statement in statements:
        elsewhere.execute(statement)
    assert elsewhere.execute("SELECT count(*) FROM positions").fetchone() == (1,)
    assert all(path.is_file() and path.suffix == ".parquet" for path in files)
    elsewhere.close()


def test_parameters_are_bound_and_python_variables_are_no_tables(open_: Open) -> None:
    source = MemorySource()
    source.commit({"it's": group({"a": state()})})
    database = open_(source)
    rows = database.reader("SELECT sample FROM archives WHERE sample = $name", {"name": "it's"}).read_all()
    assert rows.to_pylist() == [{"sample": "it's"}]
    with pytest.raises(duckdb.CatalogException):
        database.table("SELECT * FROM rows")


def test_a_part_damaged_on_disk_is_said_with_a_way_out(open_: Open, tmp_path: Path) -> None:
    source = MemorySource()
    source.commit({"alpha": group({"a": state()})})
    database = open_(source)
    (path,) = (tmp_path / "positions").glob("*.parquet")
    path.write_bytes(b"x" * path.stat().st_size)
    with pytest.raises(DamagedLakeError, match="local catalogue") as caught:
        database.table("SELECT * FROM positions")
    assert caught.value.hint is not None
