"""How watchers are: what `watch --status` says, read from their queues."""

from __future__ import annotations

import logging
import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from sxeslake.watching import clock, plan
from sxeslake.watching.listing import LOOSE, path_of
from sxeslake.watching.lock import is_locked
from sxeslake.watching.plan import WatchedItem
from sxeslake.watching.queue import LOCK, Queue

_LOG = logging.getLogger(__name__)

HEALTHY: Final = 0
NOT_RUNNING: Final = 3
FAILED: Final = 4
LAKE_AWAY: Final = 6
"""Exit codes that tell the status, each also that of an error of this kind."""

_LATE_ROUNDS: Final = 10
_LATE_S: Final = 600.0
_ONCE_LATE_S: Final = 24 * 3600.0
"""A round that is older than this is late: a share that answers nothing holds it up, or nothing starts it any more."""


def status_of(place: Path) -> dict[str, Any] | None:
    """How the watcher of a queue is, as `--json` prints it; None where there is no queue that can be read."""
    is_running = is_locked(place / LOCK)
    try:
        with closing(Queue.read(place)) as queue:
            facts = queue.facts()
            folders = [Path(folder) for folder in facts["folders"]]
            items = [queue.items(number) for number in range(len(folders))]
            changed_at = [queue.changed_at(number) for number in range(len(folders))]
    except (sqlite3.Error, KeyError, ValueError) as error:
        _LOG.warning("%s cannot be read as a queue: %s", place, error)
        return None
    watched = facts.get("watched") or [{"path": os.fspath(folder), "away": None} for folder in folders]
    everything = [item for each in items for path, item in each.items() if path != LOOSE]
    found: dict[str, Any] = {
        "lake": facts["lake"],
        "queue": os.fspath(place),
        "running": is_running,
        "mode": facts.get("mode"),
        "pid": facts.get("pid"),
        "host": facts.get("host"),
        "started_at": facts.get("started_at"),
        "stopped_at": None if is_running else facts.get("ended_at"),
        "every_s": facts.get("every_s") or 0.0,
        "settle_s": facts.get("settle_s") or 0.0,
        "activity": facts.get("phase") if is_running else None,
        "last_round": facts.get("last_round"),
        "last_taken_at": facts.get("last_taken_at"),
        "lake_trouble": facts.get("lake_trouble"),
        "counts": plan.counted(everything),
        "folders": [_folder(facts_of, each) for facts_of, each in zip(watched, items, strict=True)],
        "items": list(_rows(folders, items, changed_at, float(facts.get("settle_s") or 0))),
    }
    found["late"] = _is_late(found)
    found["exit_code"], found["summary"] = _judged(found)
    return found


def exit_code_of(statuses: Sequence[Mapping[str, Any]]) -> int:
    """The exit code for several watchers: that of what is worst."""
    codes = {each["exit_code"] for each in statuses}
    return next((code for code in (FAILED, LAKE_AWAY, NOT_RUNNING) if code in codes), HEALTHY)


def _folder(facts: Mapping[str, Any], items: Mapping[str, WatchedItem]) -> dict[str, Any]:
    unlisted = facts.get("unlisted") or {}
    return {
        "path": facts["path"],
        "state": "away" if facts.get("away") else "there",
        "reason": facts.get("away"),
        "since_at": facts.get("away_since"),
        "counts": plan.counted([item for path, item in items.items() if path != LOOSE]),
        "unreadable": [{"path": path, "reason": reason} for path, reason in sorted(unlisted.items())],
    }


def _rows(
    folders: Sequence[Path], items: Sequence[Mapping[str, WatchedItem]], changed_at: Sequence[Mapping[str, str]],
    settle_s: float,
) -> Iterator[dict[str, Any]]:  # fmt: skip
    now, today = clock.now(), datetime.now(UTC)
    for folder, each, at in zip(folders, items, changed_at, strict=True):
        for path, item in sorted(each.items()):
            still_s = max(0.0, now - item.still_since)
            row: dict[str, Any] = {
                "path": os.fspath(path_of(folder, path)),
                "kind": item.kind,
                "status": item.state,
                "bytes_source": item.signature.size,
                "sample": item.sample,
                "version": item.version,
                "reason": item.reason,
                "attempts": item.attempts,
                "next_attempt_at": None,
                "still_s": None,
                "changed_at": at.get(path),
            }
            if item.state == "failed":
                row["next_attempt_at"] = _instant(today + timedelta(seconds=item.retry_at - now))
            elif item.state == "seen":
                row["still_s"] = round(min(still_s, settle_s), 1)
            yield row


def _is_late(found: Mapping[str, Any]) -> bool:
    """Whether the last round is too long ago."""
    if not found["running"]:
        last = (found["last_round"] or {}).get("ended_at")
        return found["mode"] == "once" and (last is None or _age_s(last) > _ONCE_LATE_S)
    activity = found["activity"]
    if activity is None or activity["what"] == "taking":  # a large archive may take hours
        return False
    return _age_s(activity["since_at"]) > max(_LATE_ROUNDS * (found["every_s"] or 0), _LATE_S)


def _judged(found: Mapping[str, Any]) -> tuple[int, str]:
    """Exit code, and the state in a word or two."""
    is_unwell = found["counts"]["failed"] or any(
        each["state"] == "away" or each["unreadable"] for each in found["folders"]
    )
    if not found["running"] and found["mode"] != "once":
        word, code = "not running", NOT_RUNNING
    elif found["late"]:
        word, code = ("stuck" if found["running"] else "overdue"), NOT_RUNNING
    else:
        word, code = ("running" if found["running"] else "between rounds"), HEALTHY
    if is_unwell:
        return FAILED, word
    if found["lake_trouble"]:
        return LAKE_AWAY, word
    return code, word


def _age_s(instant: str) -> float:
    return (datetime.now(UTC) - datetime.fromisoformat(instant)).total_seconds()


def _instant(time: datetime) -> str:
    return f"{time:%Y-%m-%dT%H:%M:%SZ}"
