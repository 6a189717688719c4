"""May this original be deleted? Only where the lake gives back all of it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from small_lakes import group, new_lake, objects, own_store, zip_of

from sxeslake.lake import Lake
from sxeslake.storage import Store


@pytest.fixture
def store(request: pytest.FixtureRequest) -> Store:
    return own_store(request)


@pytest.fixture
def lake(store: Store) -> Iterator[Lake]:
    with new_lake(store) as opened:
        yield opened


def test_each_file_is_held_against_the_lake(lake: Lake, store: Store, tmp_path: Path) -> None:
    stored = zip_of(tmp_path / "in" / "stored.plzip", group(1))
    changed = zip_of(tmp_path / "in" / "changed.plzip", group(2))
    lake.ingest([stored, changed])
    zip_of(changed, group(3))
    shutil.copy(stored, tmp_path / "in" / "elsewhere.zip")
    zip_of(tmp_path / "in" / "absent.plzip", group(4))
    (tmp_path / "in" / "notes.txt").write_text("x")
    (tmp_path / "in" / "broken.zip").write_bytes(b"PK\x03\x04 no zip")
    before = objects(store)
    rows = {Path(row.path).name: row for row in lake.audit(tmp_path / "in")}
    assert {name: (row.status, row.archive) for name, row in rows.items()} == {
        "stored.plzip": ("stored", "stored@1"),
        "elsewhere.zip": ("stored", "stored@1"),
        "changed.plzip": ("changed", "changed@1"),
        "absent.plzip": ("absent", None),
        "notes.txt": ("absent", None),
        "broken.zip": ("absent", None),
    }
    assert rows["notes.txt"].size == 1
    assert len(rows["stored.plzip"].sha256 or "") == 64
    assert objects(store) == before


def test_a_repack_is_stored_if_every_name_and_byte_is(lake: Lake, tmp_path: Path) -> None:
    lake.ingest(zip_of(tmp_path / "a.plzip", group(1)))
    lake.pull("a", tmp_path / "out" / "other.pl7z")
    zip_of(tmp_path / "out" / "more.plzip", {**group(1), "more": b"x"})
    zip_of(tmp_path / "out" / "less.plzip", group(1, 1))
    zip_of(tmp_path / "out" / "renamed.plzip", {f"x/{name}": data for name, data in group(1).items()})
    assert {Path(row.path).name: row.status for row in lake.audit(tmp_path / "out")} == {
        "other.pl7z": "stored",
        "more.plzip": "absent",
        "less.plzip": "absent",
        "renamed.plzip": "absent",
    }


def test_an_unpacked_group_is_held_against_the_lake(lake: Lake, tmp_path: Path) -> None:
    lake.ingest(zip_of(tmp_path / "a.plzip", group(1)))
    lake.pull("a", f"{tmp_path / 'folder'}/")
    lake.ingest(tmp_path / "folder")
    assert [(row.status, row.sha256) for row in lake.audit(tmp_path / "folder")] == [("stored", None)]
    (tmp_path / "folder" / "extra").write_text("x")
    assert [row.status for row in lake.audit(tmp_path / "folder")] == ["changed"]


def test_what_was_deleted_from_the_disk_is_not_missed(lake: Lake, tmp_path: Path) -> None:
    path = zip_of(tmp_path / "a.plzip", group(1))
    lake.ingest(path)
    path.unlink()
    assert lake.audit(tmp_path) == []
