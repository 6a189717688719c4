"""Results: every way out gives the same rows; what people see is short, safe and says what it leaves out."""

from __future__ import annotations

import csv
import datetime as dt
import decimal
import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rich.console import Console

from sxeslake.catalog.query import export
from sxeslake.catalog.query.result import Result
from sxeslake.errors import UsageError

UTC = dt.UTC
ROWS: list[dict[str, Any]] = [
    {
        "sample": "TiN", "kv": 5.0, "count": 4, "types": ["qlw", "xes"], "local": dt.datetime(2018, 4, 12, 14, 7),
        "at": dt.datetime(2018, 4, 12, 5, 7, tzinfo=UTC), "inferred": True,
    },
    {"sample": "=1+1", "kv": None, "count": None, "types": None, "local": None, "at": None, "inferred": None},
    {
        "sample": "two\nlines \x1b[31m, \"quoted\"", "kv": float("inf"), "count": 2**40, "types": [],
        "local": dt.datetime(2018, 4, 12, 14, 7, 0, 5), "at": None, "inferred": False,
    },
]  # fmt: skip
SCHEMA = pa.schema(
    [
        ("sample", pa.string()), ("kv", pa.float64()), ("count", pa.int64()), ("types", pa.list_(pa.string())),
        ("local", pa.timestamp("us")), ("at", pa.timestamp("us", tz="UTC")), ("inferred", pa.bool_()),
    ]
)  # fmt: skip


def result(**words: Any) -> Result:
    batches = [pa.RecordBatch.from_pylist(ROWS[:2], SCHEMA), pa.RecordBatch.from_pylist(ROWS[2:], SCHEMA)]
    return Result(SCHEMA, batches, **words)


def test_python_arrow_and_frames_have_the_same_rows() -> None:
    made = result(title="Maps")
    assert made.rows() == ROWS
    assert list(made) == ROWS
    assert len(made) == 3
    assert made.columns == SCHEMA.names
    assert made.arrow().schema == SCHEMA
    assert isinstance(made.df(), pd.DataFrame)
    assert made.df()["sample"].tolist() == [row["sample"] for row in ROWS]
    assert isinstance(made.pl(), pl.DataFrame)
    assert made.pl()["count"].to_list() == [4, None, 2**40]
    assert repr(made) == "<Result 'Maps': 3 rows × 7 columns>"


def test_a_limit_cuts_and_says_so() -> None:
    for limit, cut in ((0, True), (1, True), (2, True), (3, False), (4, False)):
        made = result(limit=limit)
        assert len(made) == min(limit, 3)
        assert made.truncated is cut
    assert "showing the first 1; more exist" in text_of(result(limit=1))


def text_of(made: Result, width: int = 200) -> str:
    console = Console(width=width, file=io.StringIO())
    with console.capture() as captured:
        console.print(made)
    return captured.get()


def test_a_stream_is_read_once_and_let_go_of() -> None:
    closed: list[str] = []

    def batches() -> Iterator[Any]:
        yield pa.RecordBatch.from_pylist(ROWS, SCHEMA)

    made = Result(SCHEMA, batches(), close=lambda: closed.append("closed"))
    assert made.write(io.BytesIO(), "json") == 3
    assert closed == ["closed"]
    with pytest.raises(UsageError, match="streamed already"):
        made.arrow()


def test_writing_streams_batch_by_batch(tmp_path: Path) -> None:
    alive = 0

    def batches() -> Iterator[Any]:
        nonlocal alive
        for _ in range(5):
            alive += 1
            assert alive <= 1, "the batch before is still waiting to be written"
            yield pa.RecordBatch.from_pylist(ROWS, SCHEMA)
            alive -= 1

    for name in ("json", "csv", "parquet", "arrow", "xlsx"):
        assert Result(SCHEMA, batches()).write(tmp_path / f"x.{name}") == 15


def test_json_is_one_array_that_any_reader_takes() -> None:
    out = io.BytesIO()
    result().write(out, "json")
    rows = json.loads(out.getvalue())
    assert rows[0] == {
        "sample": "TiN", "kv": 5.0, "count": 4, "types": ["qlw", "xes"], "local": "2018-04-12T14:07:00",
        "at": "2018-04-12T05:07:00Z", "inferred": True,
    }  # fmt: skip
    assert rows[2]["kv"] is None
    assert rows[2]["sample"] == ROWS[2]["sample"]
    empty = io.BytesIO()
    Result(SCHEMA, []).write(empty, "json")
    assert json.loads(empty.getvalue()) == []


def test_values_that_json_does_not_know() -> None:
    assert export.plain(decimal.Decimal("12")) == 12
    assert export.plain(decimal.Decimal("1.5")) == 1.5
    assert export.plain(b"\x00\xff") == "AP8="
    assert export.plain({"a": [dt.date(2018, 4, 12), float("nan")]}) == {"a": ["2018-04-12", None]}
    assert export.plain(dt.timedelta(seconds=1)) == "0:00:01"


