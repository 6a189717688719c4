"""The queue survives processes, boots and damage; its lock dies with the process that holds it."""

from __future__ import annotations

import logging
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from sxeslake.errors import ConflictError, ReadOnlyError
from sxeslake.watching import clock, plan
from sxeslake.watching.in_words import lines_of
from sxeslake.watching.lock import WatchLock, is_locked
from sxeslake.watching.plan import Signature, WatchedItem
from sxeslake.watching.queue import LOCK, QUEUE, Queue, place_of, places
from sxeslake.watching.status import status_of

FOLDERS = [Path("/share/a"), Path("/share/b")]
ITEM = WatchedItem("file", Signature(3, -5, 7), "seen", 12.5)
ITEMS = {
    "a.zip": ITEM,
    "sub/b \udce9.zip": plan.taken(ITEM, "sub/b", 2),
    "c.zip": plan.failed(ITEM, "cut \udce9", 20.0, 60.0),
    "raw": WatchedItem("folder", Signature(9, 9, 0, "ab"), "seen", 1.0, is_unwatched=True),
}


@contextmanager
def opened(place: Path) -> Iterator[Queue]:
    with closing(Queue.open(place, "s3://lake", FOLDERS)) as queue:
        yield queue


def test_what_is_put_is_there_for_the_next_process(tmp_path: Path) -> None:
    with opened(tmp_path) as queue:
        queue.put(1, ITEMS)
        queue.keep(pid=7, last_round={"added": 1})
    with opened(tmp_path) as queue:
        expected = {**ITEMS, "c.zip": plan.failed(ITEM, "cut \\udce9", 20.0, 60.0)}
        assert (queue.items(0), queue.items(1)) == ({}, expected)
        facts = queue.facts()
        assert (facts["pid"], facts["last_round"], facts["lake"]) == (7, {"added": 1}, "s3://lake")
        assert facts["folders"] == ["/share/a", "/share/b"]
        queue.put(1, {"a.zip": plan.taken(ITEM, "a", 1)})
        assert queue.items(1)["a.zip"].state == "taken"
        assert queue.changed_at(1).keys() == ITEMS.keys()


def test_a_boot_begins_the_clock_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(tmp_path) as queue:
        queue.put(0, ITEMS)
    monkeypatch.setattr(clock, "boot", lambda: "another")
    monkeypatch.setattr(clock, "now", lambda: 99.0)
    with opened(tmp_path) as queue:
        assert {item.still_since for item in queue.items(0).values()} == {99.0}
        assert queue.items(0)["c.zip"].retry_at == 99.0


def test_boots_are_told_apart() -> None:
    assert clock.is_same_boot(clock.boot(), clock.boot())
    assert clock.is_same_boot("1000.0", "1010.5")
    assert not clock.is_same_boot("1000.0", "9000.0")
    assert not clock.is_same_boot("f00", "ba4")
    assert not clock.is_same_boot(None, "ba4")


def test_a_damaged_queue_is_put_aside(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with opened(tmp_path) as queue:
        queue.put(0, {f"{number}.zip": ITEM for number in range(500)})
    path = tmp_path / QUEUE
    whole = path.read_bytes()
    path.write_bytes(whole[:4096] + b"\xff" * 8192 + whole[12288:])
    with caplog.at_level(logging.WARNING), opened(tmp_path) as queue:
        assert queue.items(0) == {}
    assert "damaged" in caplog.text
    assert len(list(tmp_path.glob(f"{QUEUE}.damaged-*"))) == 1


def test_a_queue_of_a_later_version_is_left_alone(tmp_path: Path) -> None:
    with opened(tmp_path) as queue:
        queue.put(0, ITEMS)
    with closing(sqlite3.connect(tmp_path / QUEUE)) as connection:
        connection.execute("PRAGMA user_version = 9")
    with pytest.raises(ReadOnlyError, match="later version"), opened(tmp_path):
        pass


def test_queues_are_told_by_lake_and_folders(tmp_path: Path) -> None:
    place = place_of(tmp_path, "s3://lake", FOLDERS)
    assert place == place_of(tmp_path, "s3://lake", FOLDERS[::-1])
    assert len({place, place_of(tmp_path, "s3://other", FOLDERS), place_of(tmp_path, "s3://lake", FOLDERS[:1])}) == 3
    with opened(place):
        assert places(tmp_path) == [place]


def test_one_holds_the_lock_and_a_killed_one_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "lock.db"
    assert not is_locked(path)
    words = f"""
import sys, time; from pathlib import Path; from sxeslake.watching.lock import WatchLock
lock = WatchLock.acquire(Path({str(path)!r}), "held")
print("held", flush=True)
time.sleep(60)
"""
    child = subprocess.Popen([sys.executable, "-c", words], stdout=subprocess.PIPE)
    assert child.stdout is not None
    with child, child.stdout:
        assert child.stdout.readline() == b"held\n"
        assert is_locked(path)
        with pytest.raises(ConflictError, match="another one is at work"):
            WatchLock.acquire(path, "another one is at work.")
        child.send_signal(signal.SIGKILL if sys.platform != "win32" else signal.SIGTERM)
        child.wait()
    assert not is_locked(path)
    lock = WatchLock.acquire(path, "held")
    assert is_locked(path)
    lock.close()
    assert not is_locked(path)


def test_a_watcher_that_a_share_holds_up_is_told_of(tmp_path: Path) -> None:
    old = "2020-01-01T00:00:00Z"
    with opened(tmp_path) as queue:
        queue.keep(mode="watch", pid=7, host="epma", started_at=old, every_s=60.0, settle_s=120.0)
        for what, late, code in (("looking", True, 3), ("taking", False, 0), ("waiting", True, 3)):
            queue.keep(phase={"what": what, "where": "/share/a", "since_at": old})
            with closing(WatchLock.acquire(tmp_path / LOCK, "held")):
                found = status_of(tmp_path)
            assert found is not None
            assert (found["running"], found["late"], found["exit_code"]) == (True, late, code), what
            assert ("looking /share/a since" in "\n".join(lines_of(found))) is (what == "looking")
    found = status_of(tmp_path)
    assert found is not None
    assert (found["summary"], found["exit_code"]) == ("not running", 3)
    assert "ended unexpectedly" in "\n".join(lines_of(found))
