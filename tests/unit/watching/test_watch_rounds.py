"""Rounds over a folder in which everything happens that happens to files on shares."""

from __future__ import annotations

import logging
import os
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import pytest
from support.small_lakes import counts, zip_of
from support.vendor_session import session
from support.watched import SETTLE_S, Watched, watched

from sxeslake.cli.json_schemas import json_schema
from sxeslake.errors import UnreachableError
from sxeslake.ingest import source
from sxeslake.lake import open_lake
from sxeslake.watching.gentle import be_gentle
from sxeslake.watching.in_words import lines_of
from sxeslake.watching.listing import LOOSE
from sxeslake.watching.status import status_of


@pytest.fixture
def share(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watched]:
    with watched(tmp_path, monkeypatch) as made:
        yield made


def whole(path: Path, seed: int = 1) -> bytes:
    """The bytes of a zip."""
    return zip_of(path, {"a.bin": counts(seed)}).read_bytes()


def test_archives_are_taken_once_they_were_still_and_named_as_by_ingest(share: Watched) -> None:
    zip_of(share.root / "2018/a.zip", {"a": b"1"})
    assert (share.round().added, share.states()) == (0, {"2018/a.zip": "seen"})
    assert (share.round(SETTLE_S / 2).added, share.samples()) == (0, [])
    assert (share.round(SETTLE_S / 2).added, share.samples()) == (1, ["2018/a@1"])
    assert (share.round().added, share.states()) == (0, {"2018/a.zip": "taken"})
    zip_of(share.root / "2018/a.zip", {"a": b"22"})
    share.round()
    assert (share.round().added, share.samples()) == (1, ["2018/a@1", "2018/a@2"])