def test_csv_is_read_back_by_python(tmp_path: Path) -> None:
    result().write(tmp_path / "x.csv", raw=True)
    with (tmp_path / "x.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["sample"] for row in rows] == [row["sample"] for row in ROWS]
    assert [row["types"] for row in rows] == ["qlw; xes", "", ""]
    assert rows[0]["kv"] == "5"
    assert rows[1]["kv"] == ""


def test_nested_values_in_csv_are_json() -> None:
    table = pa.table({"a": [[{"b": 1}], [[1]][:0]], "c": [{"d": None}, None]})
    out = io.BytesIO()
    Result.of_table(table).write(out, "csv")
    assert list(csv.reader(io.StringIO(out.getvalue().decode()))) == [
        ["a", "c"],
        ['[{"b": 1}]', '{"d": null}'],
        ["", ""],
    ]


def test_parquet_and_arrow_keep_types(tmp_path: Path) -> None:
    for name in ("x.parquet", "x.arrow", "x.feather", "x.arrows"):
        assert result().write(tmp_path / name) == 3
    assert pq.read_table(tmp_path / "x.parquet").to_pylist() == ROWS
    for name in ("x.arrow", "x.feather"):
        with pa.OSFile(str(tmp_path / name)) as file:
            assert pa.ipc.open_file(file).read_all().to_pylist() == ROWS
    with pa.OSFile(str(tmp_path / "x.arrows")) as file:
        assert pa.ipc.open_stream(file).read_all().schema == SCHEMA


def test_arrow_on_a_pipe_is_a_stream() -> None:
    out = io.BytesIO()
    result().write(out, "arrow")
    assert pa.ipc.open_stream(out.getvalue()).read_all().to_pylist() == ROWS


def test_excel_shows_text_as_text(tmp_path: Path) -> None:
    assert result().write(tmp_path / "x.xlsx") == 3
    sheet = openpyxl.load_workbook(tmp_path / "x.xlsx")["result"]
    rows = list(sheet.iter_rows())
    assert [cell.value for cell in rows[0]] == SCHEMA.names
    assert rows[0][0].font.bold
    assert [cell.value for cell in rows[1]] == [
        "TiN", 5, 4, "qlw; xes", dt.datetime(2018, 4, 12, 14, 7), dt.datetime(2018, 4, 12, 5, 7), True,
    ]  # fmt: skip
    assert (rows[2][0].value, rows[2][0].data_type) == ("'=1+1", "s")
    assert rows[3][1].value is None
    assert "\x1b" not in rows[3][0].value


def test_more_rows_than_a_sheet_holds_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "XLSX_ROWS", 2)
    with pytest.raises(UsageError, match="Write csv or parquet"):
        result().write(tmp_path / "x.xlsx")
    assert list(tmp_path.iterdir()) == []


def test_a_failing_write_leaves_nothing_and_replaces_nothing(tmp_path: Path) -> None:
    def batches() -> Iterator[Any]:
        yield pa.RecordBatch.from_pylist(ROWS, SCHEMA)
        raise UsageError("the query took longer than 1 s and was stopped.")

    target = tmp_path / "x.csv"
    target.write_text("as it was")
    with pytest.raises(UsageError, match="was stopped"):
        Result(SCHEMA, batches()).write(target)
    assert [path.name for path in tmp_path.iterdir()] == ["x.csv"]
    assert target.read_text() == "as it was"


def test_a_text_table_goes_to_a_file(tmp_path: Path) -> None:
    assert result(title="Maps").write(tmp_path / "x.txt") == 3
    text = (tmp_path / "x.txt").read_text(encoding="utf-8")
    assert "Maps" in text
    assert "3 rows" in text


