"""Repack: the same blobs in fewer bytes; beside writers, collectors and interruptions; damage is left alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from support.faults import FaultyStore
from support.internals import vault_of
from support.small_lakes import flip, group, new_lake, own_store, zip_of

from sxeslake import codecs
from sxeslake.errors import UsageError
from sxeslake.format import frame, keys
from sxeslake.lake import Lake
from sxeslake.maintenance.repack import run as repacking
from sxeslake.maintenance.repack.frames import Reframer
from sxeslake.storage import Data

Contents = dict[str, bytes]


@pytest.fixture
def store(request: pytest.FixtureRequest) -> FaultyStore:
    return FaultyStore(own_store(request))


@pytest.fixture
def lake(store: FaultyStore) -> Iterator[Lake]:
    with new_lake(store) as opened:
        yield opened


def measured(seed: int) -> Contents:
    """A group with spectra long enough that levels differ."""
    contents = group(seed)
    columns = np.arange(2049)
    for path in [path for path in contents if path.endswith("xes.data")]:
        lines = 300 + 900 * np.exp(-((columns - 900) ** 2) / 4000)
        contents[path] = np.random.default_rng(seed + len(path)).poisson(lines, (17, 2049)).astype("<u4").tobytes()
        contents[path.replace("xes", "sum")] = bytes(2048)
    return contents


def ingest(lake: Lake, folder: Path, name: str, seed: int) -> Contents:
    contents = measured(seed)
    lake.ingest(zip_of(folder / f"{name}.zip", contents), preset="fast")
    return contents


def check(lake: Lake, name: str, contents: Contents) -> None:
    assert {path: lake.read(name, path) for path in contents} == contents


def array_packs(lake: Lake) -> set[str]:
    return {name for name, record in vault_of(lake).state.packs().items() if record.kind == "array"}


def test_a_lake_takes_fewer_bytes_and_gives_the_same(lake: Lake, store: FaultyStore, tmp_path: Path) -> None:
    contents = ingest(lake, tmp_path, "a", 1)
    foreseen, old = lake.repack(dry_run=True), array_packs(lake)
    assert foreseen.commit is None
    report = lake.repack()
    assert report.commit is not None
    assert report.packs_rewritten == foreseen.packs_rewritten > 0
    assert report.bytes_after < report.bytes_before
    assert not report.damaged
    check(lake, "a", contents)
    assert lake.verify(data=True).ok
    assert lake.gc().bytes_freed >= report.bytes_before
    assert not {info.key for info in store.list(keys.PACK_PREFIX)} & {keys.pack_key(pack) for pack in old}
    check(lake, "a", contents)
    assert lake.verify(data=True).ok


def test_what_is_done_is_passed_over(lake: Lake, tmp_path: Path) -> None:
    ingest(lake, tmp_path, "a", 1)
    lake.repack()
    again = lake.repack()
    assert again.commit is None
    assert again.packs_done == again.packs
    assert again.packs_rewritten == 0


def test_content_that_came_fast_is_not_stored_again_after_a_repack(lake: Lake, tmp_path: Path) -> None:
    contents = ingest(lake, tmp_path, "a", 1)
    lake.repack()
    lake.gc()
    more = lake.ingest(zip_of(tmp_path / "b.zip", {**contents, "new": b"new"})).archives[0]
    assert more.blobs_new == 1
    assert lake.verify(data=True).ok


def test_a_reader_that_was_open_before_goes_on(lake: Lake, store: FaultyStore, tmp_path: Path) -> None:
    contents = ingest(lake, tmp_path, "a", 1)
    with Lake(type(vault_of(lake))(store, None)) as other:
        path = next(path for path in contents if path.endswith("xes.data"))
        assert other.read("a", path) == contents[path]
        lake.repack()
        lake.gc(grace="0")
        check(other, "a", contents)


def test_a_writer_that_commits_meanwhile_is_not_lost(lake: Lake, store: FaultyStore, tmp_path: Path) -> None:
    contents = ingest(lake, tmp_path, "a", 1)
    create, met = store.create, list[str]()

    def beside(key: str, data: Data) -> None:
        if key.startswith("packs/") and not met:
            met.append(key)
            store.create = create  # type: ignore[method-assign]
            with Lake(type(vault_of(lake))(store, None)) as other:
                other.ingest(zip_of(tmp_path / "b.zip", {**contents, "new": b"new"}))
        create(key, data)

    store.create = beside  # type: ignore[method-assign]
    report = lake.repack()
    assert met
    assert report.packs_rewritten
    lake.gc(grace="0")
    check(lake, "a", contents)
    check(lake, "b", {**contents, "new": b"new"})
    assert lake.verify(data=True).ok


def test_a_collector_that_was_quicker_is_heeded(lake: Lake, store: FaultyStore, tmp_path: Path) -> None:
    ingest(lake, tmp_path, "a", 1)
    kept = ingest(lake, tmp_path, "b", 2)
    create, met = store.create, list[str]()

    def beside(key: str, data: Data) -> None:
        create(key, data)
        if key.startswith("packs/") and not met:
            met.append(key)
            with Lake(type(vault_of(lake))(store, None)) as other:
                other.forget("a@1")
                other.gc(grace="1h")  # uploads that no commit names stay so long

    store.create = beside  # type: ignore[method-assign]
    lake.repack()
    store.create = create  # type: ignore[method-assign]
    check(lake, "b", kept)
    assert lake.verify(data=True).ok


def test_rounds_that_are_finished_stay(lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    all_contents = {name: ingest(lake, tmp_path, name, seed) for seed, name in enumerate("abc", 1)}
    monkeypatch.setattr(repacking, "_ROUND_BYTES", 1)
    rounds = repacking.Repacker._round

    def broken(self: repacking.Repacker, batch: object) -> None:
        if self.report.packs_rewritten:
            raise KeyboardInterrupt
        rounds(self, batch)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(repacking.Repacker, "_round", broken)
        with pytest.raises(KeyboardInterrupt):
            lake.repack()
    assert lake.verify(data=True).ok
    report = lake.repack()
    assert report.packs_rewritten
    assert lake.repack().packs_rewritten == 0
    for name, contents in all_contents.items():
        check(lake, name, contents)


def test_time_that_is_up_leaves_packs_to_the_next_run(lake: Lake, tmp_path: Path) -> None:
    for seed, name in enumerate("abc", 1):
        ingest(lake, tmp_path, name, seed)
    report = lake.repack(limit="0")
    assert report.packs_left > 0
    assert lake.verify(data=True).ok
    assert lake.repack().packs_left == 0


def test_a_damaged_pack_is_left_alone(lake: Lake, store: FaultyStore, tmp_path: Path) -> None:
    ingest(lake, tmp_path, "a", 1)
    (pack,) = array_packs(lake)
    flip(store, keys.pack_key(pack), 5000)
    report = lake.repack()
    assert [pack in line for line in report.damaged] == [True]
    assert pack in array_packs(lake)


def test_a_frame_whose_members_follow_from_each_other_stays_one() -> None:
    image = np.random.default_rng(3).poisson(900, (17, 2049)).astype("<u4")
    parts = [image.tobytes(), image.sum(axis=0).astype(np.uint8)[:2048].tobytes()]
    old = "tail=2048|sums=4x2049|pco:u4:1:d1"
    raw = b"".join(parts)
    body = frame.seal(old, [len(part) for part in parts], codecs.encode(codecs.Pipeline.parse(old), raw))
    made = frame.unseal(Reframer("small").reframe(old, parts, body), where="test")
    assert "sums=4x2049" in made.pipeline
    assert codecs.decode(made.pipeline, made.payload, made.raw_bytes) == raw
    assert Reframer("small").is_done(made.pipeline)
    assert not Reframer("small").is_done(old)


@pytest.mark.parametrize("how", [{"preset": "tiny"}, {"limit": "soon"}])
def test_bad_words_are_refused(lake: Lake, how: dict[str, str]) -> None:
    with pytest.raises(UsageError):
        lake.repack(**how)  # type: ignore[arg-type]
