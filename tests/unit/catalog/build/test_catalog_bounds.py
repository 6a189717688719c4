"""Documents that are too large: listed, named, never read; what is read takes bounded memory."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from support.catalog_source import documents_of, group, header, member_table, state

from sxeslake.archive.sxes.documents import bounds
from sxeslake.catalog.build import documents as reading
from sxeslake.catalog.build import rows
from sxeslake.catalog.build.documents import Contents, DocumentReader
from sxeslake.catalog.build.parts import encode_part, merges, raw_bytes
from sxeslake.catalog.build.projection import projected
from sxeslake.catalog.build.rows import table_of_rows
from sxeslake.catalog.schema.tables import BY_NAME
from sxeslake.catalog.store.snapshot import TablePart
from sxeslake.model import MIB

LISTS = b"[1,2]," * (bounds.PARSED_BYTES // 200)


def tables(files: dict[str, bytes], limit: int = 64 * MIB, **changed: Any) -> dict[str, list[dict[str, Any]]]:
    """Rows by table, with a reader of that limit."""
    found: dict[str, list[dict[str, Any]]] = {}
    archives = [(header(**changed), member_table(files, []), documents_of(files))]
    for name, made, _ in projected(archives, DocumentReader(limit)):
        found.setdefault(name, []).extend(made.to_pylist())
    return found


@pytest.mark.parametrize("kind", ["sxes", "generic"])
def test_a_large_document_is_listed_and_named_and_not_read(kind: str) -> None:
    files = group({"p": state()}) | {"large.json": b'{"a":"' + b"x" * 5000 + b'"}'}
    found = tables(files, limit=4000, kind=kind)
    (row,) = [row for row in found["documents"] if row["path"] == "large.json"]
    assert (row["readable"], row["json"], row["bytes_raw"]) == (False, None, 5008)
    assert row["problem"].startswith("larger than 0.0038")
    assert found["archives"][0]["documents_unreadable"] == 1
    if kind == "sxes":
        assert found["positions"][0]["accelerating_voltage_kv"] == 5.0


def test_a_large_metadata_is_the_archives_problem() -> None:
    files = group({"p": state()})
    files["metadata.json"] += b" " * 5000
    found = tables(files, limit=4000)
    assert found["archives"][0]["problem"].startswith("metadata.json: larger than")
    assert [row["position_uuid"] for row in found["positions"]] == ["p"]


def test_a_document_of_too_many_values_keeps_its_text_and_is_not_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    parse = reading.parse

    def noted(path: str, data: bytes) -> tuple[str | None, object, str | None]:
        read.append(path)
        return parse(path, data)

    monkeypatch.setattr(reading, "parse", noted)
    data = b'{"x":[' + LISTS + b"0]}"
    row = tables({"a.json": data, "b.json": b"{}"}, kind="generic")["documents"][0]
    assert (row["readable"], row["problem"]) == (False, bounds.TOO_MANY_VALUES)
    assert row["json"] == data.decode()
    assert read == ["b.json"]


def test_many_long_documents_are_not_all_kept() -> None:
    text = b'{"label":"' + b"x" * (40 * MIB) + b'"}'
    contents = Contents()
    documents = [(f"conditions/{n:064x}.json", text) for n in range(5)]
    blocks = list(DocumentReader().read(contents, documents, sxes=True))
    assert len(blocks) == 5  # one at a time
    assert 1 < len([value for value in contents.conditions.values() if value]) < 5
    assert 1 < len(contents.texts) < 5
    assert bounds.TOO_MANY_VALUES in contents.problems.values()


def test_what_macos_adds_is_no_document() -> None:
    files = group({"p": state()}) | {"__MACOSX/._metadata.json": b"\0\5\x16\7", "data/p/._state.json": b"\0\5\x16\7"}
    found = tables(files)
    assert not [row for row in found["documents"] if "._" in row["path"]]
    assert found["archives"][0]["documents_unreadable"] == 0


def test_a_comment_of_megabytes_does_not_come_whole_with_each_position(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "_COLUMN_CHARS", 100_000)
    long = "c" * 50_000
    made = table_of_rows(BY_NAME["positions"], [{"comment": long, "sample": "s"}] * 50)
    assert made["comment"].to_pylist() == ["c" * 2000 + "…"] * 50
    assert table_of_rows(BY_NAME["positions"], [{"comment": long}] * 2)["comment"].to_pylist() == [long] * 2


def test_parts_of_long_documents_have_small_row_groups_and_are_not_merged(tmp_path: Path) -> None:
    spec = BY_NAME["documents"]
    table = table_of_rows(spec, [{"path": f"{n}.json", "archive_id": n} for n in range(4)])
    texts = pa.chunked_array([pa.array(["x" * (40 * MIB)] * 4)])
    table = table.set_column(table.schema.get_field_index("json"), "json", texts)
    file = tmp_path / "part.parquet"
    file.write_bytes(encode_part(spec, table))
    assert pa.parquet.ParquetFile(file).num_row_groups == 4
    assert raw_bytes(file) > 150 * MIB
    parts = [TablePart("documents", f"{n:064x}", 1000, 4) for n in range(8)]
    assert merges(parts, weigh=lambda _: 64 * MIB) == []
    assert [len(each) for each in merges(parts, weigh=lambda _: 40 * MIB)] == [3, 3, 2]
    assert [len(each) for each in merges(parts, weigh=lambda _: 1000)] == [8]


def test_json_that_cannot_be_kept_in_mind_is_estimated_high_enough() -> None:
    """The estimate is above what the interpreter takes, for many small values of each kind."""
    for unit in (b"[1,2],", b'{"a":1},', b'"abcdefg",', b"[[]],", b"1.5,", b"{},"):
        data = b"[" + unit * (200_000 // len(unit)) + b"0]"
        tracemalloc.start()
        value = json.loads(data)
        taken = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        assert value
        assert taken <= bounds.parsed_bytes(data), unit
