"""Tables for people: what they want first, in any window, and nothing that is left out goes unsaid."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sxeslake.catalog.query.readable import Look, readable_lines, shown
from sxeslake.catalog.query.result import Result
from sxeslake.catalog.schema.heads import HEADS
from sxeslake.catalog.schema.tables import TABLES
from sxeslake.errors import UsageError
from sxeslake.text.table import width

UUID = "0f9b1c5e-3c1d-4a58-9f0e-2b7d8e6a4c11"
MAPS = pa.table(
    {
        "sample": ["2019/chalcopyrite map", "backup/map copy 2"],
        "version": [1, 2],
        "analysis_uuid": [UUID, UUID],
        "kind": ["map", "map"],
        "accelerating_voltage_kv": [5.0, 5.0],
        "probe_current_na": [99.951234, None],
        "acquired_local": [dt.datetime(2019, 3, 14, 9, 26, 7), dt.datetime(2019, 3, 14, 9, 27)],
        "comment": ["map of a grain boundary, after repolishing", None],
        "technique": pa.nulls(2, pa.string()),
        "bytes_raw": [12_345_678, 0],
    }
)
SHOW = ("sample", "kind", "accelerating_voltage_kv", "probe_current_na", "acquired_local", "comment", "technique")


def maps() -> Result:
    return Result.of_table(MAPS, title="Maps", show=SHOW)


def test_a_person_sees_what_the_query_declares_and_which_columns_are_hidden() -> None:
    assert readable_lines(maps(), Look(120)) == [
        "Maps",
        "sample                   kind  kV       nA  acquired          comment",
        "2019/chalcopyrite map@1  map    5  99.9512  2019-03-14 09:26  map of a grain boundary, after repolishing",
        "backup/map copy 2@2      map    5           2019-03-14 09:27",
        "2 rows",
        "empty: technique",
        "not shown: analysis_uuid, bytes_raw; `rows()` has all columns",
    ]


def test_through_a_pipe_the_other_columns_come_after_those() -> None:
    lines = readable_lines(maps(), Look())
    assert lines[1].split()[:6] == ["sample", "kind", "kV", "nA", "acquired", "comment"]
    assert lines[2].startswith("2019/chalcopyrite map@1")
    assert lines[2].endswith(f"{UUID}   12.3 MB")
    assert lines[4:] == ["2 rows", "empty: technique"]


def test_a_narrow_window_folds_texts_then_says_constants_below_then_sets_records() -> None:
    assert readable_lines(maps(), Look(80))[1:4] == [
        "sample               kind  kV       nA  acquired          comment",
        "2019/chalcopyrite    map    5  99.9512  2019-03-14 09:26  map of a grain",
        "map@1                                                     boundary, after",
    ]
    lines = readable_lines(maps(), Look(56))
    assert lines[1].split() == ["sample", "nA", "acquired", "comment"]
    assert "in every row: kind map, kV 5" in lines
    assert readable_lines(maps(), Look(40))[1:8] == [
        "sample    2019/chalcopyrite map@1",
        "kind      map",
        "kV        5",
        "nA        99.9512",
        "acquired  2019-03-14 09:26",
        "comment   map of a grain boundary, after",
        "          repolishing",
    ]


@given(st.integers(20, 160), st.sampled_from(["", "x" * 70, "試料 " * 20, "one two three " * 9]))
def test_no_line_is_wider_than_the_window(window: int, text: str) -> None:
    table = MAPS.append_column("text", pa.array([text, "a"]))
    for made in (
        Result.of_table(table, title=text, notes=[text], show=[*SHOW, "text"]),
        Result.of_table(table),
        Result.of_table(table).select(["text", "version"]),
        Result.of_table(table.slice(0, 0), notes=[text]),
    ):
        assert all(width(line) <= window for line in readable_lines(made, Look(window)))


def test_wide_has_every_column_and_every_digit() -> None:
    lines = readable_lines(maps(), Look(wide=True))
    assert lines[1].split() == MAPS.column_names
    assert UUID in lines[2]
    assert "2019-03-14 09:26:07" in lines[2]
    assert "12345678" in lines[2]
    assert not any("not shown" in line or "empty" in line for line in lines)


def test_columns_are_those_that_are_asked_for() -> None:
    made = maps().select(["bytes_raw", "sample", "technique"])
    assert readable_lines(made, Look()) == [
        "Maps",
        "unpacked  sample                 technique",
        " 12.3 MB  2019/chalcopyrite map",
        "     0 B  backup/map copy 2",
        "2 rows",
    ]
    assert maps().select(["comment", "kind"]).rows()[1] == {"comment": None, "kind": "map"}
    with pytest.raises(UsageError, match=r'no column "kvs".*Did you mean "accelerating_voltage_kv"|no column "kvs"'):
        maps().select(["sample", "kvs"])


def test_an_answer_without_rows_says_why() -> None:
    asked: list[int] = []

    def why() -> str:
        asked.append(1)
        return "--kv 7 leaves none of 14 positions"

    made = Result(MAPS.schema, [], title="Maps", notes=["kV 7"], find_why_empty=why)
    assert readable_lines(made, Look(80)) == ["Maps", "no rows: --kv 7 leaves none of 14 positions", "kV 7"]
    assert "leaves none of 14 positions" in made._repr_html_()
    assert asked == [1]
    full = Result(MAPS.schema, MAPS.to_batches(), find_why_empty=why)
    assert (full.why_empty, full.is_empty, asked) == ("", False, [1])
    cut = Result(MAPS.schema, MAPS.to_batches(), limit=0, find_why_empty=why)
    assert readable_lines(cut, Look()) == ["the limit is 0; there are rows"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""), (True, "yes"), (False, "no"), (0.1 + 0.2, "0.3"), (5, "5"), ([1.5, "a"], "1.5, a"),
        (dt.datetime(2018, 4, 12, 14, 7, 9), "2018-04-12 14:07"), (UUID, "0f9b1c5e…"), ("ab" * 32, "abababababab…"),
        ("map\x1b", "map\\x1b"), (dt.date(2018, 4, 12), "2018-04-12"), ([UUID], "0f9b1c5e…"),
    ],
)  # fmt: skip
def test_values_are_short(value: Any, text: str) -> None:
    assert shown(value, short=True) == text


def test_times_with_a_zone_are_on_the_clock_of_this_place() -> None:
    there = dt.datetime(2018, 4, 12, 14, 7, 9, tzinfo=dt.timezone(dt.timedelta(hours=9)))
    assert shown(there) == there.astimezone().strftime("%Y-%m-%d %H:%M")
    assert shown(there.astimezone(dt.UTC), whole=True) == "2018-04-12 05:07:09Z"
    assert shown(dt.datetime.max.replace(tzinfo=dt.UTC)).startswith("9999-12-31")


def test_columns_of_one_table_have_different_heads() -> None:
    for table in TABLES:
        heads = [HEADS.get(column.name, column.name) for column in table.columns]
        assert len(heads) == len(set(heads)), table.name
