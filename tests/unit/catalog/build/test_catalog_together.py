"""Many documents and many archives at once: the same tables as from each document, and each archive, by itself."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from unittest.mock import patch

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.catalog_source import documents_of, group, header, member_table, state

from sxeslake.catalog.build.documents import DocumentReader
from sxeslake.catalog.build.json_shapes import Shapes
from sxeslake.catalog.build.member_files import Arrays, File, member_files
from sxeslake.catalog.build.projection import Tables, project, projected

ALIKE = 70
"""So many positions of a map, and its documents are read by a template."""

VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-(10**20), 10**20), st.floats(), st.text(max_size=4), st.just([1]),
    st.sampled_from(["5.0", "5,0", "n/a", "", "1e-400", "2018/02/30 10:00:00", "2018/4/2 9:01", "\ud800"]),
)  # fmt: skip
CHANGES = st.lists(
    st.tuples(
        st.integers(0, ALIKE - 1),
        st.sampled_from(["info.json", "state.json"]),
        st.lists(
            st.tuples(
                st.sampled_from(
                    ["saveDate", "stage.x", "stage.z", "stage", "probe.acceleratingVoltage", "comment", "uuid",
                     "operator", "conditionUuid", "technique", "order"]
                ),
                VALUES,
            ),
            max_size=2,
        ),
        st.tuples(st.integers(0, 300), st.sampled_from(["", "", "", '"', "\\", "{", "}", ",", "\n", "\x00", "é"])),
    ),
    max_size=12,
)  # fmt: skip


def changed(files: dict[str, bytes], changes: Sequence[Any]) -> dict[str, bytes]:
    """The same files with other values, and signs where none belong, in documents of some positions."""
    found = dict(files)
    for number, name, values, (at, sign) in changes:
        path = f"data/p{number}/{name}"
        document = json.loads(files[path])
        for key, value in values:
            *parents, last = key.split(".")
            inner = document
            for parent in parents:
                inner = inner[parent] if isinstance(inner.get(parent), dict) else inner.setdefault(parent + "?", {})
            inner[last] = value
        text = json.dumps(document)
        found[path] = (text[:at] + sign + text[at:]).encode()
    return found


def made(files: dict[str, bytes]) -> Tables:
    return project(header(), member_table(files, ["data"]), documents_of(files))


@given(CHANGES, st.booleans())
@settings(deadline=None, max_examples=25)
def test_documents_that_are_read_by_templates_make_the_tables_that_a_parser_makes(
    changes: list[Any], many_settings: bool
) -> None:
    """Of a map whose documents differ as usual, among them odd and broken ones."""
    states = {f"p{n}": state(n / 7, -n, second=n, kv=str(n) if many_settings else "5.0") for n in range(ALIKE)}
    files = changed(group(states), changes)
    quick = made(files)
    with patch.object(Shapes, "match_all", lambda _, texts: [None] * len(texts)):
        slow = made(files)
    assert quick.keys() == slow.keys()
    for name, table in quick.items():
        assert repr(table.to_pylist()) == repr(slow[name].to_pylist()), name  # NaN is NaN, 0.0 is not -0.0


def archive(number: int) -> dict[str, bytes]:
    """Archives that share UUIDs and little else; every third one is generic."""
    if number % 3 == 2:
        return {"notes.json": b"{}", "data/p0/xes.data": b"no group", "a.txt": b""}
    states = {f"p{n}": state(n + number) for n in range(number % 4)}
    more = {"images/i/image.png": b"png", "images/i/info.json": b"{}", f"maps/m{number}/map.json": b"{}"}
    return (
        group(states, seed=str(number))
        | (more if number % 2 else {})
        | {f"data/q{number}/a-b.data": b"", "x.json": b"["}
    )


@pytest.mark.parametrize("count", [1, 2, 9])
def test_archives_together_make_the_tables_of_each_alone(count: int) -> None:
    archives = []
    for number in range(count):
        files = archive(number)
        kind = "sxes" if "metadata.json" in files else "generic"
        archives.append((header(place=number, kind=kind), member_table(files, ["data", "maps"]), documents_of(files)))
    together: dict[str, list[Any]] = {}
    for name, rows, _ in projected(archives, DocumentReader()):
        together.setdefault(name, []).extend(rows.to_pylist())
    alone: dict[str, list[Any]] = {}
    for each in archives:
        for name, table in project(*each).items():
            alone.setdefault(name, []).extend(table.to_pylist())
    assert together == alone
    assert len(together["archives"]) == count


def test_files_of_an_archive_by_their_paths() -> None:
    files = {
        "data/p/b.data": b"12", "data/p/a-b.data": b"3", "data/p/a.data": b"", "data/p/deep/x.data": b"",
        "data/x.data": b"", "data/q/é.data": b"4", "images/i/image.png": b"5", "images/i/info.json": b"{}",
        "maps/m/c.data": b"6", "backgrounds/f": b"7", "other/data/p/b.data": b"",
    }  # fmt: skip
    table = member_table(files, ["maps", "maps/m", "images"])
    found, nothing = member_files([table, table.slice(0, 0)])
    digests = {row["path"]: row["blake3"] for row in table.to_pylist()}
    said = b"".join(kind + b"\0" + digests[f"data/p/{kind.decode()}.data"] for kind in (b"a", b"a-b", b"b"))
    assert found.arrays == {
        "p": Arrays(["a", "a-b", "b"], said, 3),
        "q": Arrays(["é"], "é\0".encode() + digests["data/q/é.data"], 1),
    }
    assert found.below("maps") == [File("maps/m/c.data", 1, digests["maps/m/c.data"].hex())]
    assert [file.path for file in found.others] == ["backgrounds/f", "images/i/image.png", "maps/m/c.data"]
    assert (nothing.arrays, nothing.others) == ({}, [])
    assert member_files([pa.table(table.slice(0, 0))])[0].arrays == {}
