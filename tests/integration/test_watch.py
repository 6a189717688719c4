"""`sxeslake watch` as processes: killed, stopped, two at a time, over a share that goes away; and what --status says.

`SXESLAKE_WATCH_SOAK=600` for a soak of so many seconds with all of it at once.
"""

from __future__ import annotations

import json
import os
import random
import sys
import threading
import time
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from support.small_lakes import counts, zip_of
from support.watched import answer, is_whole, stop, until, versions, watching

from sxeslake.cli.run import run
from sxeslake.lake import init, open_lake
from sxeslake.runs.folder import newest_first, runs_dir

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals of its own")

SOAK_S = float(os.environ.get("SXESLAKE_WATCH_SOAK", "0"))
KILLS = 3


def contents_of(number: int) -> dict[str, bytes]:
    """Archives that overlap with their neighbours."""
    return {f"{each}.bin": counts(each, 20_000) for each in range(number, number + 3)}


class SlowWriter(threading.Thread):
    """Copies archives into a folder as an instrument or a slow share does: piece by piece, some by a last rename."""

    def __init__(self, folder: Path, archives: Mapping[str, Path], pause_s: float, pieces: int = 5) -> None:
        super().__init__(daemon=True)
        self.folder, self.archives, self.pause_s, self.pieces = folder, archives, pause_s, pieces

    def run(self) -> None:
        for number, (name, source) in enumerate(self.archives.items()):
            data = source.read_bytes()
            final = self.folder / f"{name}.zip"
            path = final.with_suffix(".part") if number % 3 == 2 else final
            step = -(-len(data) // self.pieces)
            for start in range(0, len(data), step):
                self._append(path, data[start : start + step])
                time.sleep(self.pause_s)
            if path != final:
                self._again(lambda path=path, final=final: path.rename(final))

    def _append(self, path: Path, data: bytes) -> None:
        def append() -> None:
            with path.open("ab") as file:
                file.write(data)

        self._again(append)

    @staticmethod
    def _again(act: object) -> None:
        while True:
            try:
                act()  # type: ignore[operator]
            except FileNotFoundError:  # the share is away
                time.sleep(0.02)
            else:
                return


def archives_in(folder: Path, number: int) -> dict[str, Path]:
    """Archives to be copied, by name."""
    return {f"a{each}": zip_of(folder / f"a{each}.zip", contents_of(each)) for each in range(number)}


def check_whole(url: str, archives: Mapping[str, Path], folder: Path) -> None:
    """Each archive is in once, and comes back byte for byte."""
    assert versions(url) == dict.fromkeys(archives, 1)
    with open_lake(url) as lake:
        assert is_whole(lake)
        for name, path in archives.items():
            lake.pull(name, folder / "pulled.zip", force=True)
            with zipfile.ZipFile(folder / "pulled.zip") as pulled, zipfile.ZipFile(path) as source:
                assert {each: pulled.read(each) for each in pulled.namelist()} == {
                    each: source.read(each) for each in source.namelist()
                }


def has_gone_round(status: Mapping[str, Any]) -> bool:
    """Whether all watchers run, and have looked at their folders."""
    return "watchers" in status and all(each["running"] and each["last_round"] for each in status["watchers"])


def test_a_slow_writer_and_three_kills_bring_each_archive_in_once(tmp_path: Path) -> None:
    share, lake = tmp_path / "share", str(tmp_path / "lake")
    share.mkdir()
    init(lake).close()
    archives = archives_in(tmp_path / "from", 8)
    writer = SlowWriter(share, archives, 0.06)
    writer.start()
    chance = random.Random(5)
    for kill in range(KILLS):
        with watching(tmp_path, "share", "--lake", lake) as process:
            until(lambda kill=kill: len(versions(lake)) > 2 * kill)  # type: ignore[misc]
            time.sleep(chance.uniform(0.0, 0.3))
            process.kill()
    with watching(tmp_path, "share", "--lake", lake) as process:
        until(lambda: len(versions(lake)) == len(archives))
        writer.join()
        assert stop(process)[0] == 0
    check_whole(lake, archives, tmp_path)
    code, found = answer(tmp_path, "watch", "--status", "--lake", lake)
    assert (code, found["watchers"][0]["summary"]) == (3, "not running")
    assert found["watchers"][0]["counts"]["taken"] == len(archives)
    assert found["watchers"][0]["counts"]["failed"] == 0


def test_a_share_that_vanishes_meanwhile(tmp_path: Path) -> None:
    share, lake = tmp_path / "share", str(tmp_path / "lake")
    share.mkdir()
    init(lake).close()
    archives = archives_in(tmp_path / "from", 6)
    writer = SlowWriter(share, archives, 0.05)
    writer.start()
    notes = tmp_path / "notes"
    notify = f"{sys.executable} -c \"import sys; open({str(notes)!r}, 'a').write(sys.stdin.read())\""
    with watching(tmp_path, "share", "--lake", lake, "--metrics-port", "0", "--notify", notify) as process:
        assert process.stdout is not None
        address = process.stdout.readline().decode().removeprefix("Metrics: ").strip()
        for away_s in (0.6, 0.3):
            until(lambda: bool(versions(lake)))
            share.rename(tmp_path / "away")
            time.sleep(away_s)
            code, found = answer(tmp_path, "watch", "--status")
            assert (code, found["watchers"][0]["folders"][0]["state"]) == (4, "away")
            (tmp_path / "away").rename(share)
            time.sleep(0.3)
        until(lambda: len(versions(lake)) == len(archives))
        writer.join()
        with urlopen(address) as page:
            metrics = page.read().decode()
        code, words = stop(process)
    assert 'sxeslake_run_archives{command="watch",' in metrics
    assert json.loads(notes.read_text().partition("}{")[0].removesuffix("}") + "}")["command"] == "watch-round"
    rounds = list(newest_first(tmp_path / "state/runs", lake, "watch-round"))
    assert sum(record.archives for record in rounds) == len(archives)
    assert any("it is not there" in message for record in rounds for message in record.messages)
    watcher = next(newest_first(tmp_path / "state/runs", lake, "watch"))
    assert (watcher.result, watcher.archives) == ("ok", len(archives))
    assert (code, words.count("cannot be watched"), words.count("is back")) == (0, 2, 2)
    check_whole(lake, archives, tmp_path)


def test_two_watchers_on_one_queue_and_others_beside_them(tmp_path: Path) -> None:
    lake = str(tmp_path / "lake")
    init(lake).close()
    archives = archives_in(tmp_path / "share/sub", 4)
    (tmp_path / "more").mkdir()
    with watching(tmp_path, "share", "more", "--lake", lake) as first:
        until(lambda: has_gone_round(answer(tmp_path, "watch", "--status")[1]))
        with watching(tmp_path, "more", "share", "--lake", lake) as second:
            words, _ = second.communicate(timeout=30)
        assert second.returncode == 7
        assert b"another process watches these folders" in words
        with watching(tmp_path, "share", "--lake", lake) as overlapping:
            until(lambda: len(versions(lake)) == len(archives))
            time.sleep(0.5)
            assert stop(overlapping)[0] == 0
        assert stop(first)[0] == 0
    check_whole(lake, {f"sub/{name}": path for name, path in archives.items()}, tmp_path)


def test_once_takes_what_was_still_and_says_what_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SXESLAKE_LAKE", str(tmp_path / "lake"))
    monkeypatch.chdir(tmp_path)
    init(str(tmp_path / "lake")).close()
    zip_of(tmp_path / "share/2018/a.zip", {"a": b"1"})
    assert run(["watch", "share", "--once", "--settle", "0.2s"]) == 0
    assert "1 stored, 0 unchanged, 0 failed" in capsys.readouterr().out
    record = next(newest_first(runs_dir(), str(tmp_path / "lake"), "watch"))
    size = (tmp_path / "share/2018/a.zip").stat().st_size
    assert (record.result, record.archives, record.bytes_read) == ("ok", 1, size)
    assert run(["watch", "--status"]) == 0
    said = capsys.readouterr().out
    assert "between rounds" in said
    assert "1 taken" in said
    (tmp_path / "share/cut.zip").write_bytes(b"PK\x03\x04 half")
    assert run(["watch", "share", "--once", "--settle", "0.2s"]) == 4
    assert "0 stored, 0 unchanged, 1 failed" in capsys.readouterr().out
    assert run(["watch", "--status", "share"]) == 4
    said = capsys.readouterr().out
    assert "cut.zip" in said
    record = next(newest_first(runs_dir(), str(tmp_path / "lake"), "watch"))
    assert (record.result, record.exit_code, record.failures) == ("failed", 4, 1)
    assert "cut.zip: truncated" in record.messages[0]
    assert "tried once" in said
    (tmp_path / "share").rename(tmp_path / "away")
    assert run(["watch", "share", "--once"]) == 4
    assert "it is not there" in capsys.readouterr().err
    (tmp_path / "lake").rename(tmp_path / "no lake")
    assert run(["watch", "share", "--once"]) == 3
    assert "there is no lake here" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ("watch", 2, "Missing argument"),
        ("watch nowhere", 3, "no such folder"),
        ("watch share/a.zip", 4, "this is a file"),
        ("watch share share/sub", 2, "lies in"),
        ("watch share --every 0", 2, "longer than 0"),
        ("watch share --settle -5s", 2, "write hours"),
        ("watch share --settle soon", 2, "write hours"),
        ("watch share --status --once", 2, "cannot be combined"),
        ("watch --status", 3, "there is no queue"),
        ("watch lake --once", 4, "is a lake"),
    ],
)
def test_calls_that_cannot_be_meant(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: str,
    code: int,
    said: str,
) -> None:
    monkeypatch.setenv("SXESLAKE_LAKE", str(tmp_path / "lake"))
    monkeypatch.chdir(tmp_path)
    init(str(tmp_path / "lake")).close()
    zip_of(tmp_path / "share/a.zip", {"a": b"1"})
    (tmp_path / "share/sub").mkdir()
    assert run(words.split()) == code
    assert said in " ".join(capsys.readouterr().err.split())


