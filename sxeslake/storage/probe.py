"""Does this store keep its word? Create twice, then let writers race: some stores pass the one and fail the other."""

from __future__ import annotations

import logging
import secrets
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from ..errors import ObjectExistsError
from .interface import Store

_LOG = logging.getLogger(__name__)

PREFIX = "probe/"


@dataclass(frozen=True, slots=True)
class ProbeReport:
    """What the probe saw. `create_only`: the store is safe for many writers."""

    create_only: bool
    rounds: int
    detail: str


def probe(store: Store, *, rounds: int = 4, writers: int = 4) -> ProbeReport:
    """Write small objects below `probe/`, race for them, delete them again; needs permission to write and delete."""
    keys: list[str] = []

    def fresh_key() -> str:
        keys.append(f"{PREFIX}{secrets.token_hex(12)}")
        return keys[-1]

    try:
        report = _judge(store, fresh_key, rounds, writers)
        _LOG.info("create-only writes: %s (%s)", "kept" if report.create_only else "not kept", report.detail)
        return report
    finally:
        store.delete(keys)


def _judge(store: Store, fresh_key: Callable[[], str], rounds: int, writers: int) -> ProbeReport:
    key = fresh_key()
    store.delete([key])  # who may not clean up gets the error now, before anything is written
    if not _try_create(store, key, b"first"):
        return ProbeReport(False, 0, "a new object was refused as if it existed")
    second = _try_create(store, key, b"second")
    if second or store.get(key) != b"first":
        return ProbeReport(False, 0, "a second writer overwrote an object that existed")
    for number in range(1, rounds + 1):
        problem = _race(store, fresh_key(), writers)
        if problem:
            return ProbeReport(False, number, f"{problem} in round {number} of a race between {writers} writers")
    return ProbeReport(True, rounds, f"one winner in each of {rounds} races between {writers} writers")


def _race(store: Store, key: str, writers: int) -> str | None:
    nonces = [secrets.token_bytes(16) for _ in range(writers)]
    barrier = threading.Barrier(writers)

    def write(nonce: bytes) -> bool:
        barrier.wait()
        return _try_create(store, key, nonce)

    with ThreadPoolExecutor(writers) as pool:
        won = list(pool.map(write, nonces))
    if sum(won) != 1:
        return f"{sum(won)} writers were told that they had created the object"
    if store.get(key) != nonces[won.index(True)]:
        return "the object holds the bytes of a writer who was told that it existed"
    return None


def _try_create(store: Store, key: str, data: bytes) -> bool:
    try:
        store.create(key, data)
    except ObjectExistsError:
        return False
    return True
