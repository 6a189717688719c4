"""Health: what counts as a last run, as a success, as dead; how old is too old."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sxeslake.runs import folder as runs_folder
from sxeslake.runs.health import CommandHealth, age_in_words, health_of, in_words, process_lives
from sxeslake.runs.record import RunRecord

LAKE = "/lake"
NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
DAY = 86_400.0


def instant(ago_s: float) -> str:
    return (NOW - timedelta(seconds=ago_s)).isoformat().replace("+00:00", "Z")


class Past:
    """Records of runs, the oldest first."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.number = folder, 0

    def ran(self, command: str, ago_s: float, result: str = "ok", **more: object) -> None:
        self.number += 1
        ended = None if result == "running" else instant(ago_s)
        fields = {
            "id": f"20261127T{self.number:06d}.000Z-00000000", "command": command, "lake": LAKE, "result": result,
            "host": socket.gethostname(), "pid": os.getpid(), "sxeslake_version": "1", "ended_at": ended,
            "started_at": instant(ago_s + 60), "updated_at": instant(ago_s),
            "exit_code": {"ok": 0, "failed": 6}.get(result),
        } | more  # fmt: skip
        runs_folder.write(self.folder, RunRecord(**fields))  # type: ignore[arg-type]

    def health(self, command: str, target: str | None = None, **max_age_s: float) -> CommandHealth:
        found = health_of(LAKE, max_age_s, folder=self.folder, now=NOW)
        return next(each for each in found if (each.command, each.target) == (command, target))


@pytest.fixture
def past(tmp_path: Path) -> Past:
    return Past(tmp_path)


def test_what_never_ran_is_well_unless_an_age_is_asked_for(past: Past) -> None:
    assert past.health("verify").ok
    assert past.health("verify").state == "never"
    assert not past.health("verify", verify=DAY).ok


def test_the_last_run_counts(past: Past) -> None:
    past.ran("verify", 3 * DAY)
    past.ran("verify", DAY, "failed", messages=["storage is away"], failures=1)
    found = past.health("verify")
    assert (found.ok, found.state, found.age_s, found.success_age_s) == (False, "failed", DAY, 3 * DAY)
    assert "storage is away" in str(found.why)
    past.ran("verify", 60)
    assert past.health("verify").ok


def test_an_interrupted_run_is_not_well(past: Past) -> None:
    past.ran("gc", 60, "interrupted")
    assert not past.health("gc").ok


def test_ages_are_of_the_last_success(past: Past) -> None:
    past.ran("verify", 7 * DAY)
    assert past.health("verify", verify=8 * DAY).ok
    assert not past.health("verify", verify=6 * DAY).ok


def test_dry_runs_do_not_count(past: Past) -> None:
    past.ran("gc", 9 * DAY)
    past.ran("gc", 60, "failed", dry_run=True)
    past.ran("gc", 30, dry_run=True)
    assert past.health("gc").age_s == 9 * DAY
    assert not past.health("gc", gc=DAY).ok


def test_a_partial_run_is_well_and_no_success(past: Past) -> None:
    past.ran("verify", 9 * DAY)
    past.ran("verify", 60, complete=False)
    found = past.health("verify")
    assert (found.ok, found.state, found.success_age_s) == (True, "ok", 9 * DAY)
    assert not past.health("verify", verify=8 * DAY).ok


def test_each_target_of_copy_counts(past: Past) -> None:
    past.ran("copy", 5 * DAY, target="/old")
    past.ran("copy", 60, target="s3://second/lake")
    assert past.health("copy", "s3://second/lake", copy=2 * DAY).ok
    assert not past.health("copy", "/old", copy=2 * DAY).ok


def test_a_run_that_goes_on_is_judged_by_the_one_before(past: Past) -> None:
    past.ran("verify", 2 * DAY, "failed")
    past.ran("verify", 5, "running")
    assert (past.health("verify").ok, past.health("verify").state) == (False, "running")
    past.ran("verify", 4)
    past.ran("verify", 3, "running")
    assert past.health("verify", verify=DAY).ok


def test_watch_is_well_while_it_runs(past: Past) -> None:
    past.ran("watch", 2 * DAY, "failed")
    past.ran("watch", 5, "running")
    found = past.health("watch", watch=600.0)
    assert (found.ok, found.success_age_s) == (True, 0.0)


def test_a_process_that_is_gone_has_died(past: Past) -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    past.ran("verify", 5, "running", pid=child.pid)
    found = past.health("verify")
    assert (found.ok, found.state) == (False, "died")
    assert in_words(found) == "5.0 s ago, died"


@pytest.mark.parametrize("pid", [None, 1])
def test_a_run_that_says_nothing_for_long_has_died(past: Past, pid: int | None) -> None:
    """Its number may be another process's by now."""
    past.ran("verify", 3600, "running", pid=pid or os.getpid())
    assert past.health("verify").state == "died"


def test_another_hosts_run_lives_while_it_says_so(past: Past) -> None:
    past.ran("verify", 100, "running", host="elsewhere", pid=2**22 + 1)
    assert past.health("verify").state == "running"
    past.ran("verify", 3600, "running", host="elsewhere")
    assert past.health("verify").state == "died"


def test_a_clock_ahead_makes_no_negative_age(past: Past) -> None:
    past.ran("verify", -7200)
    found = past.health("verify", verify=DAY)
    assert (found.ok, found.age_s) == (True, 0.0)


def test_other_commands_are_listed_where_they_ran(past: Past) -> None:
    past.ran("repair", 60)
    assert past.health("repair").ok


def test_processes_are_told_apart() -> None:
    assert process_lives(os.getpid())
    assert process_lives(1) is not False


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.04, "0.0 s"), (9.8, "9.8 s"), (41, "41 s"), (120, "2 min"), (5 * 3600, "5 h"), (47 * 3600, "47 h"),
     (3 * DAY, "3 days"), (4000 * DAY, "4,000 days")],
)  # fmt: skip
def test_ages_in_words(seconds: float, words: str) -> None:
    assert age_in_words(seconds) == words