def test_a_growing_file_is_left_alone(share: Watched) -> None:
    data = whole(share.root.parent / "a.zip")
    path = share.root / "a.zip"
    for end in range(1, len(data), len(data) // 5):
        path.write_bytes(data[:end])
        os.utime(path, ns=(1, 1))  # an instrument whose clock stands still
        assert share.round(SETTLE_S).added == 0
        assert share.states() == {"a.zip": "seen"}
    path.write_bytes(data)
    share.round()
    assert (share.round().added, share.round().failed) == (1, 0)


def test_clocks_that_differ_by_hours_or_years_do_not_matter(share: Watched) -> None:
    for name, time in (("past", 0), ("future", 4_000_000_000), ("before 1970", -86_400)):
        os.utime(zip_of(share.root / f"{name}.zip", {name: b"1"}), (time, time))
    share.round()
    assert share.round().added == 3


def test_half_a_copy_fails_and_is_tried_again_when_it_changes(share: Watched) -> None:
    path = share.root / "a.zip"
    data = whole(share.root.parent / "a.zip")
    path.write_bytes(data[:-30])
    share.round()
    assert (share.round().failed, share.states()) == (1, {"a.zip": "failed"})
    assert "truncated" in share.reason("a.zip")
    assert share.samples() == []
    path.write_bytes(data)
    share.round(0.5)
    assert (share.round().added, share.states()) == (1, {"a.zip": "taken"})


def test_a_locked_file_is_tried_again_though_it_does_not_change(
    share: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    zip_of(share.root / "locked.zip", {"a": b"1"})
    zip_of(share.root / "other.zip", {"b": b"1"})
    plain = os.open

    def locked(path: str, *words: int, **more: int) -> int:
        if str(path).endswith("locked.zip"):
            raise PermissionError(13, "Permission denied", str(path))
        return plain(path, *words, **more)

    share.round()
    with monkeypatch.context() as patch:
        patch.setattr(os, "open", locked)
        assert (share.round().failed, share.states()) == (1, {"locked.zip": "failed", "other.zip": "taken"})
        share.round(0.1)  # its time has not come
        assert share.queue.items(0)["locked.zip"].attempts == 1
    assert (share.round(60.0).added, share.states()) == (1, {"locked.zip": "taken", "other.zip": "taken"})


def test_renamed_and_deleted_files(share: Watched) -> None:
    zip_of(share.root / "a.zip.part", {"a": b"1"})
    zip_of(share.root / "b.zip", {"b": b"1"})
    zip_of(share.root / "c.zip", {"c": b"1"})
    share.round()
    (share.root / "a.zip.part").rename(share.root / "a.zip")
    (share.root / "b.zip").unlink()
    share.round()
    assert share.states() == {"a.zip": "seen", "b.zip": "gone", "c.zip": "taken"}
    share.round()
    (share.root / "c.zip").rename(share.root / "d.zip")
    share.round()
    assert share.round().unchanged == 1
    assert share.samples() == ["a@1", "c@1"]
    assert share.states() == {"a.zip": "taken", "b.zip": "gone", "c.zip": "gone", "d.zip": "taken"}


def test_a_file_that_changes_after_the_look_is_not_read(share: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    zip_of(share.root / "a.zip", {"a": b"1"})
    zip_of(share.root / "b.zip", {"b": b"1"})
    share.round()
    read = list[str]()
    plain = source.stamp

    def grow(path: Path) -> source.Stamp:
        read.append(path.name)
        return plain(path)

    def opener(url: str) -> object:
        (share.root / "b.zip").write_bytes(b"PK more is coming")  # between the look and the taking
        return open_lake(url)

    monkeypatch.setattr(source, "stamp", grow)
    monkeypatch.setattr(share.watching, "_open_lake", lambda: opener(share.lake_url))
    assert share.round().added == 1
    assert "b.zip" not in read
    assert share.states() == {"a.zip": "taken", "b.zip": "seen"}


def test_a_share_that_goes_away_is_not_taken_as_emptied(share: Watched, caplog: pytest.LogCaptureFixture) -> None:
    zip_of(share.root / "a.zip", {"a": b"1"})
    share.round()
    share.round()
    zip_of(share.root / "b.zip", {"b": b"1"})
    share.round()
    away = share.root.with_name("away")
    with caplog.at_level(logging.WARNING):
        share.root.rename(away)
        for _ in range(3):
            share.round()
        share.root.mkdir()  # the empty mount point
        share.round()
        assert share.states() == {"a.zip": "taken", "b.zip": "seen"}
        share.root.rmdir()
        away.rename(share.root)
        share.round()
    told = [record.getMessage().removeprefix(f"{share.root} ").split(":")[0] for record in caplog.records]
    assert [text.split(",")[0] for text in told] == ["cannot be watched", "is back"]
    assert share.states() == {"a.zip": "taken", "b.zip": "seen"}  # it is not known whether it was still meanwhile
    assert share.round().added == 1
    assert share.samples() == ["a@1", "b@1"]


def test_a_share_that_comes_back_with_other_content(share: Watched) -> None:
    for name in ("same", "other", "gone"):
        zip_of(share.root / f"{name}.zip", {name: b"1"})
    share.round()
    share.round()
    away = share.root.with_name("away")
    share.root.rename(away)
    share.round()
    share.root.mkdir()
    (away / "same.zip").rename(share.root / "same.zip")
    zip_of(share.root / "other.zip", {"other": b"22"})
    zip_of(share.root / "new.zip", {"new": b"1"})
    share.round()
    assert share.states() == {"same.zip": "taken", "other.zip": "seen", "new.zip": "seen", "gone.zip": "gone"}
    share.round()
    assert share.samples() == ["gone@1", "new@1", "other@1", "other@2", "same@1"]


def test_a_lake_that_is_away_is_waited_for(share: Watched, caplog: pytest.LogCaptureFixture) -> None:
    zip_of(share.root / "a.zip", {"a": b"1"})
    share.round()
    lake = Path(share.lake_url)
    lake.rename(lake.with_name("lake away"))
    with caplog.at_level(logging.WARNING):
        errors = [share.round(seconds).error is not None for seconds in (SETTLE_S, 0.1, 1.0, 1.0, 1.0)]
    assert errors == [True, False, True, False, True]  # each time later
    assert len(caplog.records) == 1
    assert (share.states(), share.queue.facts()["lake_trouble"]["attempts"]) == ({"a.zip": "settled"}, 3)
    found = status_of(share.queue.place)
    assert found is not None
    jsonschema.validate({"ok": False, "exit_code": 6, "watchers": [found]}, json_schema("watch"))
    assert (found["exit_code"], found["counts"]["settled"]) == (6, 1)
    said = "\n".join(lines_of(found))
    assert "lake away    since" in said
    assert f"waiting      {share.root}/a.zip" in said
    lake.with_name("lake away").rename(lake)
    assert (share.round(60.0).added, share.queue.facts()["lake_trouble"]) == (1, None)


def test_a_lake_that_goes_away_in_the_middle_keeps_what_was_committed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with watched(tmp_path, monkeypatch) as share:
        for name in ("a", "b"):
            zip_of(share.root / f"{name}.zip", {name: b"1"})
        share.round()
        with open_lake(share.lake_url) as lake:
            lake.ingest(share.root / "a.zip")
        calls = list[Path]()

        def lost(*words: object, **more: object) -> None:
            calls.append(tmp_path)
            raise UnreachableError("the server does not answer.")

        with monkeypatch.context() as patch:
            patch.setattr("sxeslake.ingest.batch.IngestBatch.run", lost)
            assert share.round().error == "the server does not answer."
        assert (share.states(), len(calls)) == ({"a.zip": "taken", "b.zip": "settled"}, 1)
        share.round(60.0)
        assert share.samples() == ["a@1", "b@1"]


def test_an_error_of_sxeslake_fails_an_archive_and_not_the_watcher(
    share: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    zip_of(share.root / "a.zip", {"a": b"1"})
    share.round()
    with monkeypatch.context() as patch:
        patch.setattr("sxeslake.ingest.engine.Ingest.run", lambda *words: 1 / 0)
        assert share.round().failed == 1
    assert "ZeroDivisionError" in share.reason("a.zip")
    assert share.round(60.0).added == 1


def test_a_folder_of_an_instrument_is_taken_when_its_whole_tree_was_still(share: Watched) -> None:
    zip_of(share.root / "a.zip", {"a": b"1"})
    raw = session(share.root.parent)
    shutil.copytree(raw, share.root / "raw")
    (share.root / "texts").mkdir()
    (share.root / "texts/notes.txt").write_text("no measurement")
    share.round()
    deep = next(path for path in sorted((share.root / "raw").rglob("*")) if path.is_file())
    deep.write_bytes(deep.read_bytes() + b"\n")
    share.round()
    assert share.states() == {"a.zip": "taken", "raw": "seen", "texts": "ignored"}
    done = share.round()
    assert (done.added, share.states()["raw"]) == (1, "taken")
    assert share.samples() == ["a@1", "raw@1"]
    assert share.round().added == 0


def test_a_watched_folder_may_be_a_measurement_itself(share: Watched) -> None:
    found = next(path.parent for path in sorted(session(share.root.parent).rglob("*.qlw")))
    shutil.copytree(found, share.root, dirs_exist_ok=True)
    for _ in range(4):
        share.round()
    assert share.states() == {LOOSE: "ignored", ".": "taken"}
    assert share.samples() == ["share@1"]


def test_nothing_in_the_folder_changes(share: Watched) -> None:
    zip_of(share.root / "a.zip", {"a": b"1"})
    (share.root / "cut.zip").write_bytes(b"PK")
    before = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in share.root.iterdir()}
    for _ in range(4):
        share.round()
    assert {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in share.root.iterdir()} == before


def test_a_full_disk_below_the_queue_does_not_end_the_rounds(
    share: Watched, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    zip_of(share.root / "a.zip", {"a": b"1"})
    rounds = iter([False, False, False, True])

    def wait(seconds: float) -> bool:
        share.times[0] += SETTLE_S
        return next(rounds)

    monkeypatch.setattr(share.watching, "_wait", wait)
    plain, fails = type(share.queue).put, iter([True, False])

    def put(*words: object) -> None:
        if next(fails, False):
            raise sqlite3.OperationalError("database or disk is full")
        plain(*words)  # type: ignore[arg-type]

    monkeypatch.setattr(type(share.queue), "put", put)
    with caplog.at_level(logging.WARNING):
        share.watching.run("watch")
    assert "disk is full" in caplog.text
    assert share.samples() == ["a@1"]


def test_low_priority_is_no_error_where_the_system_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(increment: int) -> int:
        raise PermissionError("no")

    monkeypatch.setattr(os, "nice", refuse)
    monkeypatch.setattr(shutil, "which", lambda name: "/nowhere/ionice")
    be_gentle()
