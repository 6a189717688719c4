"""Trees of instruments' files that came in as they are: read in the lake, and made an archive beside them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.internals import vault_of
from support.small_lakes import group, new_lake, own_store, zip_of
from support.vendor_session import hashes, session

from sxeslake.errors import AlreadyExistsError, InputError, NotFoundError, UsageError
from sxeslake.lake import Lake
from sxeslake.model import Limits
from sxeslake.reading.tree import VersionTree
from sxeslake.vault import refs
from sxeslake.vault.packs.kinds import kind_of
from sxeslake.vendor.tree import HEAD_BYTES, FolderTree


@pytest.fixture
def lake(request: pytest.FixtureRequest) -> Iterator[Lake]:
    with new_lake(own_store(request)) as opened:
        yield opened


def contents(lake: Lake, *names: str) -> dict[str | None, tuple[str, str, int]]:
    """What some samples hold, by hash: the kind, the path, the size."""
    rows = [row for name in names or lake.names() for row in lake.members(name)]
    return {row.blake3: (kind_of(row.path, row.size).pack, row.path, row.size) for row in rows if row.size}


def test_a_stored_tree_becomes_an_archive_and_comes_back(lake: Lake, tmp_path: Path) -> None:
    raw = session(tmp_path)
    lake.ingest(raw, tree=True)
    (report,) = lake.interpret("session 12", name="read", message="at last")
    assert (report.status, report.to_sample, report.to_version, report.commit) == ("interpreted", "read", 1, 2)
    assert (report.positions, report.maps, report.vendor_files) == (4, 1, len(hashes(raw)))
    info = lake.show("read")
    assert (info.kind, info.source.interpreted_from, info.source.path) == ("sxes", "session 12@1", "")
    assert str(info.source) == "interpretation of session 12@1"
    assert info.message == "at last (session 12@1 interpreted)"
    assert (info.exact, info.exact_reason) == (False, "it was interpreted in the lake, and no file is its source")
    assert info.paths == []
    shutil.move(raw, tmp_path / "away")
    lake.originals("read", tmp_path / "back")
    assert hashes(tmp_path / "back") == hashes(tmp_path / "away")
    assert len(lake["read"].positions) == 4


def test_it_reads_what_a_conversion_of_the_folder_reads(lake: Lake, tmp_path: Path) -> None:
    """From the folder and from the lake: the same items, arrays and documents; only how the files are kept differs."""
    raw = session(tmp_path)
    lake.ingest(raw, tree=True, sample="tree")
    lake.interpret("tree", name="read")
    lake.ingest(raw, sample="converted")
    own = ("originals/", "residue/", "sources/")
    one, other = (
        {row.path: row.blake3 for row in lake.members(name) if not row.path.startswith(own)}
        for name in ("read", "converted")
    )
    assert one == other


def test_what_is_added_is_told_exactly(lake: Lake, tmp_path: Path) -> None:
    lake.ingest(session(tmp_path), tree=True, sample="tree")
    before = contents(lake)
    (planned,) = lake.interpret("tree", dry_run=True)
    assert (planned.status, planned.commit, lake.names()) == ("planned", None, ["tree"])
    (report,) = lake.interpret("tree")
    new = {digest: found for digest, found in contents(lake).items() if digest not in before}
    arrays = [size for kind, _, size in new.values() if kind == "array"]
    documents = [size for kind, _, size in new.values() if kind == "json"]
    assert (report.arrays_new, report.bytes_arrays_new) == (len(arrays), sum(arrays))
    assert (report.json_new, report.bytes_json_new) == (len(documents), sum(documents))
    assert report.blobs_new == len(new)
    told = [name for name in report.__slots__ if name not in ("status", "commit")]
    assert [getattr(planned, name) for name in told] == [getattr(report, name) for name in told]
    assert not any(path.startswith(("originals/", "images/", "residue/")) for _, path, size in new.values() if size > 99
                   and not path.endswith(".json"))  # fmt: skip


def test_arrays_that_another_archive_has_are_not_stored_again(lake: Lake, tmp_path: Path) -> None:
    raw = session(tmp_path)
    lake.ingest(raw, sample="converted")
    lake.ingest(raw, tree=True, sample="tree")
    (report,) = lake.interpret("tree", name="read")
    assert (report.arrays_new, report.bytes_arrays_new) == (0, 0)
    assert report.json_new > 0


def test_run_again_it_is_unchanged_and_a_grown_tree_gives_the_next_version(lake: Lake, tmp_path: Path) -> None:
    raw = session(tmp_path, 3)
    shutil.move(raw / "steel_0001_QLW" / "Pos_0003", tmp_path / "later")
    lake.ingest(raw, tree=True)
    lake.interpret("session 12")
    head = lake.log(limit=1)
    (again,) = lake.interpret("session 12")
    assert (again.status, again.to_version, again.commit, again.blobs_new) == ("unchanged", 1, None, 0)
    assert [row.number for row in lake.log(limit=1)] == [row.number for row in head]
    shutil.move(tmp_path / "later", raw / "steel_0001_QLW" / "Pos_0003")
    lake.ingest(raw, tree=True)
    (grown,) = lake.interpret("session 12")
    assert (grown.status, grown.to_sample, grown.to_version) == ("interpreted", "session 12-interpreted", 2)
    assert lake.show("session 12-interpreted").source.interpreted_from == "session 12@2"


def test_a_name_that_another_sample_has_is_refused(lake: Lake, tmp_path: Path) -> None:
    lake.ingest(session(tmp_path), tree=True)
    lake.ingest(zip_of(tmp_path / "in" / "map.plzip", group(1)))
    for taken in ("map", "session 12"):
        with pytest.raises(AlreadyExistsError, match="not made from that tree"):
            lake.interpret("session 12", name=taken)
    with pytest.raises(UsageError, match="one name is for one sample"):
        lake.interpret(["session 12", "map"], name="read")
    assert lake.names() == ["map", "session 12"]


def test_what_is_no_tree_of_an_instrument_is_refused(lake: Lake, tmp_path: Path) -> None:
    lake.ingest(zip_of(tmp_path / "map.plzip", group(1)))
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "a.txt").write_text("a")
    lake.ingest(tmp_path / "texts", tree=True)
    with pytest.raises(InputError, match="an archive already"):
        lake.interpret("map")
    with pytest.raises(NotFoundError, match="no file of an instrument"):
        lake.interpret("texts")
    reports = lake.interpret(["map", "texts"])
    assert [(report.sample, report.status, report.exit_code) for report in reports] == [
        ("map", "failed", 4), ("texts", "failed", 3),
    ]  # fmt: skip
    with pytest.raises(NotFoundError):  # of a pattern, only trees
        lake.interpret("*")


def test_limits_hold(lake: Lake, tmp_path: Path) -> None:
    lake.ingest(session(tmp_path), tree=True)
    with pytest.raises(InputError, match="more than the 10 allowed"):
        lake.interpret("session 12", limits=Limits(members=10))


def test_a_whole_share_leaves_it_out_for_it_was_no_file(lake: Lake, tmp_path: Path) -> None:
    raw = session(tmp_path)
    lake.ingest(raw, tree=True)
    lake.interpret("session 12")
    lake.pull_share(tmp_path / "share")
    assert hashes(tmp_path / "share") == {f"session 12/{name}": value for name, value in hashes(raw).items()}


def test_a_version_reads_as_the_folder_that_it_was(lake: Lake, tmp_path: Path) -> None:
    raw = session(tmp_path)
    (raw / "large.bin").write_bytes(bytes(range(251)) * 40_000)
    lake.ingest(raw, tree=True)
    stored, folder = VersionTree(vault_of(lake), refs.find(vault_of(lake).state, "session 12")), FolderTree(raw)
    assert (stored.name, dict(stored.sizes)) == (folder.name, dict(folder.sizes))
    assert list(stored.empty_folders) == list(folder.empty_folders)
    for path, size in folder.sizes.items():
        for offset in (0, 1, HEAD_BYTES - 1, HEAD_BYTES, size - 1, size, size + 1):
            for length in (0, 1, HEAD_BYTES, size, None):
                if offset >= 0:
                    assert stored.read(path, offset, length) == folder.read(path, offset, length)
        assert stored.modified(path) == pytest.approx(folder.modified(path), abs=1e-3)
    with pytest.raises(FileNotFoundError):
        stored.read("../outside")


def test_links_of_a_tree_are_named(lake: Lake, tmp_path: Path) -> None:
    raw = session(tmp_path)
    (raw / "shortcut.txt").symlink_to("notes.txt")
    lake.ingest(raw, tree=True)
    (report,) = lake.interpret("session 12")
    assert report.left_out == ["shortcut.txt: a link; links are not followed"]
    assert json.loads(lake.read("session 12-interpreted", "metadata.json"))["version"] == "0.1.0"
