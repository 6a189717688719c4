"""Reading blobs and manifests: proved, or an error that names them; never a wrong byte."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Event

import pytest
from blake3 import blake3
from support.faults import FaultyStore
from support.internals import vault_of
from support.small_lakes import flip, group, new_vault, objects, own_store, zip_of

from sxeslake.errors import DamagedLakeError, UnreachableError
from sxeslake.format import keys
from sxeslake.format.manifest import Blob, Hint, ManifestRow
from sxeslake.lake import Lake
from sxeslake.storage import Store
from sxeslake.vault.blobs import reader as blob_floor
from sxeslake.vault.blobs.ranges import BlobSlice
from sxeslake.vault.log.commit import blank_entry
from sxeslake.vault.vault import Vault


@pytest.fixture
def store(request: pytest.FixtureRequest) -> Store:
    return own_store(request)


@pytest.fixture
def faulty(store: Store) -> FaultyStore:
    return FaultyStore(store)


@pytest.fixture
def vault(faulty: FaultyStore, tmp_path: Path) -> Iterator[Vault]:
    """A lake with one group of three positions."""
    opened = new_vault(faulty)
    Lake(opened).ingest(zip_of(tmp_path / "a.plzip", group(1, 3)))
    yield opened
    opened.close()


def rows(vault: Vault) -> list[ManifestRow]:
    return [row for row in vault.rows(vault.state.versions()[0]) if row.blobs]


def blobs(vault: Vault) -> list[Blob]:
    return [blob for row in rows(vault) for blob in row.blobs]


def test_blobs_come_in_order(vault: Vault) -> None:
    wanted = blobs(vault)
    assert [blake3(data).digest() for data in vault.blobs.fetch(wanted)] == [blob.digest for blob in wanted]
    assert vault.blobs.fetch([]) == []
    assert vault.blobs.fetch([wanted[1], wanted[1]]) == vault.blobs.fetch([wanted[1]]) * 2


def test_a_shared_frame_is_read_once(vault: Vault, store: Store) -> None:
    wanted = blobs(vault)
    vault.blobs.fetch(wanted)
    before = store.counters.total
    vault.blobs.fetch(wanted)
    assert store.counters.total == before


@pytest.mark.parametrize("fault", ["wrong bytes", "truncated"])
def test_damage_is_never_data(vault: Vault, faulty: FaultyStore, fault: str) -> None:
    for seed in range(30):
        faulty.rates = {fault: 1.0}  # type: ignore[dict-item]
        faulty._random.seed(seed)
        with pytest.raises(DamagedLakeError):
            vault.blobs.fetch(blobs(vault))
    faulty.rates = {}
    assert len(vault.blobs.fetch(blobs(vault))) == len(blobs(vault))


def test_damage_names_pack_and_blob(vault: Vault, store: Store) -> None:
    blob = blobs(vault)[0]
    assert blob.hint is not None
    key = keys.pack_key(blob.hint.pack)
    flip(store, key, blob.hint.frame_offset + 40)
    with pytest.raises(DamagedLakeError, match=rf"{key}.*{blob.digest.hex()} is missing or damaged"):
        vault.blobs.fetch([blob])


def test_a_lost_pack_is_damage(vault: Vault, store: Store) -> None:
    store.delete([info.key for info in store.list("packs/")])
    with pytest.raises(DamagedLakeError, match="missing or damaged"):
        vault.blobs.fetch(blobs(vault))


def test_an_unreachable_store_is_not_damage(vault: Vault, faulty: FaultyStore) -> None:
    faulty.rates = {"error": 1.0}
    with pytest.raises(UnreachableError):
        vault.blobs.fetch(blobs(vault))


@pytest.mark.parametrize(
    "hint",
    [
        None,
        Hint("0" * 32, 24, 100, 0),
        Hint("0" * 32, 0, 2**32 - 1, 0),
        Hint("0" * 32, 2**32 - 1, 29, 0),
        Hint("0" * 32, 0, 0, 0),
    ],
)
def test_a_hint_that_leads_nowhere_is_looked_up(vault: Vault, hint: Hint | None) -> None:
    wanted = blobs(vault)
    lost = [Blob(blob.digest, blob.size, hint) for blob in wanted]
    assert vault.blobs.fetch(lost) == vault.blobs.fetch(wanted)


def test_a_hint_to_another_blob_is_not_believed(vault: Vault) -> None:
    wanted = blobs(vault)
    crossed = [Blob(one.digest, one.size, other.hint) for one, other in zip(wanted, reversed(wanted), strict=True)]
    assert vault.blobs.fetch(crossed) == vault.blobs.fetch(wanted)


def test_an_absurd_size_costs_nothing(vault: Vault) -> None:
    blob = blobs(vault)[0]
    assert vault.blobs.fetch([blob._replace(size=2**60)]) == vault.blobs.fetch([blob])  # looked up by its hash


def test_an_unknown_blob_is_damage(vault: Vault) -> None:
    with pytest.raises(DamagedLakeError, match="no pack"):
        vault.blobs.fetch([Blob(bytes(32), 3, None)])


def test_a_reader_meets_a_pack_that_was_rewritten(vault: Vault, store: Store, tmp_path: Path) -> None:
    """The same blobs come into new packs, the old ones are condemned and deleted while a reader holds its hints."""
    held = blobs(vault)
    whole = vault.blobs.fetch(held)
    old = tuple(vault.state.packs())
    with Lake(Vault(store, None)) as other:
        collector = vault_of(other)
        collector.commit(
            lambda head: replace(blank_entry("gc"), number=head.number + 1, previous=head.digest, condemned_packs=old)
        )
        store.delete([keys.pack_key(pack) for pack in old])
        other.ingest(zip_of(tmp_path / "b.plzip", {**group(1, 3), "new": b"1"}), sample="b")
    vault.blobs._cache.clear()
    assert vault.blobs.fetch(held) == whole


def test_the_cache_is_bounded(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blob_floor, "_CACHE_BYTES", 2000)
    vault.blobs.fetch(blobs(vault))
    assert vault.blobs._cached_bytes <= 2000


def _same_frame(blob: Blob, other: Blob) -> bool:
    assert blob.hint is not None
    assert other.hint is not None
    return blob.hint[:3] == other.hint[:3]


def test_one_thread_gives_the_same_and_keeps_only_frames_of_which_some_is_left(vault: Vault) -> None:
    wanted = blobs(vault)
    whole = vault.blobs.fetch(wanted)
    vault.blobs._drop(set(vault.blobs._cache))
    shared = next(at for at, blob in enumerate(wanted) if sum(_same_frame(blob, other) for other in wanted) > 1)
    assert vault.blobs.fetch([wanted[shared]], one_thread=True) == [whole[shared]]
    kept = len(vault.blobs._cache)
    assert vault.blobs.fetch(wanted, one_thread=True) == whole
    assert (kept, len(vault.blobs._cache), vault.blobs._cached_bytes) == (1, 0, 0)


def test_one_row_is_read_without_the_others(vault: Vault) -> None:
    version = vault.state.versions()[0]
    path = rows(vault)[2].member.path
    assert [row.member.path for row in vault.rows_between(version, path, path)] == [path]
    assert list(vault.rows_between(version, "x", "y")) == []


@pytest.mark.parametrize(("a_row", "requests"), [(10_000, 1), (0, 2)])
def test_a_manifest_that_is_wanted_whole_is_one_request(
    vault: Vault, faulty: FaultyStore, monkeypatch: pytest.MonkeyPatch, a_row: int, requests: int
) -> None:
    """One of a few rows is mostly footer; where it is worth it, the footer is not asked for by itself."""
    monkeypatch.setattr("sxeslake.vault.manifests._BYTES_A_ROW", a_row)
    monkeypatch.setattr("sxeslake.vault.manifests._TAIL_BYTES", 0)
    before = faulty.counters.requests["GET"]
    found = rows(vault)
    assert faulty.counters.requests["GET"] - before == requests
    assert rows(vault) == found
    assert faulty.counters.requests["GET"] - before == requests + 1, "the footer stays at hand"


def test_rows_beside_the_footer_come_with_it(vault: Vault, faulty: FaultyStore) -> None:
    version = vault.state.versions()[0]
    before = faulty.counters.requests["GET"]
    found = list(vault.rows_between(version, "", "\U0010ffff"))
    assert faulty.counters.requests["GET"] - before == 1
    first, tail = vault.manifests._tails[version.archive.manifest]
    vault.manifests._tails[version.archive.manifest] = first, bytes(len(tail))  # as a bad wire brought them
    assert list(vault.rows_between(version, "", "\U0010ffff")) == found
    assert faulty.counters.requests["GET"] - before == 2


def test_what_one_thread_fetches_another_does_not(vault: Vault, faulty: FaultyStore) -> None:
    wanted = blobs(vault)
    before = faulty.counters.bytes_in
    assert len(vault.blobs.fetch(wanted)) == len(wanted)
    once = faulty.counters.bytes_in - before
    again = Vault(faulty, None)
    asked, let_go = Event(), Event()
    get_ranges = faulty.get_ranges

    def slowly(ranges: Sequence[tuple[str, int, int]]) -> list[bytes]:
        if ranges:
            asked.set()
            assert let_go.wait(10)
        return get_ranges(ranges)

    with ThreadPoolExecutor(2) as threads, pytest.MonkeyPatch.context() as patch:
        patch.setattr(faulty, "get_ranges", slowly)
        before = faulty.counters.bytes_in
        first = threads.submit(again.blobs.fetch, wanted)
        assert asked.wait(10)
        second = threads.submit(again.blobs.fetch, wanted)
        time.sleep(0.05)
        let_go.set()
        assert first.result() == second.result()
    assert faulty.counters.bytes_in - before == once
    again.close()


def test_a_failure_is_that_of_all_who_wait(vault: Vault, faulty: FaultyStore) -> None:
    wanted = blobs(vault)
    faulty.plan("error", "get_range")
    with pytest.raises(UnreachableError):
        vault.blobs.fetch(wanted)
    assert len(vault.blobs.fetch(wanted)) == len(wanted), "and of nobody who comes later"


def test_a_damaged_manifest_is_not_believed(vault: Vault, store: Store) -> None:
    (key,) = (info.key for info in store.list("manifests/"))
    record, whole = next(iter(vault.state.manifests().values())), rows(vault)
    footer = record.bytes - record.footer_bytes
    noticed = 0
    for at in [*range(4, footer, 37), *range(footer, record.bytes, 97), record.bytes - 1]:
        flip(store, key, at)
        vault.manifests._open.clear()
        try:
            assert rows(vault) == whole, f"the flipped byte {at} gave other rows"
        except DamagedLakeError:
            noticed += 1
        else:
            assert at < footer, f"the flipped byte {at} of the footer was not noticed"
        flip(store, key, at)
    assert noticed > 30


def test_reading_writes_nothing(vault: Vault, store: Store) -> None:
    before = objects(store)
    list(vault.rows(vault.state.versions()[0]))
    vault.blobs.fetch(blobs(vault))
    assert objects(store) == before


def two_copies(vault: Vault, folder: Path) -> list[Blob]:
    """The vault's blobs stored again in other packs, by a client that did not see the first: hints of both copies."""
    store, held = vault.store, blobs(vault)
    with Lake(Vault(store, None)) as other:
        vault_of(other).index.clear()
        vault_of(other).find = lambda digests: {}  # type: ignore[method-assign]
        other.ingest(zip_of(folder / "b.plzip", {**group(1, 3), "new": b"1"}), sample="b")
        (second,) = vault_of(other).state.versions("v.sample = 'b'")
        again = [blob for row in vault_of(other).rows(second) for blob in row.blobs]
    assert {blob.hint.pack for blob in held if blob.hint}.isdisjoint(blob.hint.pack for blob in again if blob.hint)
    return [*held, *(blob for blob in again if blob.digest in {one.digest for one in held})]


