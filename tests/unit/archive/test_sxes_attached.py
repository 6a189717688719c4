"""Documents and sources of a group: versions, vendor files rebuilt byte for byte, faults told."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.sxes_sources import CountingSource, sxes_source

from sxeslake.archive import FilePart, FreeDocument, Group, OriginalFile, VendorSource, create_group, open_group
from sxeslake.errors import DamagedArchiveError, InputError, MemberNotFoundError, SxeslakeError, UsageError

HEADER = b"QLW header"


def a_source(group: Group) -> VendorSource:
    """Two files of a position: one around its spectrum, one of text alone."""
    position = group.positions[0]
    there = FilePart(f"{position.folder}qlw.data", position.members["qlw.data"])
    pieces: list[bytes | FilePart] = [HEADER, there, b"\r\n"]
    return group.add_source("Ti_0001_QLW", [("Pos_0001/1.qlw", pieces), ("MAP.cnd", [b"$KV 15"])], tool="t")


def with_hashed(folder: str, value: object, **files: bytes) -> tuple[CountingSource, Group, str]:
    """The synthetic map with a hashed document as somebody else may have written it."""
    source = sxes_source()
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    digest = hashlib.sha256(raw).hexdigest()
    residue = {f"residue/{name}": data for name, data in files.items()}
    source = CountingSource({**source.contents, f"{folder}/{digest}.json": raw, **residue})
    return source, open_group(source), digest


def test_a_document_is_read_as_it_was_added(tmp_path: Path) -> None:
    group = open_group(sxes_source())
    made = group.add_document(
        {"Fe": 30.4}, schema="sxeslake/quant/1", about=[group.analyses[0], group.positions[0], group.projects[0]],
        by="A. Miner", created_at=datetime(2026, 3, 1, 12, tzinfo=UTC),
    )  # fmt: skip
    newer = group.add_document({"Fe": 30.5}, schema="sxeslake/quant/1", supersedes=made.id)
    group.save(tmp_path / "map.plzip")
    group.close()
    with open_group(tmp_path / "map.plzip") as group:
        found = group.documents[made.id]
        assert (found.data, found.schema, found.by, found.version, found.supersedes, found.created_at) == (
            {"Fe": 30.4}, "sxeslake/quant/1", "A. Miner", 1, None, "2026-03-01T12:00:00+00:00",
        )  # fmt: skip
        assert found.about == (
            ("analysis", group.analyses[0].uuid), ("position", group.positions.uuids[0]),
            ("project", group.projects[0].uuid),
        )  # fmt: skip
        assert (group.documents[newer.id].version, group.documents[newer.id].supersedes) == (2, made.id)
        assert repr(found) == "<FreeDocument of map.plzip: sxeslake/quant/1>"
        assert hashlib.sha256(found.raw).hexdigest() == found.id
        assert group.extensions == {"documents": 1}
        assert group.check() == ()


def test_what_is_no_document_is_refused() -> None:
    group = create_group()
    with pytest.raises(UsageError, match="must be JSON"):
        group.add_document({1, 2}, schema="s")
    with pytest.raises(MemberNotFoundError, match="no document 00 to supersede"):
        group.add_document(1, schema="s", supersedes="00")
    assert group.documents == {}


def test_a_vendors_files_come_back_byte_for_byte(tmp_path: Path) -> None:
    group = open_group(sxes_source())
    qlw = group.positions[0].raw("qlw")
    made = a_source(group)
    assert a_source(group).id == made.id
    group.save(tmp_path / "map.plzip")
    group.close()
    with open_group(tmp_path / "map.plzip") as group:
        (found,) = group.sources.values()
        assert (found.root, found.recipe.tool, found.missing) == ("Ti_0001_QLW", "t", set())
        assert [file.path for file in found.files] == ["Pos_0001/1.qlw", "MAP.cnd"]
        assert dict(found.rebuild()) == {"Pos_0001/1.qlw": HEADER + qlw + b"\r\n", "MAP.cnd": b"$KV 15"}
        assert repr(found) == "<VendorSource of map.plzip: Ti_0001_QLW>"
        assert len(group.source.children("residue/")) == 3
        assert group.extensions == {"sources": 1}
        assert group.check() == ()


def test_pieces_that_do_not_give_the_file_back_are_refused() -> None:
    group = create_group()
    file = OriginalFile("a", hashlib.sha256(b"ab").hexdigest(), 2, ())
    assert group.add_source("r", [(file, [b"a", b"b"]), (replace(file, path="b"), [b"ab"])]).files[0].size == 2
    with pytest.raises(UsageError, match="do not give its 2 bytes back"):
        group.add_source("r", [(file, [b"a", b"c"])])
    with pytest.raises(InputError, match=r"leaves its folder"):
        group.add_source("r", [(replace(file, path="../a"), [b"ab"])])
    there = len(group.source.children(""))
    beyond: list[bytes | FilePart] = [b"new", FilePart(f"residue/{file.sha256}", 1, 2)]
    with pytest.raises(DamagedArchiveError, match="ends before byte 3"):
        group.add_source("r", [("a", beyond)])
    assert len(group.source.children("")) == there


def test_a_changed_or_missing_member_is_told() -> None:
    group = open_group(sxes_source())
    made = a_source(group)
    position = group.positions[0]
    position.set_raw("qlw", bytes(position.members["qlw.data"]))
    with pytest.raises(DamagedArchiveError, match=r"1\.qlw is not rebuilt with the SHA-256 that it had"):
        list(made.rebuild())
    position.set_raw("qlw", b"short")
    with pytest.raises(DamagedArchiveError, match=r"has 5 bytes, and Pos_0001/1\.qlw needs 32,760"):
        list(made.rebuild())
    assert ["has 5 bytes" in str(warning) for warning in group.check()] == [True]
    group.edited.remove(f"{position.folder}qlw.data")
    with pytest.raises(MemberNotFoundError, match="Ti_0001_QLW cannot be rebuilt"):
        list(made.rebuild())


def file_of(**changes: Any) -> dict[str, Any]:
    part = {"member": "residue/r", "length": 1}
    return {"files": [{"path": "a", "sha256": "0" * 64, "size": 1, "parts": [part], **changes}]}


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (b"{", "not valid JSON"),
        ({}, "has no list of files"),
        ({"files": [1]}, "has no list of files"),
        (file_of(path=".."), "leaves its folder"),
        (file_of(path="/etc/passwd"), "is absolute"),
        (file_of(size=2), "the parts of a are 1 bytes, and it has 2"),
        (file_of(parts=[{"member": "residue/gone", "length": 1}]), "residue/gone is not there"),
        (
            file_of(size=1 << 50, parts=[{"member": "residue/r", "length": 1 << 50}]),
            "residue/r has 1 bytes, and a needs",
        ),
        (file_of(parts=[{"member": "residue/r", "length": -1}]), "lacks its member or length"),
    ],
)
def test_a_faulty_source_is_warned_of_and_everything_else_is_read(value: object, said: str) -> None:
    source, group, digest = with_hashed("sources", value, r=b"r")
    assert [warning.path for warning in group.check() if said in str(warning)] == [f"sources/{digest}.json"]
    with pytest.raises(SxeslakeError):
        list(group.sources[digest].rebuild())
    assert dict(group.source.read_many(list(source.contents))) == source.contents
    group.remove(group.positions[0])
    assert digest in group.sources
    target = create_group()
    target.copy(group.analyses[0], target.add_project("p"))
    assert target.sources == {}


def test_a_file_that_repeats_a_few_bytes_without_end_takes_no_memory() -> None:
    _, group, digest = with_hashed(
        "sources",
        file_of(size=40 << 20, parts=[{"member": "residue/r", "length": 1 << 20}] * 40),
        r=bytes(1 << 20),
    )
    with pytest.raises(DamagedArchiveError, match="a is 41,943,040 bytes made of 1,048,576"):
        list(group.sources[digest].rebuild())


@pytest.mark.parametrize("value", [b"{", b"[]", b'"text"', b'{"about":1,"version":"x","supersedes":[]}'])
def test_a_faulty_document_is_read_as_far_as_it_goes(value: bytes) -> None:
    source, group, digest = with_hashed("documents", value)
    found = group.documents[digest]
    assert (found.schema, found.version, found.about, found.data, found.supersedes) == ("", 1, (), None, None)
    group.check()
    group.remove(group.positions[0])
    assert source.reads[found.path] == 1
    assert group.source.read(found.path) == value


def test_a_name_that_is_not_the_hash_is_warned_of() -> None:
    source = sxes_source()
    source = CountingSource({**source.contents, f"documents/{'0' * 64}.json": b"{}", "documents/note.txt": b"x"})
    group = open_group(source)
    assert list(group.documents) == ["0" * 64]
    assert "its name is not the SHA-256" in str(group.check())


def test_removing_a_source_takes_its_own_residue_along() -> None:
    group = open_group(sxes_source())
    made = a_source(group)
    other = group.add_source("Ti_0002_QLW", [("MAP.cnd", [b"$KV 15"])])
    assert isinstance(group.add_document(1, schema="s", about=[]), FreeDocument)
    group.remove(made)
    assert list(group.sources) == [other.id]
    assert [path for path, _ in other.rebuild()] == ["MAP.cnd"]
    assert len(group.source.children("residue/")) == 1
    group.remove(other)
    assert group.source.children("residue/") == []


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["files", "path", "sha256", "size", "parts", "member", "length", "offset", "root", "about",
                         "position", "supersedes", "version", "schema", "mtime"]), inner, max_size=4),
    max_leaves=20,
)  # fmt: skip


@given(value=JSON, folder=st.sampled_from(["documents", "sources"]))
def test_no_json_makes_anything_crash(value: object, folder: str) -> None:
    _, group, digest = with_hashed(folder, value, r=b"r")
    group.check()
    assert repr([*group.documents.values(), *group.sources.values()])
    for source in group.sources.values():
        with suppress(SxeslakeError):
            list(source.rebuild())
    target = create_group()
    target.copy(group.projects[0])
    group.remove(group.positions[0])
    _ = target.source, group.source
    assert digest in {**group.documents, **group.sources} or folder == "documents"
