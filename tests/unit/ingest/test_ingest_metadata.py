"""What ingest says of an archive's metadata: what is too large, broken, macOS's own, or a folder too deep."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from sxeslake.archive.sxes.documents.bounds import PARSED_BYTES
from sxeslake.ingest.metadata import MetadataReader
from sxeslake.lake import init
from sxeslake.model import MIB, Limits

METADATA = b'{"projects":[],"analyses":[]}'


def test_large_json_is_said_of_any_archive() -> None:
    reader = MetadataReader(limit=100)
    reader.look("a.json", b" " * 101)
    reader.pass_over("b/metadata.json", 200)
    assert [warning.split(" is ")[0] for warning in reader.warnings()] == ["a.json", "b/metadata.json"]
    for number in range(40):
        reader.pass_over(f"{number}.json", 200)
    assert reader.warnings()[-1] == "and 22 more large JSON files"


def test_too_many_values_are_not_parsed() -> None:
    reader = MetadataReader()
    reader.look("metadata.json", b"[" + b"[]," * (PARSED_BYTES // 140) + b"0]")
    assert "holds too many values" in reader.warnings()[0]


def test_what_macos_adds_is_said_once() -> None:
    reader = MetadataReader()
    for name in ("__MACOSX/._metadata.json", "data/p/._info.json", "._x.json"):
        reader.look(name, b"\0\5\x16\7")
    assert reader.warnings() == ()
    reader.look("metadata.json", METADATA)
    (warning,) = reader.warnings()
    assert warning.startswith("3 files that macOS added")


def test_a_group_inside_a_folder_is_named() -> None:
    reader = MetadataReader()
    reader.look("map/metadata.json", METADATA)
    reader.look("other/metadata.json", b'{"title": "something else"}')
    (warning,) = reader.warnings()
    assert warning.startswith("map/metadata.json looks like that of a group inside a folder")
    reader.look("metadata.json", METADATA)
    assert reader.warnings() == ()


def test_a_bomb_of_json_is_stored_warned_of_and_asked_about(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("metadata.json", METADATA[:-1] + b',"x":[' + b"[1,2]," * MIB + b"0]}")
        made.writestr("small.json", b"{}")
    with init(str(tmp_path / "lake")) as lake:
        report = lake.ingest(tmp_path / "bomb.zip", limits=Limits(document_bytes=MIB))
        assert "metadata.json is larger than 1 MiB, so it is stored and not read" in report.archives[0].warnings[0]
        monkeypatch.setenv("SXESLAKE_DOCUMENT_LIMIT", "1MiB")
        found = lake.sql("SELECT path, readable, json FROM documents ORDER BY path").rows()
        assert found == [
            {"path": "metadata.json", "readable": False, "json": None},
            {"path": "small.json", "readable": True, "json": "{}"},
        ]
        assert lake.find("anything").rows() == []
        assert lake.checkpoint().parts
        assert lake.rebuild_catalog().equal
