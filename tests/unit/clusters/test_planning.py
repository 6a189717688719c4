"""Plans: what is searched, what is put together, what is kept by the next run, and files that are no plans."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from support.small_lakes import group, zip_of

import sxeslake
from sxeslake.archive.container import open_container
from sxeslake.archive.folder import FolderReader
from sxeslake.archive.synthetic import MapPlan, map_members, write_archive
from sxeslake.clusters import rows as plan_rows
from sxeslake.clusters.planfile import read_plan
from sxeslake.errors import AlreadyExistsError, InputError, NotFoundError, UsageError
from sxeslake.ingest.discovery import find


@pytest.fixture
def drive(tmp_path: Path) -> Path:
    """Two maps, a copy, another container of one, a part of the other, and files beside them."""
    folder = tmp_path / "drive"
    for name, plan in (("2019/a.plzip", MapPlan(1, 2, 2)), ("b.plzip", MapPlan(2, 3, 2)), ("c.plzip", MapPlan(3, 2, 1)),
                       ("part.plzip", MapPlan(2, 3, 2, keep=4))):  # fmt: skip
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        write_archive(folder / name, map_members(plan))
    write_archive(folder / "2019/other.pl7z", map_members(MapPlan(1, 2, 2)))
    (folder / "backup").mkdir()
    shutil.copyfile(folder / "c.plzip", folder / "backup/copy of it.plzip")
    (folder / "notes.txt").write_text("no archive")
    return folder


def test_a_plan_has_what_an_ingest_finds_and_puts_likely_duplicates_together(drive: Path, tmp_path: Path) -> None:
    out = tmp_path / "plan.parquet"
    report = sxeslake.plan(drive, out)
    rows = {str(row.path.relative_to(drive)): row for row in read_plan(out).rows}
    found = find([drive])
    assert {row.candidate for row in rows.values()} == set(found.archives)
    assert report.unrecognised == [str(drive / "notes.txt")]
    assert rows["2019/a.plzip"].group == rows["2019/other.pl7z"].group, "equal members in another container"
    assert rows["c.plzip"].sha256 == rows["backup/copy of it.plzip"].sha256 is not None
    assert rows["c.plzip"].group == rows["backup/copy of it.plzip"].group
    assert len({rows[name].group for name in ("2019/a.plzip", "b.plzip", "c.plzip")}) == 3
    assert (report.archives, report.copies, report.failed) == (6, 1, False)
    table = pq.read_table(out)
    assert table["group"].to_pylist() == sorted(table["group"].to_pylist())
    of_group: dict[int, int] = {}
    for row in rows.values():
        of_group[row.group] = of_group.get(row.group, 0) + row.size
    assert [of_group[number] for number in sorted(of_group)] == sorted(of_group.values(), reverse=True)


def test_sketches_find_a_part_of_an_archive(drive: Path) -> None:
    whole, part = (set(plan_rows._sketch(drive / name)) for name in ("b.plzip", "part.plzip"))
    assert len(whole & part) >= 2
    assert not whole & set(plan_rows._sketch(drive / "2019/a.plzip"))


def test_the_next_plan_reads_only_what_has_changed(
    drive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "plan.parquet"
    sxeslake.plan(drive, out)
    before = {row.path: row for row in read_plan(out).rows}
    write_archive(drive / "b.plzip", map_members(MapPlan(7, 3, 2)))
    os.utime(drive / "b.plzip", ns=(1, 1))
    zip_of(drive / "new.zip", group(9))
    (drive / "c.plzip").unlink()
    read: list[Path] = []

    def noted(path: Path) -> Any:
        read.append(path)
        return open_container(path)

    monkeypatch.setattr(plan_rows, "open_container", noted)
    report = sxeslake.plan(drive, out)
    assert sorted(read) == [drive / "b.plzip", drive / "new.zip"]
    after = {row.path: row for row in read_plan(out).rows}
    assert after.keys() == before.keys() - {drive / "c.plzip"} | {drive / "new.zip"}
    assert after[drive / "b.plzip"].sketch != before[drive / "b.plzip"].sketch
    assert after[drive / "2019/a.plzip"].sha256 == before[drive / "2019/a.plzip"].sha256
    assert report.reused == 4


def test_an_interrupted_plan_is_continued_and_not_ingested(
    drive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, hashed = tmp_path / "plan.parquet", plan_rows.hashed

    def interrupted(rows: Any) -> Any:
        raise KeyboardInterrupt
        yield

    monkeypatch.setattr("sxeslake.clusters.planning.hashed", interrupted)
    with pytest.raises(KeyboardInterrupt):
        sxeslake.plan(drive, out)
    with sxeslake.init(str(tmp_path / "lake")) as lake, pytest.raises(InputError, match="not complete"):
        lake.ingest(plan=out)
    monkeypatch.setattr("sxeslake.clusters.planning.hashed", hashed)
    assert sxeslake.plan(drive, out).reused == 6
    assert read_plan(out).complete


def test_names_that_are_no_utf_8_and_strange_times_survive(tmp_path: Path) -> None:
    name = os.fsdecode(b"2019\x8e \\x8e.zip")
    try:
        zip_of(tmp_path / "in" / name, group(1))
    except OSError:
        pytest.skip("this file system takes no such name")
    os.utime(tmp_path / "in" / name, ns=(0, -5_000_000_001))
    sxeslake.plan(tmp_path / "in", tmp_path / "plan.parquet")
    (row,) = read_plan(tmp_path / "plan.parquet").rows
    assert (row.path, row.relative) == (tmp_path / "in" / name, Path(name))
    assert not row.has_changed()


def test_group_folders_are_planned_and_their_changes_seen(tmp_path: Path) -> None:
    for path, data in group(1).items():
        (tmp_path / "in/map" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in/map" / path).write_bytes(data)
    sxeslake.plan(tmp_path / "in", tmp_path / "plan.parquet")
    (row,) = read_plan(tmp_path / "plan.parquet").rows
    assert (row.kind, row.size) == ("folder", sum(map(len, group(1).values())))
    assert len(FolderReader(row.path).members) >= len(group(1))
    assert not row.has_changed()
    (tmp_path / "in/map/data/new.json").write_text("{}")
    assert row.has_changed()


def test_no_other_file_is_taken_for_a_plan_or_replaced_by_one(drive: Path, tmp_path: Path) -> None:
    text, other = tmp_path / "notes.txt", tmp_path / "rows.parquet"
    text.write_text("mine")
    pq.write_table(pq.read_table(sxeslake.plan(drive, tmp_path / "p").path).replace_schema_metadata(None), other)
    for path in (text, other):
        before = path.read_bytes()
        with pytest.raises(AlreadyExistsError, match="not a plan"):
            sxeslake.plan(drive, path)
        with pytest.raises(InputError, match="not a plan"):
            read_plan(path)
        assert path.read_bytes() == before
    whole = (tmp_path / "p").read_bytes()
    (tmp_path / "cut").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="not a plan"):
        read_plan(tmp_path / "cut")
    with pytest.raises(InputError, match="folder"):
        read_plan(tmp_path)
    with pytest.raises(NotFoundError):
        read_plan(tmp_path / "nothing")
    with pytest.raises(NotFoundError):
        sxeslake.plan(tmp_path / "nothing", tmp_path / "p")
    with pytest.raises(UsageError):
        sxeslake.plan([], tmp_path / "p")
    with pytest.raises(UsageError, match="file"):
        sxeslake.plan(drive, "/dev/stdout")


def test_a_plan_of_another_version_is_said_to_be_one(drive: Path, tmp_path: Path) -> None:
    out = tmp_path / "plan.parquet"
    sxeslake.plan(drive, out)
    table = pq.read_table(out)
    pq.write_table(table.replace_schema_metadata({b"sxeslake.plan": b'{"version": 9}'}), out)
    with pytest.raises(InputError, match="another version"):
        read_plan(out)
    assert sxeslake.plan(drive, out).reused == 0
    assert read_plan(out).complete


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the superuser may read everything")
def test_a_file_that_cannot_be_read_is_named(drive: Path, tmp_path: Path) -> None:
    (drive / "c.plzip").chmod(0)
    report = sxeslake.plan(drive, tmp_path / "plan.parquet")
    assert [each.path for each in report.missed] == [str(drive / "c.plzip")]
    assert report.failed
