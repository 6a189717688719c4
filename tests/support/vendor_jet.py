"""Jet 3 databases of a few small tables, made from the description of the layout by the authors of mdbtools."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence

PAGE = 2048
_TYPES = {"i": (4, 4, "<i"), "h": (3, 2, "<h"), "f": (6, 4, "<f"), "d": (7, 8, "<d"), "t": (10, 255, "")}

Rows = Sequence[Sequence[object]]


def database(tables: Mapping[str, tuple[Mapping[str, str], Rows]]) -> bytes:
    """Tables by name: types of their columns (`i`, `h`, `f`, `d`, `t` of texts), and rows."""
    catalog: list[Sequence[object]] = [(2, 1, -0x80000000, "MSysObjects")]
    pages: list[bytes] = []
    for name, (columns, rows) in tables.items():
        number = 4 + len(pages)
        catalog.append((number, 1, 0, name))
        pages += [definition(columns, len(rows)), data(number, columns, rows)]
    of_catalog = {"Id": "i", "Type": "h", "Flags": "i", "Name": "t"}
    head = (b"\0\1\0\0Standard Jet DB\0" + bytes(4)).ljust(PAGE, b"\0")
    pages = [head, bytes(PAGE), definition(of_catalog, len(catalog)), data(2, of_catalog, catalog), *pages]
    return b"".join(pages)


def definition(columns: Mapping[str, str], rows: int, next_page: int = 0) -> bytes:
    """The page that defines a table."""
    texts = sum(kind == "t" for kind in columns.values())
    head = b"\x02\x01VC" + struct.pack(
        "<4IB3H4I", next_page, 0, rows, 0, 0x4E, len(columns), texts, len(columns), 0, 0, 0, 0
    )
    fields, fixed, variable = b"", 0, 0
    for number, kind in enumerate(columns.values()):
        code, size, _ = _TYPES[kind]
        fields += struct.pack("<B3H6xB2H", code, number, variable, number, 2 | (kind != "t"), fixed, size)
        fixed, variable = fixed + (0 if kind == "t" else size), variable + (kind == "t")
    names = b"".join(bytes([len(name)]) + name.encode() for name in columns)
    return (head + fields + names).ljust(PAGE, b"\0")


def data(owner: int, columns: Mapping[str, str], rows: Rows) -> bytes:
    """The page of a table's rows."""
    body, offsets = b"", []
    for row in rows:
        packed = _row(columns, row)
        body = packed + body
        offsets.append(PAGE - len(body))
    head = b"\x01\x01" + struct.pack("<HIH", 0, owner, len(rows)) + struct.pack(f"<{len(rows)}H", *offsets)
    assert len(head) + len(body) <= PAGE
    return head + bytes(PAGE - len(head) - len(body)) + body


def _row(columns: Mapping[str, str], row: Sequence[object]) -> bytes:
    fixed, texts = b"", []
    present = 0
    for number, (kind, value) in enumerate(zip(columns.values(), row, strict=True)):
        present |= (value is not None) << number
        if kind == "t":
            texts.append(str(value or "").encode())
        else:
            fixed += struct.pack(_TYPES[kind][2], value or 0)
    packed, ends = bytes([len(columns)]) + fixed, []
    for text in texts:
        ends.append(len(packed))
        packed += text
    assert len(packed) < 250
    tail = bytes([len(packed), *reversed(ends), len(texts)]) if texts else b""
    return packed + tail + present.to_bytes((len(columns) + 7) // 8, "little")
