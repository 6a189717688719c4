"""Rows out to json, csv, parquet, arrow and xlsx, batch by batch. Formats are one function each."""

from __future__ import annotations

import base64
import datetime as dt
import decimal
import json
import math
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Final

from sxeslake.catalog.query.pythonic import texts_of, values_of
from sxeslake.disk.output import written_file
from sxeslake.errors import UsageError
from sxeslake.text.safe import FORMULA, inert
from sxeslake.text.suggest import did_you_mean

Writer = Callable[[BinaryIO, Any, Iterable[Any]], int]
"""(target, Arrow schema, record batches) → rows written."""

Guard = Callable[[str], str]
"""Makes a cell's text safe, or leaves it as it is."""

XLSX_ROWS: Final = 1_048_575
"""Excel's own limit, less the row of names."""


def format_of(path: Path) -> str:
    """The format that a path's suffix names."""
    suffix = path.suffix.casefold().removeprefix(".")
    name = _SUFFIXES.get(suffix)
    if name is None:
        raise UsageError(f'the suffix ".{suffix}" names no format.', where=path, hint=did_you_mean(suffix, _SUFFIXES))
    return name


def writer_for(name: str, target: Path | BinaryIO, *, raw: bool = False) -> Writer:
    """The writer of a format other than `table`; `raw` leaves text that a spreadsheet takes for a formula as it is."""
    if name in _SHEETS:
        return partial(_SHEETS[name], guard=_as_it_is if raw else inert)
    if name == "arrow" and isinstance(target, Path) and target.suffix.casefold() != ".arrows":
        return _write_arrow_file
    return _WRITERS[name]


def _as_it_is(text: str) -> str:
    return text


@contextmanager
def open_target(target: Path | BinaryIO, *, force: bool) -> Iterator[BinaryIO]:
    """An open file; a path gets its content only when all of it is written."""
    if not isinstance(target, Path):
        yield target
        return
    with written_file(target, force=force) as out:
        yield out


def plain(value: Any) -> Any:
    """A value as JSON can say it: ISO dates, instants with Z, null for what is not a finite number, bytes in base64."""
    said: Any = str(value)
    match value:
        case None | bool() | int() | str():
            said = value
        case float():
            said = value if math.isfinite(value) else None
        case decimal.Decimal():
            said = int(value) if value == value.to_integral_value() else float(value)
        case dt.datetime() | dt.date() | dt.time():
            said = _utc(value.isoformat())
        case bytes():
            said = base64.b64encode(value).decode()
        case list() | tuple():
            said = [plain(each) for each in value]
        case dict():
            said = {str(key): plain(each) for key, each in value.items()}
    return said


def _utc(text: str) -> str:
    """`…+00:00` as `…Z`: one way to write an instant, in every document."""
    return text.removesuffix("+00:00") + "Z" if text.endswith("+00:00") else text


_NOT_PLAIN_JSON: Final = re.compile("[\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]")
"""What JSON allows in a text, and what steers a terminal or is no Unicode: written as `\\u…`, which means the same."""


