"""Rows out to json, csv, parquet, arrow and xlsx, batch by batch. Formats are one function each."""

from __future__ import annotations

import base64
import datetime as dt
import decimal
import json
import math
import os
import re
import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Final

from sxeslake.catalog.near import did_you_mean
from sxeslake.errors import UsageError

Writer = Callable[[BinaryIO, Any, Iterable[Any]], int]
"""(target, Arrow schema, record batches) → rows written."""

XLSX_ROWS: Final = 1_048_575
"""Excel's own limit, less the row of names."""


def format_of(path: Path) -> str:
    """The format that a path's suffix names."""
    suffix = path.suffix.casefold().removeprefix(".")
    name = _SUFFIXES.get(suffix)
    if name is None:
        raise UsageError(f'the suffix ".{suffix}" names no format.', where=path, hint=did_you_mean(suffix, _SUFFIXES))
    return name


def writer_for(name: str, target: Path | BinaryIO) -> Writer:
    """The writer of a format other than `table`."""
    if name == "arrow" and isinstance(target, Path) and target.suffix.casefold() != ".arrows":
        return _write_arrow_file
    return _WRITERS[name]


@contextmanager
def open_target(target: Path | BinaryIO) -> Iterator[BinaryIO]:
    """An open file; a path gets its content only when all of it is written."""
    if not isinstance(target, Path):
        yield target
        return
    partial = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    try:
        with partial.open("xb") as out:
            yield out
        os.replace(partial, target)  # noqa: PTH105 - the one call whose overwriting is meant
    except FileNotFoundError:
        raise UsageError("there is no such folder to write to.", where=target.parent) from None
    finally:
        partial.unlink(missing_ok=True)


def plain(value: Any) -> Any:
    """A value as JSON can say it: ISO dates, null for what is not a finite number, bytes in base64."""
    said: Any = str(value)
    match value:
        case None | bool() | int() | str():
            said = value
        case float():
            said = value if math.isfinite(value) else None
        case decimal.Decimal():
            said = int(value) if value == value.to_integral_value() else float(value)
        case dt.datetime() | dt.date() | dt.time():
            said = value.isoformat()
        case bytes():
            said = base64.b64encode(value).decode()
        case list() | tuple():
            said = [plain(each) for each in value]
        case dict():
            said = {str(key): plain(each) for key, each in value.items()}
    return said


def _write_json(out: BinaryIO, _schema: Any, batches: Iterable[Any]) -> int:
    """One array of objects, a row a line."""
    rows = 0
    for batch in batches:
        for row in batch.to_pylist():
            text = json.dumps(plain(row), ensure_ascii=False)
            out.write((",\n" if rows else "[\n").encode() + text.encode())
            rows += 1
    out.write(b"\n]\n" if rows else b"[]\n")
    return rows


def _write_csv(out: BinaryIO, schema: Any, batches: Iterable[Any]) -> int:
    """RFC 4180 with a line of names; lists are joined with `; `."""
    import pyarrow as pa  # noqa: PLC0415 - heavy
    import pyarrow.csv as pa_csv  # noqa: PLC0415 - heavy

    flat = pa.schema(
        [pa.field(each.name, pa.string() if pa.types.is_nested(each.type) else each.type) for each in schema]
    )
    rows = 0
    with pa_csv.CSVWriter(out, flat) as writer:
        for batch in batches:
            columns = [
                pa.array([_joined(value) for value in column.to_pylist()], pa.string())
                if pa.types.is_nested(column.type)
                else column
                for column in batch.columns
            ]
            writer.write_batch(pa.record_batch(columns, schema=flat))
            rows += batch.num_rows
    return rows


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


def _write_xlsx(out: BinaryIO, schema: Any, batches: Iterable[Any]) -> int:
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
        made = WriteOnlyCell(sheet, value=_for_excel(value))
        if isinstance(value, str):
            made.data_type = "s"  # a comment that starts with "=" is no formula
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
            for row in zip(*(column.to_pylist() for column in batch.columns), strict=True):
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


_WRITERS: Final[dict[str, Writer]] = {
    "json": _write_json,
    "csv": _write_csv,
    "parquet": _write_parquet,
    "arrow": _write_arrow,
    "xlsx": _write_xlsx,
}
FORMATS: Final = ("table", *_WRITERS)
_SUFFIXES: Final = {name: name for name in _WRITERS} | {"txt": "table", "arrows": "arrow", "feather": "arrow"}
