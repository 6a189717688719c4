"""Free SQL reads the catalogue and nothing else, in bounded time and memory, and says what was wrong."""

from __future__ import annotations

import datetime as dt
import decimal
import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sxeslake.catalog.query import sandbox, sandbox_child
from sxeslake.catalog.query.sandbox import SandboxLimits, Scope, run_select
from sxeslake.errors import DamagedLakeError, SxeslakeError, UsageError
from sxeslake.model import MIB

QUICK = SandboxLimits(seconds=20, memory_bytes=512 * MIB, result_bytes=16 * MIB, threads=2)


@pytest.fixture(scope="module")
def part(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A part of positions, 20,000 rows."""
    path = tmp_path_factory.mktemp("parts") / "positions.parquet"
    rows = range(20_000)
    table = pa.table(
        {
            "position_number": list(rows),
            "accelerating_voltage_kv": [5.0 if n % 2 else 15.0 for n in rows],
            "sample": [f"s{n}" for n in rows],
        }
    )
    pq.write_table(table, path)
    return path


@pytest.fixture
def scope(part: Path) -> Iterator[Scope]:
    """The view `positions` and a macro over it; afterwards the part is as it was, and nothing stands beside it."""
    before = hashlib.sha256(part.read_bytes()).digest()
    setup = [
        f"CREATE VIEW positions AS SELECT * FROM read_parquet(['{part}'])",
        "CREATE MACRO first_ones(n) AS TABLE SELECT * FROM positions WHERE position_number < n",
    ]
    yield Scope(setup, [part])
    assert hashlib.sha256(part.read_bytes()).digest() == before
    assert list(part.parent.iterdir()) == [part]


def rows_of(sql: str, scope: Scope, limits: SandboxLimits = QUICK, **parameters: object) -> list[dict[str, Any]]:
    """All rows of a query."""
    answer = run_select(sql, scope, parameters=parameters, limits=limits)
    rows: list[dict[str, Any]] = pa.Table.from_batches(answer.batches, answer.schema).to_pylist()
    return rows


def checked(connection: Any, sql: str) -> str:
    """The one statement of `sql`, parsed and checked as the child does it."""
    query = sandbox_child.parsed(connection, sql)
    sandbox_child.check_query(connection, query)
    return query.sql


@pytest.mark.parametrize(
    ("sql", "row"),
    [
        ("SELECT count(*) AS n FROM positions WHERE accelerating_voltage_kv = 5", {"n": 10_000}),
        ("-- with a comment\nFROM positions SELECT max(position_number) AS n;", {"n": 19_999}),
        ("WITH RECURSIVE t AS (SELECT 1 i UNION ALL SELECT i + 1 FROM t WHERE i < 5) SELECT max(i) n FROM t", {"n": 5}),
        ("SELECT count(*) AS n FROM first_ones(7)", {"n": 7}),
        ("VALUES (1)", {"col0": 1}),
        ("SELECT row_number() OVER (ORDER BY sample) AS n FROM positions QUALIFY n = 2", {"n": 2}),
        ("SELECT list_transform([1], lambda x: x + 1) AS n", {"n": [2]}),
        ("SELECT * FROM (PIVOT first_ones(1) ON accelerating_voltage_kv IN (5, 15) USING count(*))", None),
        ("SELECT 'COPY t TO ''x''; PRAGMA version; getenv' AS n", {"n": "COPY t TO 'x'; PRAGMA version; getenv"}),
        ("SELECT current_timestamp::TIMESTAMPTZ::VARCHAR LIKE '%+00' AS utc", {"utc": True}),
        ("DESCRIBE positions", None),
        ("SHOW TABLES", {"name": "positions"}),
        ("SELECT table_name AS n FROM information_schema.tables", {"n": "positions"}),
        ("WITH views AS (SELECT 1 AS n) FROM views", {"n": 1}),
        ("SUMMARIZE positions", None),
    ],
)  # fmt: skip
def test_selects_are_answered(scope: Scope, sql: str, row: dict[str, Any] | None) -> None:
    rows = rows_of(sql, scope)
    assert rows
    assert row is None or rows == [row]


@pytest.mark.parametrize("sql", ["EXPLAIN SELECT * FROM positions", "explain analyze FROM positions"])
def test_selects_are_explained(scope: Scope, sql: str) -> None:
    assert "PARQUET" in rows_of(sql, scope)[0]["explain_value"].upper()


def test_parameters_are_bound(scope: Scope) -> None:
    sql = "SELECT $text AS text, count(*) AS n FROM positions WHERE position_number < $n"
    assert rows_of(sql, scope, text="'; DROP VIEW positions; --", n=3) == [
        {"text": "'; DROP VIEW positions; --", "n": 3}
    ]


def test_a_result_streams_and_is_cut_at_the_limit_of_rows(scope: Scope) -> None:
    limits = SandboxLimits(rows=50_000, seconds=20, memory_bytes=512 * MIB)
    answer = run_select("SELECT * FROM range(2000000000)", scope, limits=limits)
    assert sum(batch.num_rows for batch in answer.batches) == 50_000
    assert answer.truncated
    exact = run_select("SELECT * FROM range(50000)", scope, limits=limits)
    assert sum(batch.num_rows for batch in exact.batches) == 50_000
    assert not exact.truncated


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("SELECT * FROM read_csv('/etc/passwd')", r"table function read_csv\(\) is not allowed"),
        ("SELECT * FROM read_text('/etc/passwd')", r"read_text\(\)"),
        ("SELECT * FROM read_parquet('PART')", r"read_parquet\(\)"),
        ("SELECT * FROM parquet_metadata('PART')", r"parquet_metadata\(\)"),
        ("SELECT * FROM glob('/*')", r"glob\(\)"),
        ("SELECT * FROM system.main.glob('/*')", r"glob\(\)"),
        ("SELECT 1 FROM positions WHERE EXISTS (FROM \"READ_text\"('/etc/passwd'))", r"read_text\(\)"),
        ("FROM positions p, LATERAL (SELECT * FROM read_blob(p.sample))", r"read_blob\(\)"),
        ("SELECT * FROM arrow_scan(1, 2, 3)", r"arrow_scan\(\)"),
        ("SELECT 'HOME'.getenv()", r"getenv\(\)"),
        ("FROM positions UNION ALL FROM glob('/*')", r"glob\(\)"),
        ("SELECT (SELECT max(filename) FROM read_blob('/etc/*'))", r"read_blob\(\)"),
        ("FROM '/etc/passwd'", "does not exist|Permission"),
        ("FROM '/etc/passwd.csv'", "Permission|not allowed|disabled"),
        ("FROM 'https://example.com/x.parquet'", "Permission|disabled|does not exist"),
        ("SELECT getenv('HOME')", r"getenv\(\) is not allowed"),
        ("SELECT current_setting('allowed_paths')", r"current_setting\(\)"),
        ("SELECT * FROM duckdb_settings()", r"duckdb_settings\(\)"),
        ("SELECT * FROM duckdb_secrets()", r"duckdb_secrets\(\)"),
        ("FROM pg_settings", "the view pg_settings is not allowed"),
        ('SELECT 1 FROM positions WHERE EXISTS (FROM system.PG_CATALOG."pg_Settings")', "pg_catalog.pg_settings"),
        ("WITH t AS (TABLE pg_settings) FROM t", "pg_settings is not allowed"),
        ("SUMMARIZE pg_settings", "pg_settings is not allowed"),
        ("DESCRIBE pg_views", "pg_views is not allowed"),
        ("FROM duckdb_views", "duckdb_views is not allowed"),
        ("SELECT sql FROM sqlite_master", "sqlite_master is not allowed"),
        ("FROM information_schema.views", "information_schema.views is not allowed"),
        ("SHOW DATABASES", "SHOW lists tables"),
        ("SHOW VARIABLES", "SHOW lists tables"),
        ("SELECT pg_get_viewdef(1)", r"pg_get_viewdef\(\)"),
        ("SELECT pg_sleep(1)", r"pg_sleep\(\)"),
        ("SELECT * FROM enable_logging(storage = 'stdout')", r"enable_logging\(\)"),
        ("SELECT write_log('x')", r"write_log\(\)"),
        ("SELECT * FROM query('SELECT 1')", r"query\(\)"),
        ("SELECT * FROM query_table('positions')", r"query_table\(\)"),
        ("SELECT * FROM json_execute_serialized_sql('{}')", r"json_execute_serialized_sql\(\)"),
        ("COPY (SELECT 42) TO 'PART' (use_tmp_file false)", "COPY is not allowed"),
        ("COPY (SELECT 42) TO 'BESIDE'", "COPY is not allowed"),
        ("COPY positions FROM 'PART'", "COPY is not allowed"),
        ("WITH t AS (COPY (SELECT 42) TO 'PART' (use_tmp_file false)) SELECT * FROM t", "COPY inside a SELECT"),
        ("WITH t AS (COPY (SELECT 42) TO 'BESIDE') SELECT 1", "COPY inside a SELECT"),
        ("SELECT (WITH t AS (COPY (SELECT 42) TO 'PART') SELECT max(1) FROM t)", "COPY inside|Parser Error"),
        ("EXPLAIN ANALYZE COPY (SELECT 42) TO 'PART' (use_tmp_file false)", "COPY is not allowed"),
        ("EXPLAIN ANALYZE WITH t AS (COPY (SELECT 42) TO 'PART') SELECT 1", "COPY inside a SELECT"),
        ("EXPLAIN (ANALYZE) COPY (SELECT 42) TO 'PART' (use_tmp_file false)", "COPY is not allowed"),
        ("/* c */ EXPLAIN ANALYZE COPY (SELECT 42) TO 'PART'", "EXPLAIN must be the first word"),
        ("WITH t AS (INSERT INTO positions VALUES (1)) SELECT 1", "INSERT inside a SELECT|Parser Error"),
        ("WITH t AS (DELETE FROM positions RETURNING *) SELECT * FROM t", "DELETE inside a SELECT"),
        ("ATTACH 'BESIDE'", "ATTACH is not allowed"),
        ("INSTALL httpfs", "LOAD is not allowed"),
        ("LOAD httpfs", "LOAD is not allowed"),
        ("PRAGMA version", "PRAGMA is not allowed"),
        ("CALL pragma_version()", "CALL is not allowed"),
        ("SET memory_limit = '100GB'", "SET is not allowed"),
        ("RESET memory_limit", "SET is not allowed|RESET is not allowed"),
        ("CREATE TABLE t AS SELECT 1", "CREATE is not allowed"),
        ("CREATE SECRET s (TYPE s3)", "CREATE is not allowed"),
        ("EXPORT DATABASE 'BESIDE'", "EXPORT is not allowed"),
        ("CHECKPOINT", "CALL is not allowed|CHECKPOINT"),
        ("PREPARE a AS SELECT 1", "PREPARE is not allowed"),
        ("BEGIN", "TRANSACTION is not allowed"),
        ("SELECT 1; SELECT 2", "2 statements"),
        ("SELECT 1; COPY (SELECT 42) TO 'PART'", "2 statements"),
        ("", "no statement"),
        ("-- nothing", "no statement"),
        ("SELECT", "Parser Error"),
        ("SELECT " + "(" * 3000 + "1" + ")" * 3000, "expression depth"),
    ],
)
def test_everything_else_is_refused(scope: Scope, part: Path, inside: Any, sql: str, message: str) -> None:
    sql = sql.replace("PART", str(part)).replace("BESIDE", str(part.with_name("beside.bin")))
    with pytest.raises((sandbox_child.RefusedError, duckdb.Error), match=message):
        inside.sql(checked(inside, sql)).fetchall()


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("SELECT * FROM read_csv('/etc/passwd')", r"was not run: the table function read_csv\(\) is not allowed"),
        ("FROM '/etc/passwd.csv'", "Permission|not allowed|disabled"),
        ("COPY (SELECT 42) TO 'PART' (use_tmp_file false)", "was not run: COPY is not allowed"),
        ("WITH t AS (COPY (SELECT 42) TO 'PART' (use_tmp_file false)) SELECT * FROM t", "COPY inside a SELECT"),
        ("SELECT 1; SELECT 2", "2 statements"),
        ("SELECT '" + "x" * 300_000 + "'", "longer than 256 KiB"),
    ],
)
def test_refusals_reach_the_caller(scope: Scope, part: Path, sql: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        rows_of(sql.replace("PART", str(part)), scope)


@pytest.fixture(scope="module")
def inside(part: Path) -> Iterator[Any]:
    """A connection like the child's, in this process."""
    connection = duckdb.connect(":memory:", config={"threads": 2})
    setup = [f"CREATE VIEW positions AS SELECT * FROM read_parquet(['{part}'])"]
    sandbox_child._prepare(connection, {"setup": setup, "memory_bytes": 512 * MIB, "allowed_paths": [str(part)]})
    yield connection
    connection.close()


def test_settings_hold_where_the_check_of_the_statement_would_not(part: Path, inside: Any) -> None:
    for sql in (
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM glob('/etc/*')",
        f"COPY (SELECT 42) TO '{part.with_name('beside.csv')}'",
        f"ATTACH '{part.with_name('beside.db')}'",
        "INSTALL httpfs",
        "SET enable_external_access = true",
        "SET allowed_paths = ['/etc/passwd']",
        "SET memory_limit = '100GB'",
        "SET temp_directory = '/tmp'",
    ):
        with pytest.raises(duckdb.Error):
            inside.execute(sql).fetchall()
    assert list(part.parent.iterdir()) == [part]


HARMLESS_FUNCTIONS = (
    "+ - age century current_catalog current_database current_date current_localtime current_localtimestamp "
    "current_query current_schema current_schemas date_diff date_part date_sub date_trunc datediff datepart datesub "
    "datetrunc day dayname dayofmonth dayofweek dayofyear decade era error gen_random_uuid generate_series "
    "get_current_time get_current_timestamp hour in_search_path isodow isoyear julian last_day make_timestamptz "
    "microsecond millennium millisecond minute month monthname now quarter random range second strftime time_bucket "
    "timezone timezone_hour timezone_minute today transaction_timestamp uuid uuidv4 uuidv7 vector_type week weekday "
    "weekofyear year yearweek format_type"
)
"""Functions of DuckDB whose answer depends on more than their arguments: on the clock, on chance, on the query."""


def test_every_function_that_may_tell_of_the_machine_is_known(inside: Any) -> None:
    rows = inside.execute(
        "SELECT DISTINCT function_name FROM duckdb_functions() WHERE function_type = 'scalar' AND stability <> "
        "'CONSISTENT' OR function_type = 'macro' AND regexp_matches(macro_definition, 'duckdb_|pragma_|sleep|setting')"
    ).fetchall()
    assert {name for (name,) in rows} - {*HARMLESS_FUNCTIONS.split()} <= sandbox_child.REFUSED_FUNCTIONS


def test_no_view_of_duckdb_shows_the_files_behind_a_table(inside: Any, part: Path) -> None:
    views = inside.execute("SELECT schema_name || '.' || view_name FROM duckdb_views() WHERE internal").fetchall()
    assert len(views) > 30
    for (name,) in views:
        try:
            sql = checked(inside, f"SELECT * FROM {name}")
        except sandbox_child.RefusedError:
            continue
        assert str(part) not in str(inside.sql(sql).fetchall()), name


def test_the_child_cannot_see_the_environment(scope: Scope, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "very-secret")
    monkeypatch.setenv("PYTHONPATH", f"{os.environ.get('PYTHONPATH', '')}{os.pathsep}/very-secret")
    started: list[dict[str, str]] = []
    popen = subprocess.Popen

    def noted(*arguments: Any, **words: Any) -> Any:
        started.append(words["env"])
        return popen(*arguments, **words)

    monkeypatch.setattr(subprocess, "Popen", noted)
    assert rows_of("SELECT 1 AS n", scope) == [{"n": 1}]
    assert [set(each) - {"LD_LIBRARY_PATH", "SYSTEMROOT", "PATH"} for each in started] == [{"MALLOC_ARENA_MAX"}]
    assert "very-secret" not in str(started)


@pytest.mark.skipif(sys.platform != "linux", reason="reads the environment where Linux shows it")
def test_the_child_at_work_has_nothing_of_the_environment(scope: Scope, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "very-secret")
    answer = run_select("SELECT * FROM range(100000000)", scope, limits=QUICK)
    environment = Path(f"/proc/{answer._child._process.pid}/environ").read_bytes()
    answer.close()
    assert b"MALLOC_ARENA_MAX" in environment
    assert b"very-secret" not in environment
    assert b"HOME=" not in environment


def many(unit: str, between: str) -> str:
    """As much SQL of a kind as is taken."""
    return between.join([unit] * ((sandbox.SQL_BYTES - 100) // (len(unit) + len(between))))


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM " + "(" * 60_000 + "positions" + ")" * 60_000,
        "SELECT * FROM " + many("positions", ","),
        "SELECT 1 FROM " + many("a", ","),
        "SELECT 1 FROM positions " + many("NATURAL JOIN positions", " "),
        "SELECT " + "(" * 120_000 + "1" + ")" * 120_000,
        "SELECT 1 WHERE 0 IN (" + many("1", ",") + ")",
        "WITH a AS (" * 9_000 + "SELECT 1" + ") FROM a" * 9_000,
        "FROM (" * 20_000 + "SELECT 1" + ")" * 20_000,
        "SELECT 1 WHERE " + many("sample = 'a'", " OR "),
        many("SELECT 1", " UNION ALL "),
        "SELECT sample" + ".a" * 120_000,
        "SELECT NULL::INT" + "[]" * 100_000,
        ";".join(["SELECT 1"] * 20_000),
        "SELECT '\udc80'",
    ],
    ids=lambda sql: str(sql)[:30],
)
def test_the_limits_hold_for_the_parser_too(scope: Scope, sql: str) -> None:
    started = time.monotonic()
    with pytest.raises(UsageError) as told:
        rows_of(sql, scope, SandboxLimits(seconds=1, memory_bytes=512 * MIB, threads=2))
    assert time.monotonic() - started < 2.5
    assert "Recursion" not in str(told.value)


def test_tables_are_brought_when_their_names_are_known_and_that_takes_no_time_of_the_query(scope: Scope) -> None:
    asked: list[Collection[str]] = []

    def find(names: Collection[str]) -> Scope:
        asked.append(names)
        time.sleep(1.2)
        return scope

    answer = run_select(
        "WITH w AS (FROM Positions) SELECT count(*) n FROM w, first_ones(1)", find, limits=replace(QUICK, seconds=1)
    )
    assert [batch.to_pylist() for batch in answer.batches] == [[{"n": 20_000}]]
    assert asked == [["Positions", "first_ones", "w"]]


def test_a_failure_to_bring_tables_leaves_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[Any] = []
    popen = subprocess.Popen

    def noted(*arguments: Any, **words: Any) -> Any:
        started.append(popen(*arguments, **words))
        return started[0]

    monkeypatch.setattr(subprocess, "Popen", noted)

    def find(names: Collection[str]) -> Scope:
        raise UsageError(f"nothing is here of {len(names)}")

    with pytest.raises(UsageError, match="nothing is here of 1"):
        run_select("FROM positions", find, limits=QUICK)
    assert started[0].returncode is not None


def test_parameters_keep_their_types(scope: Scope) -> None:
    values: dict[str, Any] = {
        "at": dt.datetime(2018, 4, 12, 14, 7, 0, 5), "day": dt.date(2018, 4, 12), "exact": decimal.Decimal("1.50"),
        "much": float("inf"), "data": b"\x00\xff", "some": ["a", None, 1.5], "none": None, "yes": True, "n": 2**40,
    }  # fmt: skip
    sql = f"SELECT {', '.join(f'${name} AS {name}' for name in values if name != 'some')}, $some::VARCHAR AS some"
    assert rows_of(sql, scope, **values) == [values | {"some": "[a, NULL, 1.5]"}]
    sql = "SELECT count(*) AS n FROM (VALUES (TIMESTAMP '2018-04-12 15:00')) t(x) WHERE x > $at"
    assert rows_of(sql, scope, at=values["at"]) == [{"n": 1}]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT repeat('x', 3000000000)",
        "SELECT length(repeat('x', 3000000000))",
        "SELECT list_aggregate(range(2000000000), 'sum')",
        "SELECT list(i) FROM range(3000000000) t(i)",
        "SELECT string_agg(repeat(sample, 100000), '') FROM positions",
    ],
)
def test_a_memory_bomb_ends_soon(scope: Scope, sql: str) -> None:
    started = time.monotonic()
    with pytest.raises(UsageError, match=r"more than 0.5 GiB of memory"):
        rows_of(sql, scope)
    assert time.monotonic() - started < 15


