"""The probe against stores that break their word in the ways that real ones do."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from sxeslake.errors import ObjectExistsError
from sxeslake.storage import Data, open_store, probe
from sxeslake.storage.memory import MemoryStore


class Ignoring(MemoryStore):
    """Ignores the condition: the second create overwrites."""

    def create(self, key: str, data: Data) -> None:
        self.replace(key, data)


class Racy(MemoryStore):
    """Looks first and writes after: right for one writer, wrong for two."""

    def __init__(self, name: str, writers: int) -> None:
        super().__init__(name)
        self._meet = threading.Barrier(writers)

    def create(self, key: str, data: Data) -> None:
        taken = self.size(key) is not None
        if threading.current_thread() is not threading.main_thread():
            self._meet.wait(10)
        if taken:
            raise ObjectExistsError("exists already", where=key)
        self.replace(key, data)


class Refusing(MemoryStore):
    """Says that all is taken."""

    def create(self, key: str, data: Data) -> None:
        raise ObjectExistsError("exists already", where=key)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Ignoring("probe-ignoring"), "overwrote"),
        (lambda: Racy("probe-racy", 3), "3 writers were told"),
        (lambda: Refusing("probe-refusing"), "refused"),
    ],
)
def test_a_broken_promise_is_seen_and_cleaned_up(make: Callable[[], MemoryStore], words: str) -> None:
    store = make()
    report = probe(store, rounds=3, writers=3)
    assert not report.create_only
    assert words in report.detail
    assert list(store.list("")) == []


def test_a_kept_promise_is_believed() -> None:
    report = probe(open_store("memory://probe-good"), rounds=3, writers=3)
    assert report.create_only
    assert report.rounds == 3
