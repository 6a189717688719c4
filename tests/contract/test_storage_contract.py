"""What every store promises: in memory, in a local folder, on real servers of S3, Azure, Google Cloud Storage, SFTP."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from support.store_servers import StoreServer

from sxeslake.errors import DamagedLakeError, ObjectExistsError, ObjectNotFoundError, StorageError
from sxeslake.storage import Clocked, RateLimit, Store, ThrottledStore, open_store, probe

KINDS = ["memory", "local", "throttled", pytest.param("s3", marks=pytest.mark.s3), "azure", "gcs", "sftp"]


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    word: str = request.param
    return word


@pytest.fixture
def open_again(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Callable[[], Store]]:
    """Opens the same empty store as often as it is called; each is closed in the end."""
    name = secrets.token_hex(8)
    opened: list[Store] = []

    def opener() -> Store:
        if kind == "s3":
            store = open_store(f"s3://lake/contract/{name}", options=request.getfixturevalue("s3_server").options())
        elif kind in ("azure", "gcs", "sftp"):
            server: StoreServer = request.getfixturevalue(f"{kind}_server")
            store = open_store(server.url(f"contract/{name}"), options=server.options)
        elif kind == "local":
            store = open_store(str(tmp_path / "a folder"))
        else:
            store = open_store(f"memory://{name}")
        if kind == "throttled":
            store = ThrottledStore(store, up=RateLimit(1e12), down=RateLimit(1e12))
        opened.append(store)
        return store

    yield opener
    for store in opened:
        store.close()


@pytest.fixture
def store(open_again: Callable[[], Store]) -> Store:
    return open_again()


def test_an_object_comes_back_whole(store: Store) -> None:
    content = bytes(range(256)) * 9
    store.create("packs/ab/whole.pack", content)
    store.create("packs/ab/view.pack", memoryview(content))
    store.create("packs/ab/array.pack", bytearray(content))
    store.create("packs/cd/parts.pack", [content[:100], b"", content[100:]])
    store.create("empty", b"")
    assert store.get("packs/ab/whole.pack") == content
    assert store.get("packs/ab/view.pack") == content
    assert store.get("packs/ab/array.pack") == content
    assert store.get("packs/cd/parts.pack") == content
    assert store.get("empty") == b""
    assert store.size("packs/cd/parts.pack") == len(content)
    assert store.size("empty") == 0


def test_another_opening_sees_it(open_again: Callable[[], Store]) -> None:
    open_again().create("log/1.json", b"{}")
    assert open_again().get("log/1.json") == b"{}"


@pytest.mark.parametrize("second", [b"second", b"", b"first"])
def test_create_leaves_what_is_there(store: Store, second: bytes) -> None:
    store.create("log/00000001.json", b"first")
    with pytest.raises(ObjectExistsError, match=r"log/00000001\.json"):
        store.create("log/00000001.json", second)
    assert store.get("log/00000001.json") == b"first"


def test_replace_overwrites_and_creates(store: Store) -> None:
    store.replace("cache/a", b"a longer first text")
    store.replace("cache/a", [b"short"])
    assert store.get("cache/a") == b"short"
    with pytest.raises(ObjectExistsError):
        store.create("cache/a", b"")


@pytest.mark.parametrize(
    "read",
    [
        lambda store: store.get("packs/none"),
        lambda store: store.get_range("packs/none", 0, 1),
        lambda store: store.get_ranges([("packs/some", 0, 1), ("packs/none", 0, 1)]),
        lambda store: store.get_tail("packs/none", 8),
    ],
    ids=["get", "get_range", "get_ranges", "get_tail"],
)
def test_a_missing_object_is_named(store: Store, read: Callable[[Store], object]) -> None:
    store.create("packs/some", b"here")
    with pytest.raises(ObjectNotFoundError, match="packs/none"):
        read(store)


def test_size_of_nothing_is_none(store: Store) -> None:
    store.create("folder/object", b"1")
    assert store.size("absent") is None
    assert store.size("folder") is None
    assert store.size("folder/object/below") is None


def test_a_range_is_exact(store: Store) -> None:
    store.create("p", b"0123456789")
    assert store.get_range("p", 2, 5) == b"234"
    assert store.get_range("p", 0, 10) == b"0123456789"
    assert store.get_range("p", 4, 4) == b""


@pytest.mark.parametrize(("start", "end"), [(8, 11), (10, 11), (50, 60), (0, 11)])
def test_a_range_behind_the_end_is_damage(store: Store, start: int, end: int) -> None:
    store.create("p", b"0123456789")
    with pytest.raises(DamagedLakeError, match="truncated"):
        store.get_range("p", start, end)
    with pytest.raises(DamagedLakeError, match="truncated"):
        store.get_ranges([("p", 0, 1), ("p", start, end)])


def test_many_ranges_come_in_the_order_asked(store: Store) -> None:
    objects = {f"p/{name}": secrets.token_bytes(300_000) for name in "abc"}
    for key, content in objects.items():
        store.create(key, content)
    asked = [
        (f"p/{name}", start, start + length)
        for start, length in ((299_000, 1000), (0, 10), (5, 100), (150_000, 0), (120, 4), (0, 300_000), (120, 4))
        for name in "cab"
    ]
    assert store.get_ranges(asked) == [objects[key][start:end] for key, start, end in asked]
    assert store.get_ranges([]) == []


def test_neighbours_share_a_request(store: Store) -> None:
    store.create("p", bytes(100_000))
    before = store.counters.requests.get("GET", 0)
    store.get_ranges([("p", start, start + 500) for start in range(0, 100_000, 1000)])
    requests = store.counters.requests["GET"] - before
    assert requests == (100 if store.url.startswith("memory:") else 1)


def test_the_tail_and_the_size(store: Store) -> None:
    store.create("p", b"0123456789")
    store.create("empty", b"")
    assert store.get_tail("p", 3) == (b"789", 10)
    assert store.get_tail("p", 10) == (b"0123456789", 10)
    assert store.get_tail("p", 4096) == (b"0123456789", 10)
    assert store.get_tail("p", 0) == (b"", 10)
    assert store.get_tail("empty", 8) == (b"", 0)


def test_the_tail_is_one_request(store: Store, kind: str) -> None:
    store.create("p", b"0123456789")
    before = store.counters.total
    store.get_tail("p", 4)
    # Azure knows no ranges from the end: the size must be asked for.
    assert store.counters.total - before == (2 if kind == "azure" else 1)


def test_a_listing_has_the_objects_of_a_prefix(store: Store) -> None:
    started = time.time()
    for key in ("lake.json", "log/001.json", "log/002.json", "log/010.json", "packs/ab/x", "packs/ac/y", "logs"):
        store.create(key, key.encode())
    listed = {info.key: info for info in store.list("")}
    assert listed.keys() == {
        *("lake.json", "log/001.json", "log/002.json", "log/010.json", "packs/ab/x", "packs/ac/y", "logs")
    }
    assert all(info.size == len(key) for key, info in listed.items())
    assert all(started - 5 <= info.modified <= time.time() + 5 for info in listed.values())
    assert sorted(info.key for info in store.list("log/00")) == ["log/001.json", "log/002.json"]
    assert sorted(info.key for info in store.list("log/")) == ["log/001.json", "log/002.json", "log/010.json"]
    assert sorted(info.key for info in store.list("packs/a")) == ["packs/ab/x", "packs/ac/y"]
    assert list(store.list("nothing/")) == []
    assert sorted(info.key for info in store.list("log/0", after="log/001.json")) == ["log/002.json", "log/010.json"]
    assert list(store.list("log/0", after="log/010.json")) == []


def test_an_empty_store_lists_nothing(store: Store) -> None:
    assert list(store.list("")) == []


def test_delete_forgives_absence(store: Store) -> None:
    for name in "abc":
        store.create(f"packs/{name}", b"1")
    store.delete(["packs/a", "packs/never", "other/never", "packs/c"])
    store.delete([])
    store.delete(["packs/a"])
    assert [info.key for info in store.list("")] == ["packs/b"]
    store.create("packs/a", b"2")
    assert store.get("packs/a") == b"2"


@pytest.mark.parametrize("key", ["", "/etc/x", "../x", "a/../x", "a//b", "a/", "./a", ".tmp-1", "a\\b", "a\0b", "C:x"])
def test_keys_cannot_leave_the_store(store: Store, key: str) -> None:
    calls: list[Callable[[], object]] = [
        lambda: store.create(key, b""),
        lambda: store.replace(key, b""),
        lambda: store.get(key),
        lambda: store.size(key),
        lambda: store.delete([key]),
        lambda: store.get_tail(key, 1),
    ]
    for call in calls:
        with pytest.raises(StorageError, match="not a name"):
            call()


def test_of_racing_writers_one_wins(open_again: Callable[[], Store]) -> None:
    stores = [open_again(), open_again()]
    for number in range(3):
        key = f"log/{number:08d}.json"
        nonces = [secrets.token_bytes(24) for _ in range(8)]
        barrier = threading.Barrier(len(nonces))

        def write(
            turn: int, key: str = key, nonces: list[bytes] = nonces, barrier: threading.Barrier = barrier
        ) -> bool:
            barrier.wait()
            try:
                stores[turn % 2].create(key, nonces[turn])
            except ObjectExistsError:
                return False
            return True

        with ThreadPoolExecutor(len(nonces)) as pool:
            won = list(pool.map(write, range(len(nonces))))
        assert sum(won) == 1
        assert stores[0].get(key) == nonces[won.index(True)]


def test_many_threads_at_once(store: Store) -> None:
    def work(number: int) -> bool:
        key, content = f"packs/{number:02d}", bytes([number]) * 10_000
        store.create(key, content)
        return (
            store.get(key) == content
            and store.get_range(key, 10, 20) == content[10:20]
            and store.get_tail(key, 7) == (content[-7:], 10_000)
            and store.size(key) == 10_000
        )

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(40)))
    assert len(list(store.list("packs/"))) == 40


def test_the_counters_count(store: Store) -> None:
    store.create("p", b"12345")
    store.get("p")
    store.size("p")
    list(store.list(""))
    store.delete(["p"])
    requests = store.counters.requests
    assert {verb: requests.get(verb) for verb in ("PUT", "GET", "HEAD", "DELETE")} == dict.fromkeys(
        ("PUT", "GET", "HEAD", "DELETE"), 1
    )
    assert requests["LIST"] >= 1
    assert (store.counters.bytes_in, store.counters.bytes_out) == (5, 5)


def test_a_pack_of_many_mebibytes(store: Store) -> None:
    block = secrets.token_bytes(1 << 20)
    store.create("packs/large", [block] * 24)
    assert store.size("packs/large") == 24 << 20
    assert store.get_range("packs/large", (23 << 20) + 5, 24 << 20) == block[5:]
    assert store.get("packs/large") == block * 24


def test_the_probe_says_yes_and_leaves_nothing(store: Store) -> None:
    report = probe(store, rounds=2)
    assert report.create_only, report.detail
    assert list(store.list("")) == []


def test_nothing_crashed_nothing_to_sweep(store: Store) -> None:
    store.create("p", b"12345")
    assert store.sweep(0) == 0
    assert store.get("p") == b"12345"


def test_the_store_tells_the_time_that_it_stamps_objects_with(store: Store) -> None:
    if not isinstance(store, Clocked):
        pytest.skip("a store in memory has no clock of its own")
    empty = store.now()
    store.create("lake.json", b"{}")
    (info,) = store.list("lake.json")
    assert store.now() == pytest.approx(info.modified, abs=3)
    assert empty == pytest.approx(info.modified, abs=3)
    assert [info.key for info in store.list("")] == ["lake.json"]