@pytest.mark.skipif(not SOAK_S, reason="SXESLAKE_WATCH_SOAK is not set")
@pytest.mark.timeout(0)
def test_soak(tmp_path: Path) -> None:
    """For minutes: archives come, the share goes away, the watcher is killed, again and again."""
    share, lake, chance = tmp_path / "share", str(tmp_path / "lake"), random.Random(7)
    share.mkdir()
    init(lake).close()
    ends = time.monotonic() + SOAK_S
    archives: dict[str, Path] = {}
    kills = absences = 0
    while time.monotonic() < ends:
        fresh = {
            f"a{each}": zip_of(tmp_path / "from" / f"a{each}.zip", contents_of(each))
            for each in range(len(archives), len(archives) + 12)
        }
        writer = SlowWriter(share, fresh, chance.uniform(0.01, 0.1))
        writer.start()
        while writer.is_alive():
            with watching(tmp_path, "share", "--lake", lake) as process:
                time.sleep(chance.uniform(0.5, 4.0))
                if chance.random() < 0.4:
                    share.rename(tmp_path / "away")
                    time.sleep(chance.uniform(0.1, 3.0))
                    (tmp_path / "away").rename(share)
                    absences += 1
                    time.sleep(chance.uniform(0.5, 2.0))
                process.kill()
                kills += 1
        archives |= fresh
    with watching(tmp_path, "share", "--lake", lake) as process:
        until(lambda: len(versions(lake)) == len(archives), patience_s=SOAK_S + 600)
        assert stop(process)[0] == 0
    check_whole(lake, archives, tmp_path)
    print(f"{len(archives)} archives, {kills} kills, {absences} absences, {SOAK_S:.0f} s")
