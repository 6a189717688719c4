"""From questions to results, by the library and by free SQL."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from sxeslake.catalog.query import library
from sxeslake.catalog.query.header import parse_query
from sxeslake.catalog.query.run import Read, ask, ask_freely
from sxeslake.catalog.query.sandbox import SandboxLimits, Scope
from sxeslake.errors import UsageError


@pytest.fixture
def read() -> Iterator[Read]:
    """Runs SQL over a small table."""
    connection = duckdb.connect(":memory:")
    connection.execute("CREATE TABLE numbers AS SELECT i AS n, 's' || i AS text FROM range(100000) t(i)")

    def run(sql: str, values: Mapping[str, object]) -> Any:
        return connection.cursor().sql(sql, params=dict(values) or None).to_arrow_reader(1000)

    yield run
    connection.close()


def bound(sql: str, **words: object) -> library.Bound:
    return library.bind(parse_query("mine", f"-- Mine\n{sql}\n", where="mine.sql"), words)


def test_a_query_is_answered_with_its_title_and_notes(read: Read) -> None:
    made = ask(
        read, bound("-- parameter: top integer = 3: How many.\nSELECT n FROM numbers ORDER BY n LIMIT $top", top=2)
    )
    assert made.rows() == [{"n": 0}, {"n": 1}]
    assert (made.title, made.notes, made.truncated) == ("Mine", ("top 2",), False)


def test_a_limit_reads_no_further(read: Read) -> None:
    made = ask(read, bound("SELECT n FROM numbers ORDER BY n"), limit=1500)
    assert len(made) == 1500
    assert made.truncated


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("SELECT absent FROM numbers", r'query "mine": Binder Error(.|\n)*"absent" not found'),
        ("SELECT FROM", 'query "mine": Parser Error'),
        ("SELECT CASE WHEN n > 90000 THEN text END::INTEGER FROM numbers", 'query "mine": Conversion Error'),
    ],
)
def test_a_mistake_in_a_users_query_is_named(read: Read, sql: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        ask(read, bound(sql)).arrow()


def test_free_sql_gives_the_same_kind_of_result(tmp_path: Path) -> None:
    made = ask_freely("SELECT $n AS n FROM range(5)", Scope([]), parameters={"n": 7}, limits=SandboxLimits(rows=3))
    assert made.columns == ["n"]
    assert made.arrow().num_rows == 3
    assert made.truncated
    streamed = ask_freely("SELECT * FROM range(100000)", Scope([]))
    assert streamed.write(tmp_path / "x.arrow") == 100_000
    with pa.OSFile(str(tmp_path / "x.arrow")) as file:
        assert pa.ipc.open_file(file).read_all().num_rows == 100_000
