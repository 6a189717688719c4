"""How a watcher is, in words for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from sxeslake.text.safe import visible
from sxeslake.text.table import size

_LISTED: Final = 20
"""Items of a state that are named; `--json` names all."""

_STATES: Final = {
    "taken": "taken", "settled": "waiting", "seen": "not settled", "failed": "failed", "ignored": "ignored",
    "gone": "gone",
}  # fmt: skip


def lines_of(found: Mapping[str, Any]) -> Iterator[str]:
    """The lines about one watcher, as `watching.status` describes it."""
    for word, text in _told(found):
        yield f"{word:12} {text}"


def _told(found: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield found["summary"], _process(found)
    yield "lake", visible(found["lake"])
    yield "rounds", f"every {span(found['every_s'])}; taken when still for {span(found['settle_s'])}"
    if (last := found["last_round"]) is not None:
        did = f"{last['added']:,} stored, {last['unchanged']:,} unchanged, {last['failed']:,} failed"
        yield "last round", f"{moment(last['ended_at'])}, {last['seconds']} s: {did}"
    if (trouble := found["lake_trouble"]) is not None:
        yield "lake away", f"since {moment(trouble['since_at'])}: {visible(trouble['error'])}"
    for folder in found["folders"]:
        yield "folder", f"{visible(folder['path'])}: {_tally(folder['counts'])}"
        if folder["state"] == "away":
            yield "  away", f"since {moment(folder['since_at'])}: {visible(folder['reason'])}"
        for row in folder["unreadable"][:_LISTED]:
            yield "  unreadable", f"{visible(row['path'])}: {visible(row['reason'])}"
    for state in ("settled", "seen", "failed"):
        rows = [row for row in found["items"] if row["status"] == state and row["kind"] != "loose"]
        for row in rows[:_LISTED]:
            yield _STATES[state], f"{visible(row['path'])}: {_detail(row, found['settle_s'])}"
        if len(rows) > _LISTED:
            yield "", f"… and {len(rows) - _LISTED:,} more; --json names all"


def span(seconds: float) -> str:
    """120 → `2 min`; 0.2 → `0.2 s`; 90 → `90 s`."""
    for length_s, unit in ((3600, "h"), (60, "min")):
        if seconds and seconds % length_s == 0:
            return f"{seconds / length_s:g} {unit}"
    return f"{seconds:g} s"


def moment(instant: str | None) -> str:
    """`2026-11-27 14:30:05`, local time."""
    if instant is None:
        return "an unknown time"
    return f"{datetime.fromisoformat(instant).astimezone():%Y-%m-%d %H:%M:%S}"


def _process(found: Mapping[str, Any]) -> str:
    process = f"process {found['pid']} on {visible(found['host'])}, since {moment(found['started_at'])}"
    if found["running"]:
        activity = found["activity"]
        if found["summary"] == "stuck":
            return (
                f"{process}; {activity['what']} {visible(activity['where'] or '')} since {moment(activity['since_at'])}"
            )
        return process
    if found["mode"] == "once":
        return "started by a timer, one round at a time"
    if found["stopped_at"] is None:
        return f"ended unexpectedly: {process}"
    return f"stopped {moment(found['stopped_at'])}"


def _tally(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{counts[state]:,} {word}" for state, word in _STATES.items() if counts[state]) or "nothing yet"


def _detail(row: Mapping[str, Any], settle_s: float) -> str:
    if row["status"] == "failed":
        again = f", again at {moment(row['next_attempt_at'])}" if row["next_attempt_at"] else ""
        return f"{visible(row['reason'])} (tried {_times(row['attempts'])}{again})"
    if row["status"] == "seen":
        return f"{size(row['bytes_source'])}, unchanged for {row['still_s']:g} s of {span(settle_s)}"
    return size(row["bytes_source"])


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number:,} times"
