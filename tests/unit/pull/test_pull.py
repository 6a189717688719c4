"""Archives out: whole or not there at all, and never anywhere else."""

from __future__ import annotations

import hashlib
import io
import os
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from blake3 import blake3
from support.faults import FaultyStore
from support.internals import vault_of
from support.small_lakes import group, new_lake, own_store, zip_of

from sxeslake.archive.container import create_writer, open_container
from sxeslake.errors import (
    AlreadyExistsError,
    DamagedLakeError,
    InputError,
    MemberNotFoundError,
    SampleNotFoundError,
    UnsafeNameError,
)
from sxeslake.format import identity, keys
from sxeslake.format.logentry import ManifestAdded
from sxeslake.format.manifest import NO_DIGEST, SCHEMA, ManifestBuilder, footer_bytes
from sxeslake.lake import Lake
from sxeslake.model import MIB, Member
from sxeslake.vault.log.commit import blank_entry

CONTENTS = {**group(1, 3), "empty": b"", "Größe/日本.txt": b"25", "large": bytes(range(256)) * 40_000}
ATTRIBUTES_OF_A_DEVICE = 0o020644 << 16 | 0x8000


@pytest.fixture
def store(request: pytest.FixtureRequest) -> FaultyStore:
    return FaultyStore(own_store(request))


@pytest.fixture
def lake(store: FaultyStore, tmp_path: Path) -> Iterator[Lake]:
    with new_lake(store) as opened:
        opened.ingest(zip_of(tmp_path / "in" / "a.plzip", CONTENTS))
        yield opened


@pytest.fixture
def out(tmp_path: Path) -> Path:
    made = tmp_path / "out"
    made.mkdir()
    return made


def contents_of(path: Path) -> dict[str, bytes]:
    with open_container(path) as container:
        return {m.path: container.read(at) for at, m in enumerate(container.members) if m.kind == "file"}


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("suffix", [".plzip", ".zip", ".pl7z", ".7z"])
def test_a_file_is_what_its_suffix_says(lake: Lake, out: Path, suffix: str) -> None:
    path = out / f"x{suffix}"
    report = lake.pull("a", path)
    assert contents_of(path) == CONTENTS
    assert report.container == ("zip" if suffix in (".plzip", ".zip") else "7z")
    assert report.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (report.bytes_written, report.bytes_raw) == (path.stat().st_size, sum(map(len, CONTENTS.values())))
    assert (report.sample, report.version, report.path, report.members) == ("a", 1, str(path), len(CONTENTS))
    assert names_in(out) == [path.name]


def test_a_slash_at_the_end_is_a_folder(lake: Lake, out: Path) -> None:
    report = lake.pull("a", f"{out / 'deep' / 'x'}/")
    assert (report.container, report.sha256, report.renamed) == ("folder", None, [])
    assert contents_of(out / "deep" / "x") == CONTENTS
    assert names_in(out / "deep") == ["x"]


@pytest.mark.parametrize("level", [0, 1, 9])
def test_levels_change_the_size_only(lake: Lake, out: Path, level: int) -> None:
    lake.pull("a", out / "x.zip", level=level)
    assert contents_of(out / "x.zip") == CONTENTS


def test_equal_pulls_are_equal_bytes(lake: Lake, out: Path) -> None:
    for suffix in (".zip", ".7z"):
        assert lake.pull("a", out / f"1{suffix}").sha256 == lake.pull("a", out / f"2{suffix}", jobs=1).sha256


