"""Columns of Python values → Arrow tables in the catalogue's own schema; a value that does not fit is null."""

from __future__ import annotations

from binascii import hexlify
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
import pyarrow as pa

from sxeslake.catalog.schema.registry import Table
from sxeslake.model import MIB


@dataclass(frozen=True, slots=True)
class Same:
    """One value in every row."""

    value: object


ColumnValues: TypeAlias = Same | Sequence[Any]
"""Python values, or an Arrow array (which is untyped here)."""


def table_of(spec: Table, count: int, columns: Mapping[str, ColumnValues]) -> pa.Table:
    """A table of `count` rows; columns that are not given are null."""
    unknown = columns.keys() - {column.name for column in spec.stored}
    if unknown:
        raise KeyError(f"{spec.name} has no column {sorted(unknown)}")
    arrays = [_array(columns.get(field.name, Same(None)), field.type, count) for field in spec.arrow]
    return pa.Table.from_arrays(arrays, schema=spec.arrow)


def table_of_rows(spec: Table, rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """A table from few rows given as mappings."""
    gathered = Gathered(spec)
    gathered.add_rows(rows, {})
    return gathered.table()


class Gathered:
    """Rows of one table from several archives: to make an Arrow table takes longer than to fill a short one."""

    def __init__(self, spec: Table) -> None:
        self._spec = spec
        self._count = 0
        self._columns: dict[str, list[Any]] = {}

    def add(self, count: int, columns: Mapping[str, ColumnValues]) -> None:
        """Take `count` rows, as columns of Python values; columns that are not given are null. Lists are kept."""
        for name, values in columns.items():
            given = [values.value] * count if isinstance(values, Same) else values
            if self._count == 0 and isinstance(given, list):
                self._columns[name] = given
            else:
                self._padded(name).extend(given)
        self._count += count

    def add_rows(self, rows: Sequence[Mapping[str, Any]], owner: Mapping[str, Same]) -> None:
        """Take rows given as mappings, with values that all share."""
        names = dict.fromkeys(name for row in rows for name in row)
        columns: dict[str, ColumnValues] = {name: [row.get(name) for row in rows] for name in names}
        self.add(len(rows), columns | dict(owner))

    def table(self) -> pa.Table:
        """All rows."""
        return table_of(self._spec, self._count, {name: self._padded(name) for name in self._columns})

    def _padded(self, name: str) -> list[Any]:
        """A column with a value, or none, for every row so far."""
        column = self._columns.setdefault(name, [])
        column += [None] * (self._count - len(column))
        return column


def hex_of(digests: pa.ChunkedArray) -> pa.Array:
    """32-byte digests as hexadecimal text, all at once: half a million of them in 0.1 s."""
    whole = digests.cast(pa.binary(32)).combine_chunks()
    raw = whole.to_pylist() if whole.null_count else None
    if raw is not None:
        return pa.array([digest and digest.hex() for digest in raw], pa.string())
    start = whole.offset * 32
    text = hexlify(memoryview(whole.buffers()[1])[start : start + len(whole) * 32])
    offsets = np.arange(len(whole) + 1, dtype=np.int32) * 64
    return pa.StringArray.from_buffers(len(whole), pa.py_buffer(offsets), pa.py_buffer(text))


def _array(values: ColumnValues, kind: pa.DataType, count: int) -> pa.Array | pa.ChunkedArray:
    if isinstance(values, Same):
        if values.value is None:
            return pa.nulls(count, kind)
        return pa.repeat(_fitting(values.value, kind), count)
    if isinstance(values, pa.Array | pa.ChunkedArray):
        return values.cast(kind)
    if pa.types.is_string(kind):
        values = _shortened(values)
        if values and values.count(values[0]) == count:  # of a map nearly every second column: a tenth of the time
            return pa.repeat(_fitting(values[0], kind), count)
    try:
        return pa.array(values, kind)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError, UnicodeEncodeError):
        return pa.array([_fitting(value, kind).as_py() for value in values], kind)


_COLUMN_CHARS: Final = 64 * MIB
_LEAST_CHARS: Final = 1024
"""Texts stay whole as long as a column's are not more than these together; else each gets its share, so much at least:
a comment of megabytes would come with each of a map's positions."""


def _shortened(values: Sequence[Any]) -> Sequence[Any]:
    """The texts, cut where they are too long together."""
    try:
        together = sum(map(len, filter(None, values)))
    except TypeError:  # a value that is no text; it becomes null
        together = sum(len(value) for value in values if isinstance(value, str))
    if together <= _COLUMN_CHARS:
        return values
    most = max(_LEAST_CHARS, _COLUMN_CHARS // len(values))
    return [f"{value[:most]}…" if isinstance(value, str) and len(value) > most else value for value in values]


def _fitting(value: object, kind: pa.DataType) -> pa.Scalar:
    """The value as a scalar: lone surrogates of a text are replaced, what the type cannot hold is null."""
    try:
        return pa.scalar(_clean(value), kind)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
        return pa.scalar(None, kind)


def _clean(value: object) -> object:
    """JSON may spell half a surrogate pair, `"\\ud800"`, which is no Unicode text."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, list | tuple):
        return [_clean(item) for item in value]
    return value
