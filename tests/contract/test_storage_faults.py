"""The misbehaving store misbehaves as it says: other tests rest on that."""

from __future__ import annotations

import pytest
from support.faults import Fault, FaultyStore

from sxeslake.errors import DamagedLakeError, ObjectExistsError, UnreachableError
from sxeslake.storage import Store, open_store


@pytest.fixture
def faulty(request: pytest.FixtureRequest) -> FaultyStore:
    store = FaultyStore(open_store(f"memory://{request.node.name}"))
    store.create("p", b"0123456789")
    return store


def test_without_faults_it_is_a_store(faulty: FaultyStore) -> None:
    store: Store = faulty
    store.replace("q", b"1")
    assert store.get("p") == b"0123456789"
    assert store.get_ranges([("p", 1, 3), ("q", 0, 1)]) == [b"12", b"1"]
    assert store.get_tail("p", 2) == (b"89", 10)
    assert (store.size("p"), store.size("none")) == (10, None)
    store.delete(["q", "none"])
    assert [info.key for info in store.list("")] == ["p"]
    assert faulty.events == []


def test_an_error_comes_before_a_lost_reply_after(faulty: FaultyStore) -> None:
    faulty.plan("error", "create", "a")
    faulty.plan("lost reply", "create", "b")
    for key in "ab":
        with pytest.raises(UnreachableError):
            faulty.create(key, b"1")
    assert (faulty.size("a"), faulty.size("b")) == (None, 1)
    with pytest.raises(ObjectExistsError):
        faulty.create("b", b"2")
    assert faulty.events == [("error", "create", "a"), ("lost reply", "create", "b")]


def test_wrong_and_missing_bytes(faulty: FaultyStore) -> None:
    faulty.plan("wrong bytes", "get")
    faulty.plan("truncated", "get", skip=1)
    faulty.plan("truncated", "get_range")
    wrong = faulty.get("p")
    assert sum(one != other for one, other in zip(wrong, b"0123456789", strict=True)) == 1
    assert faulty.get("p") == b"0123456789"
    assert len(faulty.get("p")) < 10
    with pytest.raises(DamagedLakeError, match="truncated"):
        faulty.get_range("p", 0, 3)
    assert faulty.get("p") == b"0123456789"


def test_the_seed_decides() -> None:
    def run(seed: int) -> list[tuple[Fault, str, str]]:
        rates: dict[Fault, float] = {"error": 0.1, "lost reply": 0.1, "throttled": 0.1, "delay": 0.1}
        store = FaultyStore(open_store("memory://seeded"), rates=rates, seed=seed, delay_s=0)
        for number in range(60):
            try:
                store.replace(f"p{number}", b"1")
            except UnreachableError:
                continue
        return store.events

    assert run(1) == run(1) != run(2)
    assert {fault for fault, _, _ in run(1)} == {"error", "lost reply", "throttled", "delay"}
