"""What moves over the network: a part for a part, and nothing twice. Against a real S3 server, requests counted."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.internals import vault_of
from support.seaweed import BUCKET, Seaweed

from sxeslake.archive.container import open_container
from sxeslake.archive.synthetic import MapPlan, map_members, write_archive
from sxeslake.filesystem import LakeFileSystem
from sxeslake.lake import Lake, init, open_lake
from sxeslake.model import MIB
from sxeslake.vault.blobs.reader import BlobReader

pytestmark = pytest.mark.s3


@pytest.fixture
def url(s3_server: Seaweed, tmp_path: Path) -> str:
    """A lake in a bucket with a map of 120 positions."""
    url = f"s3://{BUCKET}/partial-{tmp_path.name}"
    with init(url, storage_options=s3_server.options()) as lake:
        lake.ingest(write_archive(tmp_path / "map.plzip", map_members(MapPlan(5, 12, 10))))
    return url


@pytest.fixture
def fs(s3_server: Seaweed, url: str) -> Iterator[LakeFileSystem]:
    made = LakeFileSystem(lake=url, skip_instance_cache=True, **s3_server.options("reader"))
    yield made
    made.lake.close()


@pytest.fixture
def cold(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine that has never seen the lake."""
    monkeypatch.setenv("SXESLAKE_CACHE", str(tmp_path / "another machine"))


class Traffic:
    """Requests and bytes since it was made, of one lake."""

    def __init__(self, lake: Lake) -> None:
        self._counters = vault_of(lake).store.counters
        self._requests, self._bytes = self._counters.total, self._counters.bytes_in

    @property
    def requests(self) -> int:
        return self._counters.total - self._requests

    @property
    def bytes_in(self) -> int:
        return self._counters.bytes_in - self._bytes


@pytest.mark.usefixtures("cold")
def test_one_member_costs_its_frame(fs: LakeFileSystem) -> None:
    (path,) = fs.glob("map@1/data/*/qlw.data")[60:61]
    traffic = Traffic(fs.lake)
    assert len(fs.cat_file(path)) == 32_760
    assert (traffic.requests, traffic.bytes_in < 256 * 1024) == (1, True)
    assert fs.cat_file(path, 100, 200) == fs.cat_file(path)[100:200]
    assert traffic.requests == 1


@pytest.mark.usefixtures("cold")
def test_a_range_of_the_whole_archive_costs_what_it_covers(fs: LakeFileSystem) -> None:
    with fs.open("map@1.plzip") as file:
        traffic = Traffic(fs.lake)
        assert file.size > 15 * MIB
        file.seek(-200, 2)
        assert b"PK\5\6" in file.read()  # the directory follows from the manifest
        assert traffic.requests == 0
        assert len(file.read_at(file.size // 2, 10_000)) == 10_000
        assert traffic.requests <= 2
        assert traffic.bytes_in < MIB


@pytest.mark.usefixtures("cold")
def test_an_interrupted_pull_fetches_nothing_twice(
    s3_server: Seaweed, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch, windows = BlobReader.fetch, 0

    def breaking(self: BlobReader, blobs: object, **how: bool) -> list[bytes]:
        nonlocal windows
        windows += 1
        if windows > 1:
            raise KeyboardInterrupt
        return fetch(self, blobs, **how)  # type: ignore[arg-type]

    options = s3_server.options("reader")
    with open_lake(url, storage_options=options) as lake, monkeypatch.context() as patch:
        first = Traffic(lake)
        patch.setattr(BlobReader, "fetch", breaking)
        with pytest.raises(KeyboardInterrupt):
            lake.pull("map", tmp_path / "a.plzip", level=1)
    assert not (tmp_path / "a.plzip").exists()
    with open_lake(url, storage_options=options) as lake:
        second = Traffic(lake)
        lake.pull("map", tmp_path / "a.plzip", level=1)
    assert first.bytes_in > MIB
    with open_lake(url, storage_options=options) as lake:
        third = Traffic(lake)
        lake.pull("map", tmp_path / "b.pl7z")
        assert third.bytes_in < 256 * 1024  # the manifest
        whole = sum(info.size for info in vault_of(lake).store.list("packs/"))
    assert first.bytes_in + second.bytes_in < whole + 512 * 1024
    with open_container(tmp_path / "a.plzip") as one, open_container(tmp_path / "map.plzip") as source:
        assert [one.read(at) for at in range(len(one.members))] == [
            source.read(at) for at in range(len(source.members))
        ]


@pytest.mark.usefixtures("cold")
def test_no_cache_is_kept_where_none_is_wanted(
    s3_server: Seaweed, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SXESLAKE_CACHE_BYTES", "0")
    with open_lake(url, storage_options=s3_server.options()) as lake:
        lake.pull("map", tmp_path / "a.plzip")
    assert not list((tmp_path / "another machine").rglob("*.frames"))
    monkeypatch.setenv("SXESLAKE_CACHE_BYTES", "1MB")
    with open_lake(url, storage_options=s3_server.options()) as lake:
        lake.pull("map", tmp_path / "b.plzip")
    kept = [path.stat().st_size for path in (tmp_path / "another machine").rglob("*.frames")]
    assert 500_000 < sum(kept) <= 1_000_000


@pytest.mark.usefixtures("cold")
def test_sync_moves_the_difference(s3_server: Seaweed, url: str, tmp_path: Path) -> None:
    folder = tmp_path / "unpacked"
    with open_lake(url, storage_options=s3_server.options()) as lake:
        assert lake.sync("map", folder).bytes_moved > 4 * MIB
    paths = sorted(folder.rglob("xes.data"))
    chosen = random.Random(1).sample(paths, 3)
    whole = [path.read_bytes() for path in chosen]
    for path in chosen:
        path.write_bytes(bytes(path.stat().st_size))
    with open_lake(url, storage_options=s3_server.options()) as lake:
        vault_of(lake).blobs._disk = None  # as if it was on another machine
        report = lake.sync("map", folder)
    assert (report.changed, report.bytes_written) == (3, 3 * 139_332)
    assert report.bytes_moved < MIB
    assert [path.read_bytes() for path in chosen] == whole
