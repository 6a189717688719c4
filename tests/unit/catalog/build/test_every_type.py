"""A value of every type of DuckDB goes to every format: as a value, or as its text."""

from __future__ import annotations

import io
import json

import pyarrow as pa
import pytest

from sxeslake.catalog.query.export import FORMATS
from sxeslake.catalog.query.result import Result
from sxeslake.catalog.query.sandbox import SandboxLimits, Scope, run_select

VALUES = [
    "true", "127::TINYINT", "1::SMALLINT", "1::INTEGER", "1::BIGINT", "1::HUGEINT", "255::UTINYINT", "1::USMALLINT",
    "1::UINTEGER", "18446744073709551615::UBIGINT", "'340282366920938463463374607431768211455'::UHUGEINT",
    "'123456789012345678901234567890123456789012'::BIGNUM", "'nan'::FLOAT", "'-inf'::DOUBLE", "1.5::DECIMAL(38,10)",
    "'x'", "'\\x00\\xff'::BLOB", "'10101'::BIT", "uuid()", "'infinity'::DATE", "'-infinity'::DATE",
    "'0044-03-15 (BC)'::DATE", "'10000-01-01'::DATE", "'24:00:00'::TIME", "'12:34:56.789123456'::TIME_NS",
    "'12:34:56+05:30'::TIMETZ", "'infinity'::TIMESTAMP", "'-infinity'::TIMESTAMP", "'290309-12-22 (BC)'::TIMESTAMP",
    "'10000-01-01'::TIMESTAMP_S", "'10000-01-01'::TIMESTAMP_MS", "'2020-01-01 00:00:00.123456789'::TIMESTAMP_NS",
    "'infinity'::TIMESTAMPTZ", "'0044-03-15 (BC)'::TIMESTAMPTZ", "INTERVAL '1 year 2 days'", "'a'::ENUM('a','b')",
    "[1, NULL]", "[1, 2]::INTEGER[2]", "{'a': 1, 'b': 'x'}", "MAP {'a': 1}", "MAP {1: INTERVAL 1 DAY}",
    "1::UNION(a INT, b VARCHAR)", "'[1]'::JSON", "1::VARIANT", "['infinity'::DATE]", "{'t': 'infinity'::TIMESTAMP}",
    "[INTERVAL 1 DAY]", "['\\xff'::BLOB]", "['101'::BIT]", "[uuid()]", "NULL", "NULL::GEOMETRY",
]  # fmt: skip


@pytest.fixture(scope="module")
def whole() -> pa.Table:
    """All of them in one row, as the sandbox sends them."""
    answer = run_select("SELECT " + ", ".join(VALUES), Scope([]), limits=SandboxLimits(seconds=20))
    return pa.Table.from_batches(answer.batches, answer.schema)


@pytest.mark.parametrize("name", FORMATS)
def test_every_type_goes_to_every_format(whole: pa.Table, name: str) -> None:
    for place, sql in enumerate(VALUES):
        target = io.BytesIO()
        rows = Result.of_table(whole.select([place])).write(target, name)
        assert (rows, bool(target.getvalue())) == (1, True), sql


def test_odd_values_are_said_as_text(whole: pa.Table) -> None:
    target = io.BytesIO()
    Result.of_table(whole.rename_columns(VALUES)).write(target, "json")
    (row,) = json.loads(target.getvalue())
    assert row["'infinity'::DATE"] == "infinity"
    assert row["'0044-03-15 (BC)'::DATE"] == "0044-03-15 (BC)"
    assert row["'10101'::BIT"] == "10101"
    assert row["INTERVAL '1 year 2 days'"] == "1 year 2 days"
    assert row["'340282366920938463463374607431768211455'::UHUGEINT"] == "340282366920938463463374607431768211455"