def _json_escape(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"


def _write_json(out: BinaryIO, _schema: Any, batches: Iterable[Any]) -> int:
    """One array of objects, a row a line."""
    rows = 0
    for batch in batches:
        for values in zip(*map(values_of, batch.columns), strict=True):
            row = dict(zip(batch.schema.names, values, strict=True))
            text = _NOT_PLAIN_JSON.sub(_json_escape, json.dumps(plain(row), ensure_ascii=False))
            out.write((",\n" if rows else "[\n").encode() + text.encode())
            rows += 1
    out.write(b"\n]\n" if rows else b"[]\n")
    return rows


def _write_csv(out: BinaryIO, schema: Any, batches: Iterable[Any], *, guard: Guard) -> int:
    """RFC 4180 with a line of names; lists are joined with `; `."""
    import pyarrow as pa  # noqa: PLC0415 - heavy
    import pyarrow.csv as pa_csv  # noqa: PLC0415 - heavy

    flat = pa.schema([pa.field(guard(each.name), _flat_type(each.type)) for each in schema])
    rows = 0
    with pa_csv.CSVWriter(out, flat) as writer:
        for batch in batches:
            columns = [
                _guarded(_flat(column, each.type), guard) for column, each in zip(batch.columns, flat, strict=True)
            ]
            writer.write_batch(pa.record_batch(columns, schema=flat))
            rows += batch.num_rows
    return rows


def _flat_type(kind: Any) -> Any:
    import pyarrow as pa  # noqa: PLC0415 - loaded already

    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    as_text = (
        pa.types.is_nested(kind),
        pa.types.is_large_string(kind),
        pa.types.is_temporal(kind),
        pa.types.is_binary(kind) or isinstance(kind, pa.BaseExtensionType),
    )
    return pa.string() if any(as_text) else kind


def _flat(column: Any, kind: Any) -> Any:
    """A column as CSV can hold it, of the type that `_flat_type` says."""
    import pyarrow as pa  # noqa: PLC0415 - loaded already

    if pa.types.is_nested(column.type):
        return pa.array([_joined(value) for value in values_of(column)], pa.string())
    if pa.types.is_temporal(column.type):
        return _times(column)
    if kind == pa.string() and not pa.types.is_large_string(column.type) and not pa.types.is_dictionary(column.type):
        return pa.array([_text(value) for value in values_of(column)], pa.string())
    return column.cast(kind)


def _times(column: Any) -> Any:
    """Dates and times as Arrow writes them, but as DuckDB does where Arrow has no text for one."""
    import pyarrow as pa  # noqa: PLC0415 - loaded already

    if pa.types.is_duration(column.type) or pa.types.is_interval(column.type):
        return pa.array(texts_of(column), pa.string())
    texts = column.cast(pa.string()).to_pylist()
    if all(text is None or _ORDINARY.match(text) for text in texts):
        return pa.array([_instant(text) for text in texts], pa.string())
    return pa.array([_ordinary(*both) for both in zip(texts, texts_of(column), strict=True)], pa.string())


def _instant(text: str | None) -> str | None:
    """`2020-06-02 05:05:00.000000Z` with a T; a time without a zone keeps the space, which spreadsheets read."""
    return text.replace(" ", "T", 1) if text is not None and text.endswith("Z") else text


def _ordinary(arrow: str | None, duckdb: str | None) -> str | None:
    """Arrow's text, or DuckDB's where it is out of the common calendar."""
    return duckdb if arrow and not _ORDINARY.match(arrow) else _instant(arrow)


_ORDINARY: Final = re.compile(r"\d{4}-\d\d-\d\d(?!\d)|\d\d:")


def _text(value: Any) -> str | None:
    said = plain(value)
    return said if said is None or isinstance(said, str) else str(said)


def _guarded(column: Any, guard: Guard) -> Any:
    """A column of text after the guard; only texts that begin in a suspicious way are looked at one by one."""
    import pyarrow as pa  # noqa: PLC0415 - loaded already
    import pyarrow.compute as pc  # noqa: PLC0415 - as above

    if not pa.types.is_string(column.type):
        return column
    suspicious = pc.match_substring_regex(column, FORMULA).fill_null(False)
    if not pc.any(suspicious).as_py():
        return column
    texts = [guard(text) for text in column.filter(suspicious).to_pylist()]
    return pc.replace_with_mask(column, suspicious, pa.array(texts, column.type))


def _joined(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, list) and not any(isinstance(each, list | dict) for each in value):
        return "; ".join("" if each is None else str(each) for each in value)
    return json.dumps(plain(value), ensure_ascii=False)


def _write_parquet(out: BinaryIO, schema: Any, batches: Iterable[Any]) -> int:
    import pyarrow.parquet as pq  # noqa: PLC0415 - heavy

    rows = 0
    with pq.ParquetWriter(out, schema, compression="zstd") as writer:
        for batch in batches:
            writer.write_batch(batch)
            rows += batch.num_rows
    return rows


def _write_arrow(out: BinaryIO, schema: Any, batches: Iterable[Any]) -> int:
    """The Arrow IPC stream, which a pipe can carry (`--format arrow` to stdout, suffix `.arrows`)."""
    import pyarrow as pa  # noqa: PLC0415 - heavy

    return _write_ipc(pa.ipc.new_stream(out, schema), batches)


def _write_arrow_file(out: BinaryIO, schema: Any, batches: Iterable[Any]) -> int:
    """The Arrow IPC file, with random access: what readers expect of `.arrow` and `.feather`."""
    import pyarrow as pa  # noqa: PLC0415 - heavy

    return _write_ipc(pa.ipc.new_file(out, schema), batches)


def _write_ipc(opened: Any, batches: Iterable[Any]) -> int:
    rows = 0
    with opened as writer:
        for batch in batches:
            writer.write_batch(batch)
            rows += batch.num_rows
    return rows


_NOT_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


def _write_xlsx(out: BinaryIO, schema: Any, batches: Iterable[Any], *, guard: Guard) -> int:
    """One sheet with a bold, frozen line of names."""
    try:
        from openpyxl import Workbook  # noqa: PLC0415 - an extra
        from openpyxl.cell import WriteOnlyCell  # noqa: PLC0415 - as above
        from openpyxl.styles import Font  # noqa: PLC0415 - as above
    except ImportError:
        raise UsageError(
            "xlsx needs openpyxl, which is not installed.", hint='Try pip install "sxeslake[excel]".'
        ) from None
    book = Workbook(write_only=True)
    sheet = book.create_sheet("result")
    sheet.freeze_panes = "A2"

    def cell(value: Any, *, bold: bool = False) -> Any:
        said = _for_excel(value)
        made = WriteOnlyCell(sheet, value=guard(said) if isinstance(said, str) else said)
        if isinstance(said, str):
            made.data_type = "s"  # text that starts with "=" is no formula here, guarded or not
        if bold:
            made.font = Font(bold=True)
        return made

    rows = 0
    try:
        sheet.append([cell(name, bold=True) for name in schema.names])
        for batch in batches:
            rows += batch.num_rows
            if rows > XLSX_ROWS:
                raise UsageError(
                    f"an Excel sheet holds {XLSX_ROWS:,} rows; there are more.", hint="Write csv or parquet."
                )
            for row in zip(*map(values_of, batch.columns), strict=True):
                sheet.append([cell(value) for value in row])
    except BaseException:
        sheet.close()  # else openpyxl's own temporary file stays half open
        raise
    book.save(out)
    return rows


def _for_excel(value: Any) -> Any:
    """A value as a cell takes it: times without a zone (they are UTC), text without control characters."""
    if isinstance(value, dt.datetime):
        return value.replace(tzinfo=None)
    if isinstance(value, dt.date | dt.time | bool | int) or value is None:
        return value
    if isinstance(value, float | decimal.Decimal):
        return float(value) if math.isfinite(value) else None
    text = value if isinstance(value, str) else _joined(value) or ""
    return _NOT_IN_XML.sub("\ufffd", text)[:32_767]  # a cell's own limit


_WRITERS: Final[dict[str, Writer]] = {"json": _write_json, "parquet": _write_parquet, "arrow": _write_arrow}
_SHEETS: Final[dict[str, Callable[..., int]]] = {"csv": _write_csv, "xlsx": _write_xlsx}
"""What spreadsheets open: their text goes through a guard."""
FORMATS: Final = ("table", "json", "csv", "parquet", "arrow", "xlsx")
_SUFFIXES: Final = {name: name for name in FORMATS[1:]} | {"txt": "table", "arrows": "arrow", "feather": "arrow"}
