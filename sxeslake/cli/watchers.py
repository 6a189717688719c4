"""How a watcher is, in words: `watch --status`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from sxeslake.cli.words import count, duration, shown, size

if TYPE_CHECKING:
    from sxeslake.cli.app import App

_LISTED: Final = 20
"""Items of a state that are named; `--json` names all."""

_STATES: Final = {
    "taken": "taken", "settled": "waiting", "seen": "not settled", "failed": "failed", "ignored": "ignored",
    "gone": "gone",
}  # fmt: skip


def show_watcher(app: App, found: Mapping[str, Any]) -> None:
    """Print one watcher, as `watching.status` describes it."""

    def line(word: str, text: str) -> None:
        app.print(f"{word:12} {text}")

    line(found["summary"], _process(found))
    line("lake", shown(found["lake"]))
    line("rounds", f"every {span(found['every_s'])}; taken when still for {span(found['settle_s'])}")
    if (last := found["last_round"]) is not None:
        did = f"{last['added']:,} stored, {last['unchanged']:,} unchanged, {last['failed']:,} failed"
        line("last round", f"{moment(last['ended_at'])}, {last['seconds']} s: {did}")
    if (trouble := found["lake_trouble"]) is not None:
        line("lake away", f"since {moment(trouble['since_at'])}: {shown(trouble['error'])}")
    for folder in found["folders"]:
        line("folder", f"{shown(folder['path'])}: {_tally(folder['counts'])}")
        if folder["state"] == "away":
            line("  away", f"since {moment(folder['since_at'])}: {shown(folder['reason'])}")
        for row in folder["unreadable"][:_LISTED]:
            line("  unreadable", f"{shown(row['path'])}: {shown(row['reason'])}")
    for state in ("settled", "seen", "failed"):
        rows = [row for row in found["items"] if row["status"] == state and row["kind"] != "loose"]
        for row in rows[:_LISTED]:
            line(_STATES[state], f"{shown(row['path'])}: {_detail(row, found['settle_s'])}")
        if len(rows) > _LISTED:
            line("", f"… and {len(rows) - _LISTED:,} more; --json names all")


def span(seconds: float) -> str:
    """120 → `2 min`; 0.2 → `0.2 s`; 90 → `90 s`."""
    return duration(seconds) if seconds >= 60 and seconds % 60 == 0 else f"{seconds:g} s"


def moment(instant: str | None) -> str:
    """`2026-11-27 14:30:05`, local time."""
    if instant is None:
        return "an unknown time"
    return f"{datetime.fromisoformat(instant).astimezone():%Y-%m-%d %H:%M:%S}"


def _process(found: Mapping[str, Any]) -> str:
    process = f"process {found['pid']} on {shown(found['host'])}, since {moment(found['started_at'])}"
    if found["running"]:
        activity = found["activity"]
        if found["summary"] == "stuck":
            return (
                f"{process}; {activity['what']} {shown(activity['where'] or '')} since {moment(activity['since_at'])}"
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
        return f"{shown(row['reason'])} (tried {count(row['attempts'], 'time')}{again})"
    if row["status"] == "seen":
        return f"{size(row['bytes_source'])}, unchanged for {row['still_s']:g} s of {span(settle_s)}"
    return size(row["bytes_source"])