def test_the_default_is_the_name_of_the_source(lake: Lake, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(out)
    lake.pull("a")
    lake.pull("a", container="7z")
    lake.pull("a", container="folder")
    assert names_in(out) == ["a", "a.pl7z", "a.plzip"]
    assert (out / "a").is_dir()


def test_nothing_is_written_over(lake: Lake, out: Path) -> None:
    path = out / "x.zip"
    path.write_text("mine")
    with pytest.raises(AlreadyExistsError, match="there already"):
        lake.pull("a", path)
    assert path.read_text() == "mine"
    lake.pull("a", path, force=True)
    assert contents_of(path) == CONTENTS
    assert names_in(out) == ["x.zip"]


def test_a_folder_is_not_written_over(lake: Lake, out: Path) -> None:
    target = out / "x"
    target.mkdir()
    lake.pull("a", f"{target}/")  # an empty folder holds nothing to lose
    (target / "mine").write_text("mine")
    with pytest.raises(AlreadyExistsError):
        lake.pull("a", f"{target}/")
    with pytest.raises(InputError, match=r"1 file is here, of no version of a, and would be gone: mine\."):
        lake.pull("a", f"{target}/", force=True)
    assert (target / "mine").exists()
    (target / "mine").unlink()
    lake.pull("a", f"{target}/", force=True)
    assert contents_of(target) == CONTENTS
    assert names_in(out) == ["x"]


def test_a_file_is_not_written_over_by_a_folder(lake: Lake, out: Path) -> None:
    (out / "x").write_text("mine")
    with pytest.raises(AlreadyExistsError):
        lake.pull("a", f"{out / 'x'}/")
    assert (out / "x").read_text() == "mine"


def test_an_archive_never_takes_the_place_of_a_folder(lake: Lake, out: Path) -> None:
    (out / "x.zip").mkdir()
    with pytest.raises(InputError, match="this is a folder"):
        lake.pull("a", out / "x.zip", container="zip", force=True)
    assert names_in(out) == ["x.zip"]


def test_somebody_else_may_be_faster(lake: Lake, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, link = out / "x.zip", os.link

    def late(source: str, target: str, **named: Any) -> None:
        path.write_text("theirs")
        link(source, target, **named)

    monkeypatch.setattr(os, "link", late)
    with pytest.raises(AlreadyExistsError, match="meanwhile"):
        lake.pull("a", path)
    assert (path.read_text(), names_in(out)) == ("theirs", ["x.zip"])


@pytest.mark.parametrize("target", ["x.zip", "x.7z", "x/"])
@pytest.mark.parametrize("force", [False, True])
def test_a_failure_leaves_no_part_behind(lake: Lake, store: FaultyStore, out: Path, target: str, force: bool) -> None:
    if force:
        lake.pull("a", f"{out}/{target}")
        for path in filter(Path.is_file, (out / "x").rglob("*")):  # what the folder has is not asked of the lake
            path.write_bytes(b"mine")
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    for key in [info.key for info in store.list("packs/")]:
        data = bytearray(store.get(key))
        data[len(data) // 2] ^= 1
        store.replace(key, bytes(data))
    vault_of(lake).blobs._cache.clear()
    with pytest.raises(DamagedLakeError):
        lake.pull("a", f"{out}/{target}", force=force)
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before
    assert names_in(out) == ([target.rstrip("/")] if force else [])


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
def test_an_interruption_leaves_no_part_behind(
    lake: Lake, out: Path, monkeypatch: pytest.MonkeyPatch, error: type[BaseException]
) -> None:
    def interrupted(*given: object, **how: bool) -> None:
        raise error

    monkeypatch.setattr(vault_of(lake).blobs, "fetch", interrupted)
    for target in ("x.zip", "x/"):
        with pytest.raises(error):
            lake.pull("a", f"{out}/{target}")
    assert names_in(out) == []


def test_a_stream_gets_all_or_nothing(lake: Lake, store: FaultyStore) -> None:
    stream = io.BytesIO()
    report = lake.pull_to("a", stream, container="zip")
    assert zipfile.ZipFile(stream).namelist() == list(CONTENTS)
    assert (report.path, report.sha256) == ("-", hashlib.sha256(stream.getvalue()).hexdigest())
    store.delete([info.key for info in store.list("packs/")])
    vault_of(lake).blobs._cache.clear()
    nothing = io.BytesIO()
    with pytest.raises(DamagedLakeError):
        lake.pull_to("a", nothing, container="7z")
    assert nothing.getvalue() == b""


def test_a_folder_cannot_be_a_stream(lake: Lake) -> None:
    with pytest.raises(InputError, match="standard output"):
        lake.pull_to("a", io.BytesIO(), container="folder")


def test_what_is_not_there(lake: Lake, out: Path) -> None:
    with pytest.raises(SampleNotFoundError):
        lake.pull("b", out / "x.zip")
    with pytest.raises(MemberNotFoundError, match=r"no file 'nothing'.*lake\.members\(.a@1.\)"):
        lake.read("a", "nothing")
    assert names_in(out) == []


def test_a_large_member_is_streamed(lake: Lake) -> None:
    parts = list(lake.stream("a", "large"))
    assert (b"".join(parts), len(parts)) == (CONTENTS["large"], 3)
    assert max(map(len, parts)) <= 4 * MIB


def test_times_attributes_and_order_come_back(lake: Lake, tmp_path: Path, out: Path) -> None:
    members = [
        Member("z", "directory", modified_ns=1_583_000_000_123_456_700, attributes=0x41ED_8010),
        Member("z/b", "file", 1, modified_ns=1_500_000_000_000_000_100, attributes=0x81A0_8020),
        Member("a", "file", 1, modified_ns=1_400_000_000_000_000_000, attributes=0x8124_8021),
    ]
    for suffix in ("zip", "7z"):
        source = tmp_path / f"times-{suffix}.{suffix}"
        with source.open("wb") as file:
            writer = create_writer(file, suffix, comment=b"kept" if suffix == "zip" else b"")
            for member in members:
                writer.add(member, [b"x"] if member.kind == "file" else [])
            writer.close()
        lake.ingest(source)
        lake.pull(f"times-{suffix}", out / f"x.{suffix}")
        with open_container(source) as one, open_container(out / f"x.{suffix}") as two:
            assert list(one.members) == list(two.members)
            assert one.comment == two.comment


# --- hostile lakes -------------------------------------------------------------------------------------------------


def commit_members(lake: Lake, members: list[Member], **values: Any) -> None:
    """An archive of empty files and folders under any names, as only a hostile writer would make it."""
    vault = vault_of(lake)
    found = sorted(members, key=lambda member: member.path.encode())
    rows: list[dict[str, Any]] = [
        {
            "path": member.path,
            "ordinal": number,
            "directory": member.kind == "directory",
            "size": 0,
            "modified_ns": None,
            "attributes": member.attributes,
            "dos_time": None,
            "raw_name": None,
            "crc32": 0,
            "pack": None,
            "frame_offset": None,
            "frame_length": None,
            "blob_offset": None,
            "chunks": None,
            "blake3": NO_DIGEST if member.kind == "directory" else blake3(b"").digest(),
        }
        for number, member in enumerate(found)
    ]
    builder = ManifestBuilder()
    place = builder.add([pa.Table.from_pylist(rows, schema=SCHEMA)])
    data = builder.finish()
    footer, manifest_id = footer_bytes(data), keys.new_id()
    vault.store.create(keys.manifest_key(manifest_id), data)
    manifest = ManifestAdded(
        manifest_id, len(data), footer, blake3(data).hexdigest(), blake3(data[-footer:]).hexdigest()
    )
    content = identity.content_id((member, row["blake3"]) for member, row in zip(found, rows, strict=True))
    known = vault.state.versions("v.sample = 'a'")[0].archive
    archive = replace(
        known,
        sample="evil",
        version=1,
        manifest=manifest_id,
        first_group=place.first_group,
        groups=place.groups,
        rows=place.rows,
        content_id=content,
        members=len(rows),
        bytes_raw=0,
        needs=(),
        **values,
    )
    entry = replace(blank_entry("evil"), manifests=(manifest,), archives=(archive,))
    vault.commit(lambda head: replace(entry, number=head.number + 1, previous=head.digest))


HOSTILE = {
    "climbing": [Member("../evil", "file")],
    "climbing inside": [Member("a/../../evil", "file")],
    "absolute": [Member("/tmp/evil", "file")],
    "drive": [Member("C:\\evil", "file")],
    "backslash": [Member("..\\evil", "file")],
    "NUL": [Member("a\0b", "file")],
    "empty": [Member("", "file")],
    "device": [Member("a", "file", attributes=ATTRIBUTES_OF_A_DEVICE)],
    "folder that climbs": [Member("..", "directory")],
}


@pytest.mark.parametrize("target", ["x.zip", "x.7z", "x/"])
@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_names_are_never_written(lake: Lake, tmp_path: Path, out: Path, kind: str, target: str) -> None:
    commit_members(lake, HOSTILE[kind])
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(UnsafeNameError):
        lake.pull("evil", f"{out}/{target}")
    assert sorted(tmp_path.rglob("*")) == before


COLLIDING = {
    "twice": (["a.csv", "a.csv", "a.csv"], ["a.csv", "a~2.csv", "a~3.csv"]),
    "file and folder": (["a", "a/b"], ["a/b", "a~2"]),
    "normal forms": (["\u00e9", "e\u0301"], ["e\u0301", "\u00e9"]),
    "taken": (["a", "a~2", "a"], ["a", "a~2", "a~3"]),
}


@pytest.mark.parametrize("kind", COLLIDING)
def test_members_that_a_folder_cannot_hold_get_other_names(lake: Lake, out: Path, kind: str) -> None:
    paths, expected = COLLIDING[kind]
    commit_members(lake, [Member(path, "file") for path in paths])
    report = lake.pull("evil", f"{out}/x/")
    assert sorted(str(path.relative_to(out / "x")) for path in (out / "x").rglob("*") if path.is_file()) == expected
    assert len(report.renamed) == len(set(expected) - set(paths))
    for suffix in ("zip", "7z"):
        lake.pull("evil", f"{out}/x.{suffix}")
        with open_container(out / f"x.{suffix}") as opened:
            assert sorted(member.path for member in opened.members) == sorted(paths)
    assert lake.sync("evil", f"{out}/x").unchanged == len(paths)


@pytest.mark.parametrize("name", ["..", ".", "/etc/passwd", "../../evil", "a\0b", "", None])
def test_a_hostile_source_name_is_no_path(
    lake: Lake, out: Path, monkeypatch: pytest.MonkeyPatch, name: str | None
) -> None:
    source = {**vault_of(lake).state.versions()[0].archive.source, "name": name}
    commit_members(lake, [Member("fine", "file")], source=source)
    monkeypatch.chdir(out)
    before = sorted(out.parent.iterdir())
    lake.pull("evil", force=True)
    assert len(names_in(out)) == 1
    assert sorted(out.parent.iterdir()) == before


def test_harmless_oddities_come_out(lake: Lake, out: Path) -> None:
    commit_members(
        lake, [Member("a b", "file"), Member("日本", "directory"), Member("日本/x", "file"), Member("c.", "file")]
    )
    lake.pull("evil", out / "x.zip")
    with open_container(out / "x.zip") as container:
        assert sorted(member.path for member in container.members) == sorted(["a b", "日本", "日本/x", "c."])


def test_names_that_no_disk_holds_come_out_shorter_and_are_said(lake: Lake, tmp_path: Path) -> None:
    contents = {"a.txt": b"1", f"{'n' * 260}.txt": b"2", f"{'d' * 300}/{'e' * 300}": b"3", f"{'試' * 100}.txt": b"4"}
    lake.ingest(zip_of(tmp_path / "long.zip", contents))
    report = lake.pull("long", tmp_path / "out", container="folder")
    found = [path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert sorted(found) == sorted(contents.values())
    assert {before for before, _ in report.renamed} == contents.keys() - {"a.txt"}
    assert lake.sync("long", tmp_path / "out").unchanged == 4
    lake.pull("long", tmp_path / "again.zip", exact=False)
    with zipfile.ZipFile(tmp_path / "again.zip") as again:
        assert {name: again.read(name) for name in again.namelist()} == contents