@pytest.mark.parametrize(
    ("name", "format_name", "message"),
    [
        ("x.xslx", None, r'suffix "\.xslx" names no format\. Did you mean "xlsx"'),
        ("x", None, "names no format"),
        ("x.csv", "parket", 'no format "parket". Did you mean "parquet"'),
        ("absent/x.csv", None, "no such folder"),
    ],
)
def test_messages(tmp_path: Path, name: str, format_name: str | None, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        result().write(tmp_path / name, format_name)


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("pandas", "polars", "openpyxl"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(UsageError, match=r"sxeslake\[frames\]"):
        result().df()
    with pytest.raises(UsageError, match=r"sxeslake\[frames\]"):
        result().pl()
    with pytest.raises(UsageError, match=r"sxeslake\[excel\]"):
        result().write(tmp_path / "x.xlsx")


def test_people_see_short_numbers_and_no_control_characters() -> None:
    text = text_of(result(title="Maps", notes=["accelerating voltage 4.95..5.05 kV"]))
    assert "\x1b" not in text
    assert "2018-04-12 14:07 " in text
    assert "qlw, xes" in text
    assert "accelerating voltage 4.95..5.05 kV" in text


def test_the_rest_is_counted() -> None:
    made = Result.of_table(pa.table({"n": list(range(80))}))
    text = text_of(made)
    assert "80 rows, the first 50 shown" in text
    assert "79" not in text.replace("80 rows", "")
    assert len(made.rows()) == 80


def test_html_is_escaped() -> None:
    made = Result.of_table(pa.table({"<b>": ["<script>"], "n": [1.23456789]}), title="A & B", notes=["x < y"])
    page = made._repr_html_()
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert "<th>&lt;b&gt;</th>" in page
    assert "A &amp; B" in page
    assert "x &lt; y" in page
    assert "1.23457" in page


def test_columns_of_one_name_are_told_apart() -> None:
    schema = pa.schema([("a", pa.int64()), ("a", pa.int64()), ("a_2", pa.int64())])
    made = Result(schema, [pa.RecordBatch.from_arrays([pa.array([n]) for n in (1, 2, 3)], schema=schema)])
    assert made.rows() == [{"a": 1, "a_2": 2, "a_2_2": 3}]


FORMULAS = ["=1+1", "+1+1", "-1-1", "@SUM(1)", "\t=1", "\r=1", "  =1", '"=1', "\uff1d1", "\ufeff@a", "-", "\n=2"]
FORMULA_SIGNS = tuple(text[:1] for text in FORMULAS)
ORDINARY = ["", "TiN", "-5", "+1.5e-9", "-1,5", "a=b", "5-3", "試料 -1"]


@pytest.mark.parametrize("suffix", ["csv", "xlsx"])
@pytest.mark.parametrize("raw", [False, True])
def test_no_cell_begins_as_a_formula(tmp_path: Path, suffix: str, raw: bool) -> None:
    texts = FORMULAS + ORDINARY
    columns = {
        "=name()": pa.array(texts),
        "listed": pa.array([[text, "x"] for text in texts]),
        "kinds": pa.array(texts).dictionary_encode(),
        "number": pa.array([-float(n) for n in range(len(texts))]),
    }
    Result.of_table(pa.table(columns)).write(tmp_path / f"x.{suffix}", raw=raw)
    rows = _cells(tmp_path / f"x.{suffix}")
    assert rows[0] == ["=name()" if raw else "'=name()", "listed", "kinds", "number"]
    for text, row in zip(texts, rows[1:], strict=True):
        shown = text if raw or text in ORDINARY else f"'{text}"
        listed = f"{text}; x" if raw or text[:1] not in FORMULA_SIGNS else f"'{text}; x"
        assert [_cell(cell) for cell in row[:3]] == [_cell(shown), _cell(listed), _cell(shown)]
    assert [float(row[3]) for row in rows[1:]] == [-float(n) for n in range(len(texts))]


def _cell(text: Any) -> str:
    """A cell's text as XML keeps it."""
    return str(text or "").replace("\r\n", "\n").replace("\r", "\n").replace("_x000D_", "\n")


def _cells(path: Path) -> list[list[Any]]:
    """Every row of a CSV file or a sheet, which holds no formula at all."""
    if path.suffix == ".csv":
        with path.open(newline="", encoding="utf-8") as file:
            return list(csv.reader(file))
    rows = [list(row) for row in openpyxl.load_workbook(path).active.iter_rows()]
    assert all(cell.data_type != "f" for row in rows for cell in row)
    return [[cell.value for cell in row] for row in rows]


def test_names_titles_and_notes_cannot_steer_the_terminal() -> None:
    hostile = "a\x1b]0;x\x07\x9b\u202e\u2028\x7f"
    table = pa.table({hostile: [hostile, "x"], "empty" + hostile: [None, None]})
    made = Result.of_table(table, title=hostile, notes=[hostile])
    console = Console(width=300, record=True, file=io.StringIO())
    console.print(made)
    text = console.export_text()
    assert all(line.isprintable() for line in text.splitlines())
    assert text.count("a\\x1b]0;x\\x07\\x9b\\u202e\\u2028\\x7f") == 5


def test_json_escapes_what_steers_a_terminal() -> None:
    hostile = "a\x1b\x9b\u202e\u2028\x7f試"
    target = io.BytesIO()
    Result.of_table(pa.table({"a": [hostile]})).write(target, "json")
    assert json.loads(target.getvalue()) == [{"a": hostile}]
    assert all(line.isprintable() for line in target.getvalue().decode().splitlines())


def test_no_columns_and_no_rows_are_shown_too() -> None:
    assert "0 rows" in text_of(Result(SCHEMA, []))
    assert "0 rows" in Result(pa.schema([]), [])._repr_html_()


def test_a_narrow_console_folds_texts_then_sets_records_under_each_other() -> None:
    uuid = "0f9b1c5e-3c1d-4a58-9f0e-2b7d8e6a4c11"
    table = pa.table({"analysis_uuid": [uuid], "accelerating_voltage_kv": [5.0], "remark": ["x" * 30], "gain": [None]})
    made = Result.of_table(table, title="A title longer than the table that stands below it")
    narrow = text_of(made, width=40)
    assert "analysis id  kV  remark\n0f9b1c5e…     5  xxxx" in narrow
    assert "empty: gain" in narrow
    assert "A title longer than the table that stands below it" in " ".join(narrow.split())
    wide = text_of(made, width=100)
    assert "x" * 30 in wide
    assert "analysis id  0f9b1c5e…\nkV           5\n" in text_of(made, width=28)
    out = io.BytesIO()
    made.write(out, "table")
    assert uuid in out.getvalue().decode()