@pytest.mark.skipif(sys.platform != "linux", reason="measures by Linux's account of ended children, in KiB")
def test_a_memory_bomb_takes_no_more_than_the_limit() -> None:
    code = (
        "import resource\n"
        "from sxeslake.catalog.query.sandbox import SandboxLimits, Scope, run_select\n"
        "for sql in (\"SELECT repeat('x', 3000000000)\", 'SELECT list(i) FROM range(3000000000) t(i)'):\n"
        "    try:\n"
        "        limits = SandboxLimits(memory_bytes=512 * 1024**2, threads=2)\n"
        "        list(run_select(sql, Scope([]), limits=limits).batches)\n"
        "    except Exception as error:\n"
        "        print(type(error).__name__)\n"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60)
    first, second, peak_kib = done.stdout.split()
    assert (first, second) == ("UsageError", "UsageError")
    assert int(peak_kib) * 1024 < 512 * MIB + 200 * MIB  # the interpreter and its libraries come on top


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT sum(a.i * b.i) FROM range(10000000) a(i), range(10000000) b(i)",
        "WITH RECURSIVE t AS (SELECT 1 i UNION ALL SELECT i + 1 FROM t) SELECT count(*) FROM t",
        "SELECT count(*) FROM positions a, positions b, positions c WHERE a.sample || b.sample = c.sample",
    ],
)
def test_a_query_without_end_is_stopped_at_the_deadline(scope: Scope, sql: str) -> None:
    started = time.monotonic()
    with pytest.raises(UsageError, match=r"longer than 1 s|GiB of memory"):
        rows_of(sql, scope, SandboxLimits(seconds=1, memory_bytes=512 * MIB, threads=2))
    assert time.monotonic() - started < 5