def rot(vault: Vault, pack: str) -> None:
    """Flip bits in every frame of a pack; its footer stays whole."""
    vault.sync()
    key, record = keys.pack_key(pack), vault.state.pack(pack)
    data = vault.store.get(key)
    end = record.bytes - record.footer_bytes
    vault.store.replace(key, bytes(byte ^ 0x10 for byte in data[:end]) + data[end:])


@pytest.mark.parametrize("warm", [True, False], ids=["indexed", "not indexed"])
@pytest.mark.parametrize("damage", ["rotten", "cut short", "missing"])
@pytest.mark.parametrize("copy", [0, 1])
def test_a_reader_takes_the_copy_that_is_whole(
    vault: Vault, store: Store, tmp_path: Path, copy: int, damage: str, *, warm: bool
) -> None:
    """Whichever copy is damaged, whichever the hint names: also where both copies stand in the index."""
    whole = {blob.digest: data for blob, data in zip(blobs(vault), vault.blobs.fetch(blobs(vault)), strict=True)}
    both = two_copies(vault, tmp_path)
    halves = both[: len(whole)], both[len(whole) :]
    for pack in {blob.hint.pack for blob in halves[copy] if blob.hint}:
        if damage == "missing":
            store.delete([keys.pack_key(pack)])
        elif damage == "cut short":
            store.replace(keys.pack_key(pack), store.get(keys.pack_key(pack))[:60])
        else:
            rot(vault, pack)
    vault.sync()
    if warm:
        vault.sync_index()
    for half in halves:
        vault.blobs._cache.clear()
        assert vault.blobs.fetch(half) == [whole[blob.digest] for blob in half]
        part = [BlobSlice(blob, 1, blob.size - 1) for blob in half if blob.size > 2]
        assert list(vault.ranges.read(part)) == [whole[item.blob.digest][1:-1] for item in part]


def test_every_copy_is_asked_once_before_a_blob_is_given_up(
    vault: Vault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = two_copies(vault, tmp_path)
    vault.sync()
    for pack in vault.state.pack_ids():
        rot(vault, pack)
    vault.blobs._cache.clear()
    asked: list[Hint | None] = []
    read = vault.blobs._read

    def watched(places: Sequence[Blob], *, one_thread: bool = False) -> list[bytes | None]:
        asked.extend(place.hint for place in places)
        return read(places, one_thread=one_thread)

    monkeypatch.setattr(vault.blobs, "_read", watched)
    places = {blob.hint for blob in both if blob.digest == both[0].digest}
    with pytest.raises(DamagedLakeError):
        vault.blobs.fetch([both[0]])
    assert len(places) == 2
    assert sorted(map(str, asked)) == sorted(map(str, [*places, both[0].hint]))  # its hint once more, at the end
