"""Folders of instruments into a lake: recognised by themselves, converted as they come in, stored once."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.small_lakes import group, new_lake, own_store, zip_of
from support.vendor_files import real_vendor_files
from support.vendor_qlw import raw_directory
from support.vendor_session import hashes, session

import sxeslake
from sxeslake.archive.synthetic import synthetic_map
from sxeslake.errors import NotFoundError
from sxeslake.ingest.discovery import find
from sxeslake.ingest.vendors import Form, of_vendors
from sxeslake.lake import Lake
from sxeslake.model import Limits
from sxeslake.vendor.tree import FolderTree
from sxeslake.vendor.writing.convert import convert


@pytest.fixture
def lake(request: pytest.FixtureRequest) -> Iterator[Lake]:
    with new_lake(own_store(request)) as opened:
        yield opened


def blobs_of(lake: Lake, ref: str, *suffixes: str) -> dict[str, str | None]:
    """Members and their hashes: arrays and dark frames only."""
    return {
        row.path: row.blake3
        for row in lake.members(ref)
        if row.path.endswith(suffixes) or row.path.startswith("backgrounds/")
    }


def test_a_folder_becomes_a_sample_and_comes_back(lake: Lake, tmp_path: Path) -> None:
    raw = session(tmp_path)
    [archive] = lake.ingest(raw).archives
    assert (archive.status, archive.sample, archive.kind) == ("added", "session 12", "sxes")
    assert archive.bytes_source == sum(path.stat().st_size for path in raw.rglob("*") if path.is_file())
    assert archive.converted is not None
    assert archive.converted.startswith("5 analyses, 4 positions, 1 map")
    assert len(lake["session 12"].positions) == 4
    report = lake.originals("session 12", tmp_path / "back")
    assert (report.sample, report.version) == ("session 12", 1)
    assert hashes(tmp_path / "back") == hashes(raw)


def test_an_unchanged_folder_is_unchanged_and_a_grown_one_adds_what_is_new(lake: Lake, tmp_path: Path) -> None:
    raw = session(tmp_path, 3)
    aside = raw / "steel_0001_QLW" / "Pos_0003"
    shutil.move(aside, tmp_path / "later")
    lake.ingest(raw)
    assert [archive.status for archive in lake.ingest(raw).archives] == ["unchanged"]
    before = blobs_of(lake, "session 12@1", ".data")
    shutil.move(tmp_path / "later", aside)
    with (aside / "data001.qlw").open("r+b") as spectrum:
        spectrum.seek(4000)
        spectrum.write(b"other")
    [archive] = lake.ingest(raw).archives
    assert (archive.status, archive.version) == ("added", 2)
    after = blobs_of(lake, "session 12@2", ".data")
    assert before.items() <= after.items()
    new = {path for path in after if after[path] not in before.values()}
    assert [path.rpartition("/")[2] for path in new] == ["qlw.data"]


def test_what_another_converter_made_of_it_is_stored_once(lake: Lake, tmp_path: Path) -> None:
    """A synthetic archive, and the directory that the instrument would have written for it."""
    members = {member.path: data for member, data in synthetic_map(3, 2, 2)}
    uuids = sorted({path.split("/")[1] for path in members if path.startswith("data/")})
    raw_directory(tmp_path / "steel_0001_QLW", members, uuids)
    lake.ingest(zip_of(tmp_path / "made.plzip", members))
    lake.ingest(tmp_path / "steel_0001_QLW")
    mine = blobs_of(lake, "steel_0001_QLW", "xes.data", "qlw.data")
    assert len(mine) == 2 * len(uuids) + 1
    assert set(mine.values()) <= set(blobs_of(lake, "made", "xes.data", "qlw.data").values())


def test_a_real_archive_and_its_directory_are_stored_once(lake: Lake, real_archive: Path, tmp_path: Path) -> None:
    tree = real_vendor_files()
    assert isinstance(tree, FolderTree)
    program = map(str, (sys.executable, tree.root / "make_qlw.py", real_archive, tmp_path / "raw"))
    subprocess.run(list(program), check=True, capture_output=True)
    lake.ingest(real_archive)
    lake.ingest(tmp_path / "raw")
    mine = blobs_of(lake, "raw", "xes.data", "qlw.data")
    assert len(mine) >= 5
    assert set(mine.values()) <= set(blobs_of(lake, "test", "xes.data", "qlw.data").values())


def test_archives_and_vendor_folders_lie_side_by_side(lake: Lake, tmp_path: Path) -> None:
    """Folders without archives are one sample each, the highest that has none."""
    root = tmp_path / "share"
    zip_of(root / "2018" / "map.plzip", group(1))
    session(root / "2019")
    session(root / "2018" / "raw")
    (root / "readme.txt").write_text("nothing of an instrument")
    report = lake.ingest(root)
    assert sorted(str(archive.sample) for archive in report.archives) == ["2018/map", "2018/raw", "2019"]
    assert report.unrecognised == [str(root / "readme.txt")]
    assert not report.failed


def test_a_file_that_is_named_is_converted(lake: Lake, tmp_path: Path) -> None:
    spectrum = session(tmp_path) / "spots" / "a.psmsa"
    [archive] = lake.ingest(spectrum).archives
    assert (archive.status, archive.sample) == ("added", "a.psmsa")
    lake.originals("a.psmsa", tmp_path / "back")
    assert hashes(tmp_path / "back") == {"a.psmsa": hashes(spectrum.parent)["a.psmsa"]}
    assert [archive.status for archive in lake.ingest(spectrum).archives] == ["unchanged"]


@pytest.mark.parametrize(("form", "vendor"), [("auto", [True]), ("vendor", [True]), ("tree", [False])])
def test_what_a_folder_is_taken_for(tmp_path: Path, form: Form, vendor: list[bool]) -> None:
    raw = session(tmp_path)
    found = of_vendors(find([raw], tree=form == "tree"), [raw], form)
    assert [candidate.vendor for candidate in found.archives] == vendor
    assert found.unrecognised == []


def test_a_folder_of_nothing_is_told_what_to_do(lake: Lake, tmp_path: Path) -> None:
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "a.txt").write_text("a")
    with pytest.raises(NotFoundError, match="no archive is in there") as error:
        lake.ingest(tmp_path / "texts")
    assert "tree" in str(error.value)
    [archive] = lake.ingest(tmp_path / "texts", as_="vendor").archives
    assert archive.status == "failed"
    assert archive.error is not None
    assert "no file of an instrument" in archive.error
    assert [each.status for each in lake.ingest(tmp_path / "texts", as_="tree").archives] == ["added"]


def test_a_dry_run_says_what_would_be_converted(lake: Lake, tmp_path: Path) -> None:
    [archive] = lake.ingest(session(tmp_path), dry_run=True).archives
    assert archive.converted is not None
    assert lake.ls() == []
    found = lake.survey(tmp_path / "session 12")
    assert found.total.archives == 1


def test_limits_hold(lake: Lake, tmp_path: Path) -> None:
    [archive] = lake.ingest(session(tmp_path), limits=Limits(members=10)).archives
    assert archive.status == "failed"
    assert archive.error is not None
    assert "more than the 10 allowed" in archive.error


@pytest.mark.skipif(os.name == "nt", reason="Windows has no pipes in folders")
def test_what_cannot_be_taken_is_a_failure(lake: Lake, tmp_path: Path) -> None:
    raw = session(tmp_path)
    os.mkfifo(raw / "pipe")
    report = lake.ingest(raw, as_="vendor")
    [archive] = report.archives
    assert archive.status == "added"
    assert archive.left_out == ("pipe: a pipe, a socket or a device, not a file",)
    assert report.failed


def test_odd_things_are_told_and_a_thousand_of_them_are_counted(lake: Lake, tmp_path: Path) -> None:
    raw = session(tmp_path, 30)
    for condition in (raw / "steel_0001_QLW").glob("Pos_*/data001.cnd"):
        condition.unlink()
    [archive] = lake.ingest(raw).archives
    assert sum("no data001.cnd" in warning for warning in archive.warnings) <= 20
    assert any("more odd things" in warning for warning in archive.warnings)


def test_a_version_without_originals_says_so(lake: Lake, tmp_path: Path) -> None:
    lake.ingest(zip_of(tmp_path / "map.plzip", group(1)))
    with pytest.raises(NotFoundError, match="no originals"):
        lake.originals("map", tmp_path / "back")
    assert not (tmp_path / "back").exists()


def test_metadata_is_that_of_the_files(lake: Lake, tmp_path: Path) -> None:
    lake.ingest(session(tmp_path))
    metadata = json.loads(lake.read("session 12", "metadata.json"))
    assert {analysis["name"] for analysis in metadata["analyses"]} >= {"steel_0001_QLW", "Ti_0002_MAP", "spots"}


def test_an_audit_knows_which_files_come_back(lake: Lake, tmp_path: Path) -> None:
    raw = session(tmp_path)
    assert {row.status for row in lake.audit(raw)} == {"absent"}
    lake.ingest(raw)
    (raw / "notes.txt").write_text("other")
    (raw / "unknown.bin").rename(raw / "renamed.bin")
    rows = {Path(row.path).relative_to(raw).as_posix(): row for row in lake.audit(raw, check_data=True)}
    assert len(rows) == len(hashes(raw))
    assert {name for name, row in rows.items() if row.status != "stored"} == {"notes.txt"}
    stored = rows["renamed.bin"]
    assert (stored.archive, stored.exact, stored.checked) == ("session 12@1", True, "data")
    assert "originals" in str(stored.reason)


def test_an_audit_calls_nothing_stored_that_is_not_kept(lake: Lake, tmp_path: Path) -> None:
    """Of a version that was forgotten, and of one without originals."""
    raw = session(tmp_path)
    convert(raw, tmp_path / "made.plzip", originals="none")
    lake.ingest(tmp_path / "made.plzip")
    assert {row.status for row in lake.audit(raw)} == {"absent"}
    lake.ingest(raw)
    lake.forget("session 12")
    assert "stored" not in {row.status for row in lake.audit(raw)}


def test_a_lake_beside_vendor_files_is_none_of_them(tmp_path: Path) -> None:
    raw = session(tmp_path)
    with sxeslake.init(str(tmp_path / "lake")) as lake:
        for _ in range(2):
            report = lake.ingest(tmp_path)
            assert [archive.path for archive in report.archives] == [str(raw)]
            assert report.archives[0].sample == "session 12"
        assert report.archives[0].status == "unchanged"


def test_a_merge_knows_a_measurement_that_was_converted_before(lake: Lake, tmp_path: Path) -> None:
    members = {member.path: data for member, data in synthetic_map(3, 2, 2)}
    uuids = sorted({path.split("/")[1] for path in members if path.startswith("data/")})
    raw_directory(tmp_path / "steel_0001_QLW", members, uuids)
    lake.ingest([zip_of(tmp_path / "made.plzip", members), tmp_path / "steel_0001_QLW"])
    report = lake.pull_part(["made", "steel_0001_QLW"], tmp_path / "both.plzip", merge=True)
    assert report.positions == len(uuids)


def test_who_asks_to_end_is_heard_while_a_folder_is_planned(lake: Lake, tmp_path: Path) -> None:
    class Impatient:
        def done(self, *_: object) -> None: ...

        def kept(self, *_: object) -> None: ...

        def asked_to_end(self) -> bool:
            return True

    with pytest.raises(KeyboardInterrupt):
        lake.ingest(session(tmp_path), watcher=Impatient())
    assert lake.ls() == []


def test_a_converted_archive_and_its_folder_are_one_content(lake: Lake, tmp_path: Path) -> None:
    """Spectra, maps of several elements and pictures: whichever comes first, the other adds nothing."""
    raw = session(tmp_path)
    convert(raw, tmp_path / "made.pl7z")
    lake.ingest(tmp_path / "made.pl7z")
    [archive] = lake.ingest(raw).archives
    assert (archive.blobs_new, archive.duplicate_of) == (0, "made@1")
