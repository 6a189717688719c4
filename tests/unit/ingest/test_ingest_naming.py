"""Under which name an archive lives: what continues a sample gains a version, what does not gets a name of its own."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

import pytest
from support.small_lakes import counts, group, new_lake, own_store, zip_of

from sxeslake.errors import UsageError
from sxeslake.ingest import discovery as finding
from sxeslake.ingest.report import ArchiveReport, IngestReport
from sxeslake.lake import Lake


@pytest.fixture
def lake(request: pytest.FixtureRequest) -> Iterator[Lake]:
    with new_lake(own_store(request)) as opened:
        yield opened


def only(report: IngestReport) -> ArchiveReport:
    (archive,) = report.archives
    return archive


def placed(report: IngestReport) -> tuple[str | None, int | None, str]:
    archive = only(report)
    return archive.sample, archive.version, archive.status


@pytest.mark.parametrize("at_once", [True, False])
def test_twenty_strangers_of_one_name_stay_twenty(lake: Lake, tmp_path: Path, at_once: bool) -> None:
    paths = [zip_of(tmp_path / f"day-{seed}" / "test.plzip", group(seed)) for seed in range(1, 21)]
    archives = lake.ingest(paths).archives if at_once else [only(lake.ingest(path)) for path in paths]
    assert [archive.sample for archive in archives] == ["test", *(f"test-{number}" for number in range(2, 21))]
    assert {archive.version for archive in archives} == {1}
    assert [archive.renamed_from for archive in archives] == [None, *["test"] * 19]
    assert len(lake.ls()) == 20
    for path, archive in zip(paths, archives, strict=True):
        assert lake.show(f"{archive.sample}").source.path == str(path)


def test_an_analysis_in_common_continues(lake: Lake, tmp_path: Path) -> None:
    lake.ingest(zip_of(tmp_path / "a" / "test.plzip", group(1)))
    other = {**group(2), "metadata.json": group(1, comment="more")["metadata.json"]}
    assert placed(lake.ingest(zip_of(tmp_path / "b" / "test.plzip", other))) == ("test", 2, "added")


def test_an_array_in_common_continues(lake: Lake, tmp_path: Path) -> None:
    lake.ingest(zip_of(tmp_path / "a" / "test.plzip", group(1)))
    other = {**group(2), "data/other/xes.data": counts(1000)}  # of seed 1, under another name
    assert placed(lake.ingest(zip_of(tmp_path / "b" / "test.plzip", other))) == ("test", 2, "added")


def test_the_same_place_continues(lake: Lake, tmp_path: Path) -> None:
    path = tmp_path / "test.plzip"
    lake.ingest(zip_of(path, group(1)))
    assert placed(lake.ingest(zip_of(path, group(2)))) == ("test", 2, "added")


def test_a_name_that_is_asked_for_continues(lake: Lake, tmp_path: Path) -> None:
    lake.ingest(zip_of(tmp_path / "a.plzip", group(1)), sample="mine")
    assert placed(lake.ingest(zip_of(tmp_path / "b.plzip", group(2)), sample="mine")) == ("mine", 2, "added")


def test_equal_shared_files_do_not_continue(lake: Lake, tmp_path: Path) -> None:
    """Conditions, empty states and blank arrays are alike by chance."""
    shared = {
        "conditions/x.json": b"{}",
        "data/a/state.json": b"{}",
        "data/a/dark.data": bytes(400),
        "readme": b"hello",
    }
    lake.ingest(zip_of(tmp_path / "a" / "test.plzip", {**group(1), **shared}))
    assert placed(lake.ingest(zip_of(tmp_path / "b" / "test.plzip", {**group(2), **shared}))) == ("test-2", 1, "added")


@pytest.mark.parametrize("uuid", ["", "00000000-0000-0000-0000-000000000000", "x" * 65, "é", "\ud800", None, 5, {}])
def test_uuids_that_tell_nothing_apart_do_not_continue(lake: Lake, tmp_path: Path, uuid: object) -> None:
    metadata = json.dumps({"analyses": [{"uuid": uuid}]}).encode()
    lake.ingest(zip_of(tmp_path / "a" / "test.plzip", {**group(1), "metadata.json": metadata}))
    second = lake.ingest(zip_of(tmp_path / "b" / "test.plzip", {**group(2), "metadata.json": metadata}))
    assert placed(second) == ("test-2", 1, "added")


@pytest.mark.parametrize(
    "metadata", [b"", b"[]", b"null", b'{"analyses":5}', b'{"analyses":[5,null]}', b"\xff{", b"[" * 9000]
)
def test_broken_metadata_is_stored_with_a_warning(lake: Lake, tmp_path: Path, metadata: bytes) -> None:
    report = only(lake.ingest(zip_of(tmp_path / "a.plzip", {"metadata.json": metadata})))
    assert (report.status, report.kind) == ("added", "sxes")
    assert lake.read("a", "metadata.json") == metadata
    is_json = metadata not in (b"", b"\xff{", b"[" * 9000)  # the others are JSON, and say nothing
    assert [warning.split(" ")[0] for warning in report.warnings] == ([] if is_json else ["metadata.json"])


def test_the_same_archive_is_unchanged_wherever_it_lies(lake: Lake, tmp_path: Path) -> None:
    first = zip_of(tmp_path / "a" / "test.plzip", group(1))
    lake.ingest(first)
    assert placed(lake.ingest(first)) == ("test", 1, "unchanged")
    (tmp_path / "b").mkdir()
    copy = Path(shutil.copy(first, tmp_path / "b" / "test.plzip"))
    assert placed(lake.ingest(copy)) == ("test", 1, "unchanged")
    assert lake.ingest(copy).commit is None


def test_a_copy_is_one_more_path_whatever_it_is_called(lake: Lake, tmp_path: Path) -> None:
    first = zip_of(tmp_path / "a.plzip", group(1))
    lake.ingest(first)
    for place in ("b.plzip", "deep/a.plzip", "deep/c.zip"):
        (tmp_path / place).parent.mkdir(exist_ok=True)
        copy = Path(shutil.copy(first, tmp_path / place))
        report = lake.ingest(copy)
        assert (*placed(report), only(report).path_added) == ("a", 1, "unchanged", True)
        assert lake.ingest(tmp_path).commit is None  # through the folder above, too
    assert [path.path for path in lake.show("a").paths] == [
        str(tmp_path / name) for name in ("a.plzip", "b.plzip", "deep/a.plzip", "deep/c.zip")
    ]
    assert [row.sample for row in lake.ls()] == ["a"]


def test_copies_of_one_run_are_one_version(lake: Lake, tmp_path: Path) -> None:
    first = zip_of(tmp_path / "in" / "a.plzip", group(1))
    (tmp_path / "in" / "deep").mkdir()
    shutil.copy(first, tmp_path / "in" / "deep" / "z.plzip")
    report = lake.ingest(tmp_path / "in")
    assert [(archive.sample, archive.status) for archive in report.archives] == [("a", "added"), ("a", "unchanged")]
    assert [path.name for path in lake.show("a").paths] == ["a.plzip", "z.plzip"]


def test_a_file_is_known_by_its_path_whatever_folder_is_searched(lake: Lake, tmp_path: Path) -> None:
    path = zip_of(tmp_path / "2019" / "map.plzip", group(1))
    assert placed(lake.ingest(tmp_path / "2019"))[0] == "map"
    zip_of(path, group(2))
    assert placed(lake.ingest(tmp_path)) == ("map", 2, "added")


def test_a_name_that_is_insisted_on_gets_the_file_all_the_same(lake: Lake, tmp_path: Path) -> None:
    path = zip_of(tmp_path / "a.plzip", group(1))
    lake.ingest(path)
    assert placed(lake.ingest(path, sample="mine")) == ("mine", 1, "added")
    assert lake.ingest(path).commit is None


def test_an_earlier_state_that_is_back_is_the_newest_of_its_path(lake: Lake, tmp_path: Path) -> None:
    path = zip_of(tmp_path / "a.plzip", group(1))
    before = path.read_bytes()
    lake.ingest(path)
    lake.ingest(zip_of(path, group(2)))
    path.write_bytes(before)
    report = lake.ingest(path)
    assert (*placed(report), only(report).path_added) == ("a", 1, "unchanged", True)
    assert lake.ingest(path).commit is None


def test_a_repacked_file_is_a_version_of_its_own(lake: Lake, tmp_path: Path) -> None:
    """Names, contents and times are the same; its bytes must come back, too."""
    files = {**group(1), "notes.txt": b"word " * 5000}
    path, packed = tmp_path / "a.zip", []
    for level in (1, 9):
        with ZipFile(path, "w") as archive:
            for name, data in files.items():
                archive.writestr(ZipInfo(name, (2020, 1, 1, 0, 0, 0)), data, ZIP_DEFLATED, level)
        packed.append(path.read_bytes())
        lake.ingest(path)
    assert packed[0] != packed[1]
    assert len({version.version for version in lake.ls(all_versions=True)}) == 2


def test_other_times_are_another_version(lake: Lake, tmp_path: Path) -> None:
    lake.ingest(zip_of(tmp_path / "a.plzip", group(1)))
    with_zip = (
        "import zipfile,sys; z=zipfile.ZipFile(sys.argv[1],'w'); [z.writestr(zipfile.ZipInfo(n,(1999,1,1,0,0,0)),d) "
        "for n,d in eval(sys.stdin.read()).items()]; z.close()"
    )
    subprocess.run(
        [sys.executable, "-c", with_zip, str(tmp_path / "a.plzip")], input=repr(group(1)), text=True, check=True
    )
    report = only(lake.ingest(tmp_path / "a.plzip"))
    assert (report.sample, report.version, report.status, report.blobs_new) == ("a", 2, "added", 0)


def test_a_forgotten_number_is_not_used_again(lake: Lake, tmp_path: Path) -> None:
    path = tmp_path / "a.plzip"
    for seed in (1, 2):
        lake.ingest(zip_of(path, group(seed)))
    assert placed(lake.ingest(zip_of(path, group(3)))) == ("a", 3, "added")


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("Nitrogen.plzip", "Nitrogen"),
        ("2018/Nitrogen.PL7Z", "2018/Nitrogen"),
        ("data.tar.zip", "data.tar"),
        ("a@b.zip", "a-b"),
        ("folder", "folder"),
        ("v1.2", "v1.2"),
        (".zip", ".zip"),
        (" x .zip", "x"),
        ("a\nb.zip", "a-b"),
        ("caf\udce9.zip", "caf%E9"),
        ("50%/caf\udce9 50%.zip", "50%/caf%E9 50%25"),  # `%` is escaped where bytes are
        ("\udc95\\\udc96\udcca/x.zip", "%95%5C%96%CA/x"),  # 表面 in CP932
        ("試料.zip", "試料"),
    ],
)
def test_default_names(path: str, name: str) -> None:
    assert finding.default_name(Path(path)) == name


def test_a_path_that_is_too_long_for_a_name_keeps_its_end() -> None:
    paths = [Path(*(f"{letter}{'x' * 200}" for _ in range(5)), "map.zip") for letter in "ab"]
    names = [finding.default_name(path) for path in paths]
    assert len(set(names)) == 2
    assert all(len(name) <= 512 and name.endswith("x/map") for name in names)


@pytest.mark.parametrize(
    "name", ["", "a@b", "..", "a/../b", "/a", "a/", "a//b", ".", "a\0b", "a\nb", "x" * 513, "caf\udce9"]
)
def test_names_that_cannot_be(lake: Lake, tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="cannot be the name of a sample"):
        lake.ingest(zip_of(tmp_path / "a.zip", {"a": b"1"}), sample=name)


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="file names are text there")
def test_a_file_name_that_is_no_text_is_kept_readable(lake: Lake, tmp_path: Path) -> None:
    path = zip_of(tmp_path / "plain.zip", {"a": b"1"})
    odd = path.rename(tmp_path / "caf\udce9.zip")
    assert placed(lake.ingest(odd)) == ("caf%E9", 1, "added")
    assert lake.show("caf%E9").source.name == "caf\\xe9.zip"
    assert [row.status for row in lake.audit(odd)] == ["stored"]
    zip_of(odd, {"a": b"2"})
    assert [row.status for row in lake.audit(odd)] == ["changed"]
