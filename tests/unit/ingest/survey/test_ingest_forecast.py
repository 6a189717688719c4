"""A dry run tells what the ingest that follows does, and writes nothing."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import asdict
from pathlib import Path

import pytest
from support.faults import FaultyStore
from support.small_lakes import counts, group, new_lake, objects, own_store, zip_of

from sxeslake.archive.synthetic import synthetic_facility
from sxeslake.errors import NotFoundError
from sxeslake.ingest import batch
from sxeslake.ingest.report import IngestReport


@pytest.fixture(scope="module")
def facility(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("facility")
    synthetic_facility(folder, 7)
    return folder


def facts(report: IngestReport) -> list[dict[str, object]]:
    """All that is said of each archive; bytes are compared on their own."""
    return [{**asdict(archive), "bytes_stored": None} for archive in report.archives]


def stored(report: IngestReport) -> int:
    return sum(archive.bytes_stored for archive in report.archives)


@pytest.mark.parametrize("archives_a_batch", [1, 2, 256])
def test_a_dry_run_is_the_ingest_that_follows(
    request: pytest.FixtureRequest, facility: Path, monkeypatch: pytest.MonkeyPatch, archives_a_batch: int
) -> None:
    monkeypatch.setattr(batch, "_BATCH_ARCHIVES", archives_a_batch)
    store = FaultyStore(own_store(request))
    with new_lake(store) as lake:
        before = objects(store)
        dry = lake.ingest(facility, dry_run=True)
        assert objects(store) == before
        done = lake.ingest(facility)
    assert facts(dry) == facts(done)
    assert stored(dry) == pytest.approx(stored(done), rel=0.001)
    packs = sum(len(data) for key, data in objects(store).items() if key.startswith("packs/"))
    assert stored(dry) == pytest.approx(packs, rel=0.02)


@pytest.mark.parametrize("archives_a_batch", [1, 256])
def test_what_the_lake_and_the_run_hold_already_is_not_counted(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, archives_a_batch: int
) -> None:
    monkeypatch.setattr(batch, "_BATCH_ARCHIVES", archives_a_batch)
    arrays = {f"{number}.bin": counts(number, 20_000) for number in range(6)}
    zip_of(tmp_path / "in" / "a.zip", arrays)
    zip_of(tmp_path / "in" / "b.zip", {**arrays, "more.bin": counts(50, 20_000)})  # most of it is in a
    zip_of(tmp_path / "in" / "c" / "a.zip", {**arrays, "note": b"another"})
    zip_of(tmp_path / "in" / "map.plzip", group(4))
    zip_of(tmp_path / "in" / "z" / "map.plzip", {**group(4), "data/note.txt": b"later"})
    with new_lake(own_store(request)) as lake:
        lake.ingest(zip_of(tmp_path / "known.zip", {"0.bin": counts(0, 20_000), "q": b"q"}))
        dry = lake.ingest(tmp_path / "in", dry_run=True)
        done = lake.ingest(tmp_path / "in")
    assert facts(dry) == facts(done)
    assert stored(dry) == pytest.approx(stored(done), rel=0.01)
    assert dry.archives[0].blobs_new == 5


def test_versions_of_one_name_are_foreseen_over_batches(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`test`, `test@2` by an array in common, `test-2` of another archive: also where a batch holds one archive."""
    monkeypatch.setattr(batch, "_BATCH_ARCHIVES", 1)
    first = zip_of(tmp_path / "1" / "test.plzip", group(1))
    (tmp_path / "2").mkdir()
    shutil.copy(first, tmp_path / "2" / "test.plzip")
    zip_of(tmp_path / "3" / "test.plzip", group(2))
    files = [tmp_path / name / "test.plzip" for name in "123"]
    with new_lake(own_store(request)) as lake:
        dry, done = lake.ingest(files, dry_run=True), lake.ingest(files)
    assert [(row.sample, row.version, row.status) for row in dry.archives] == [
        (row.sample, row.version, row.status) for row in done.archives
    ]


def test_a_dry_run_leaves_no_files(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    with new_lake(own_store(request)) as lake:
        lake.ingest(zip_of(tmp_path / "a.zip", {"a": b"a"}), dry_run=True)
        assert not list((tmp_path / "tmp").glob("*forecast*"))


def test_a_folder_without_archives_is_the_same_error_as_in_an_ingest(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    (tmp_path / "in").mkdir()
    with new_lake(own_store(request)) as lake:
        for dry_run in (True, False):
            with pytest.raises(NotFoundError, match="no archive"):
                lake.ingest(tmp_path / "in", dry_run=dry_run)
