"""Frames kept on this machine: bounded, believed only when their hash says so, and never a reason to fail."""

from __future__ import annotations

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from support.small_lakes import group, own_store, zip_of

from sxeslake.format import keys
from sxeslake.lake import Lake
from sxeslake.storage import Store
from sxeslake.vault.blobs.cache import FrameCache, FrameKey
from sxeslake.vault.vault import Vault, create_lake

HOUR_S = 3600.0


class Clock:
    """A clock to turn."""

    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def frames(count: int, size: int = 100, seed: int = 1) -> list[tuple[FrameKey, bytes]]:
    chance = random.Random(seed)
    return [((f"{seed:032}", 24 + number * size, size), chance.randbytes(size)) for number in range(count)]


def test_what_was_put_is_there_in_any_process(tmp_path: Path) -> None:
    made = frames(50)
    first, second = FrameCache(tmp_path, 100_000), FrameCache(tmp_path, 100_000)
    first.put(made)
    assert second.get([key for key, _ in made]) == dict(made)
    assert second.get([("f" * 32, 24, 100), (made[0][0][0], 24, 99)]) == {}
    first.close()
    second.put(frames(3, seed=2))
    assert FrameCache(tmp_path, 100_000).get([key for key, _ in frames(3, seed=2)]) == dict(frames(3, seed=2))
    second.close()
    assert first.get([made[0][0]]) == {}


def test_it_is_bounded_and_the_longest_unused_goes_first(tmp_path: Path) -> None:
    clock = Clock()
    cache = FrameCache(tmp_path, 10_000, clock=clock)
    old, used, new = frames(40), frames(40, seed=2), frames(40, seed=3)
    cache.put(old)
    cache.put(used)
    clock.now += 2 * HOUR_S
    assert len(cache.get([key for key, _ in used])) == 40
    cache.put(new)
    assert cache.bytes_kept <= 10_000
    assert sum(path.stat().st_size for path in tmp_path.glob("*.frames")) <= 10_000
    assert cache.get([key for key, _ in used]) == dict(used)
    assert cache.get([key for key, _ in new]) == dict(new)
    assert len(cache.get([key for key, _ in old])) < 40


def test_what_is_larger_than_the_cache_keeps_its_beginning(tmp_path: Path) -> None:
    cache = FrameCache(tmp_path, 5_000)
    made = frames(200)
    for start in range(0, 200, 10):
        cache.put(made[start : start + 10])
    again = cache.get([key for key, _ in made])
    assert again == dict(made[: len(again)])
    assert 40 <= len(again) <= 50


def test_a_flipped_bit_is_not_believed(tmp_path: Path) -> None:
    cache = FrameCache(tmp_path, 100_000)
    cache.put(frames(10))
    (path,) = tmp_path.glob("*.frames")
    data = bytearray(path.read_bytes())
    data[350] ^= 1
    path.write_bytes(data)
    assert cache.get([key for key, _ in frames(10)]) == dict(frames(10)[:3] + frames(10)[4:])


def test_a_lost_file_and_a_lost_database_are_only_misses(tmp_path: Path) -> None:
    cache = FrameCache(tmp_path, 100_000)
    cache.put(frames(10))
    for path in tmp_path.glob("*.frames"):
        path.unlink()
    assert cache.get([key for key, _ in frames(10)]) == {}
    cache.put(frames(10))
    assert cache.get([key for key, _ in frames(10)]) == dict(frames(10))
    cache.close()
    for path in tmp_path.glob("frames-2.sqlite*"):
        path.write_bytes(b"no database")
    again = FrameCache(tmp_path, 100_000)
    assert again.get([key for key, _ in frames(10)]) == {}
    again.put(frames(10))
    assert again.get([key for key, _ in frames(10)]) == dict(frames(10))
    again.close()


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    cache = FrameCache(tmp_path / "file" / "cache", 100_000)
    cache.put(frames(1))
    assert cache.get([frames(1)[0][0]]) == {}
    assert cache.bytes_kept == 0


def test_many_threads(tmp_path: Path) -> None:
    cache = FrameCache(tmp_path, 1_000_000)
    made = frames(400)

    def work(number: int) -> bool:
        part = made[number::8]
        cache.put(part)
        return cache.get([key for key, _ in part]) == dict(part)

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(8)))


# --- beneath the blob reader ---------------------------------------------------------------------------------------


@pytest.fixture
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """A lake with a group of six positions, in memory."""
    made = own_store(request)
    create_lake(made, {})
    with Lake(Vault(made, None)) as lake:
        lake.ingest(zip_of(tmp_path / "a.plzip", group(1, 6)))
    return made


@pytest.fixture
def cached(store: Store, tmp_path: Path) -> Iterator[Vault]:
    vault = Vault(store, tmp_path / "cache", keep_bytes=1 << 20)
    yield vault
    vault.close()


def contents(vault: Vault) -> list[bytes]:
    return vault.blobs.fetch([blob for row in vault.rows(vault.state.versions()[0]) for blob in row.blobs])


def test_the_next_process_fetches_nothing(store: Store, cached: Vault, tmp_path: Path) -> None:
    whole = contents(cached)
    packs = [info.key for info in store.list("packs/")]
    store.delete(packs)  # whoever asks for one now fails
    again = Vault(store, tmp_path / "cache", keep_bytes=1 << 20)
    assert contents(again) == whole
    again.close()


def test_a_damaged_cache_is_mended_from_the_lake(store: Store, cached: Vault, tmp_path: Path) -> None:
    whole = contents(cached)
    for path in (tmp_path / "cache").rglob("*.frames"):
        data = bytearray(path.read_bytes())
        path.write_bytes(bytes(byte ^ 0x10 for byte in data))
    again = Vault(store, tmp_path / "cache", keep_bytes=1 << 20)
    assert contents(again) == whole
    again.close()


def test_wrong_bytes_with_a_right_hash_are_found_out(store: Store, cached: Vault) -> None:
    """Frames under each other's names: their own hashes hold, those of the blobs do not."""
    rows = [row for row in cached.rows(cached.state.versions()[0]) if row.blobs]
    hints = sorted({blob.hint[:3] for row in rows for blob in row.blobs if blob.hint})
    bodies = [store.get_range(keys.pack_key(pack), at, at + length) for pack, at, length in hints]
    assert cached.blobs._disk is not None
    crossed = [(key, body) for key, body in zip(hints, reversed(bodies), strict=True)]
    cached.blobs._disk.put([((pack, at, length), body) for (pack, at, length), body in crossed])
    cached.blobs._disk._read = lambda name, items: dict(crossed)  # type: ignore[method-assign]
    assert len(contents(cached)) == sum(len(row.blobs) for row in rows)


def test_no_cache_where_none_is_asked_for(store: Store, tmp_path: Path) -> None:
    vault = Vault(store, tmp_path / "cache")
    contents(vault)
    assert not list((tmp_path / "cache").rglob("*.frames"))
    vault.close()