def test_a_large_result_is_refused_at_its_cap(scope: Scope) -> None:
    with pytest.raises(UsageError, match="larger than 16 MiB"):
        rows_of("SELECT * FROM range(1000000000)", scope)
    with pytest.raises(UsageError, match="larger than 16 MiB"):
        rows_of("SELECT repeat('x', 30000000)", scope)


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("SELECT kv FROM positions", r'"kv" not found(.|\n)*accelerating_voltage_kv'),
        ("SELECT * FROM positons", r'positons does not exist(.|\n)*Did you mean "positions"'),
        ("SELECT * FROM analysis", r'analysis does not exist(.|\n)*Did you mean "analyses"'),
        ("SELECT p.probe_curent_na FROM positions p", r'(.|\n)*Did you mean "probe_current_na"'),
        ("SELECT sample::INTEGER FROM positions", "Conversion Error"),
        ("SELECT CASE WHEN i > 90000 THEN 's'||i ELSE '1' END::INT FROM range(100000) t(i)", "Conversion Error"),
        ("SELECT * FROM positions WHERE", "Parser Error"),
        ("FROM request", "request does not exist"),
        ("FROM connection", "connection does not exist"),
    ],
)
def test_errors_are_duckdbs_own_with_near_misses(scope: Scope, sql: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        rows_of(sql, scope)


def test_a_part_that_cannot_be_read_is_damage_and_no_fault_of_the_query(tmp_path: Path) -> None:
    broken = tmp_path / "broken.parquet"
    broken.write_bytes(b"PAR1 not at all")
    with pytest.raises(DamagedLakeError, match="rebuild_catalog"):
        rows_of("SELECT 1", Scope([f"CREATE VIEW positions AS FROM read_parquet(['{broken}'])"], [broken]))


def test_a_reader_that_stops_early_leaves_no_process(scope: Scope) -> None:
    answer = run_select("SELECT * FROM range(100000000)", scope, limits=SandboxLimits(seconds=20))
    next(answer.batches)
    answer.close()
    assert answer._child._process.returncode is not None
    answer.close()


def test_several_at_once(scope: Scope) -> None:
    answers = [run_select(f"SELECT {n} AS n", scope, limits=QUICK) for n in range(3)]
    assert [next(answer.batches).to_pylist() for answer in answers] == [[{"n": 0}], [{"n": 1}], [{"n": 2}]]
    for answer in answers:
        answer.close()


def test_a_child_that_cannot_start_is_said(scope: Scope, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "")
    with pytest.raises(SxeslakeError, match="needs a Python interpreter"):
        rows_of("SELECT 1", scope)


@pytest.mark.parametrize(
    ("kind", "error", "message"),
    [
        ("limits", SxeslakeError, "cannot be confined on this system: why"),
        ("start", SxeslakeError, "child process failed: why"),
        ("setup", DamagedLakeError, "parts cannot be opened: why"),
        ("refused", UsageError, "this SQL was not run: why"),
    ],
)
def test_what_a_child_reports_is_told_apart(kind: str, error: type[SxeslakeError], message: str) -> None:
    made = sandbox._sql_error({"kind": kind, "message": "why"}, QUICK)
    assert type(made) is error
    assert message in str(made)


@pytest.mark.parametrize(
    ("status", "expired", "message"),
    [
        (-9, True, "longer than 20 s"),
        (-6, False, "GiB of memory"),
        (sandbox_child.MEMORY_EXIT, False, "GiB of memory"),
        (1, False, "ended with status 1"),
    ],
)
def test_how_a_child_died_is_told_apart(status: int, expired: bool, message: str) -> None:
    assert message in str(sandbox._death(status, expired, QUICK))


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such limits on Windows")
def test_the_watchdog_ends_a_process_that_grew() -> None:
    code = (
        "import threading, time\n"
        "from sxeslake.catalog.query import sandbox_child\n"
        "threading.Thread(target=sandbox_child._watch_resident_size, args=(200 << 20,), daemon=True).start()\n"
        "held = []\n"
        "for _ in range(1000):\n"
        "    held.append(b'x' * (1 << 20))\n"
        "    time.sleep(0.002)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, timeout=30)
    assert done.returncode == sandbox_child.MEMORY_EXIT


def test_files_of_the_child_cannot_grow(tmp_path: Path) -> None:
    if os.name == "nt":
        pytest.skip("there is no such limit on Windows")
    code = (
        "import sys\n"
        "from sxeslake.catalog.query import sandbox_child\n"
        "sandbox_child.limit_process({'memory_bytes': 1 << 30, 'seconds': 5, 'threads': 1})\n"
        "with open(sys.argv[1], 'wb') as file:\n"
        "    file.write(b'x' * 100)\n"
    )
    target = tmp_path / "grown"
    done = subprocess.run([sys.executable, "-c", code, str(target)], check=False, capture_output=True, timeout=30)
    assert done.returncode != 0
    assert target.stat().st_size == 0
