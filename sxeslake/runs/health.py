"""Whether what works unattended has run, and well: of each command the last run and the last success."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal

from sxeslake.runs import folder as runs_folder
from sxeslake.runs.record import RunRecord
from sxeslake.text.table import size

COMMANDS: Final = ("ingest", "watch", "verify", "copy", "gc", "checkpoint")
"""Commands that health tells of also where they have never run."""

LASTING: Final = frozenset({"watch"})
"""Commands that are well while they run; the others are as well as their last run that ended."""

SILENT_S: Final = 600.0
"""A run that has not written its record for so long is gone; it writes once a minute."""

State = Literal["ok", "failed", "interrupted", "running", "died", "never"]
"""What became of the last run; `died` ended without a word: killed, or the machine went down."""


@dataclass(frozen=True, slots=True)
class CommandHealth:
    """One command, of `copy` one target.

    Attributes
    ----------
    command : str
        The command.
    target : str or None
        Where `copy` writes to.
    ok : bool
        Whether it ran well, and lately enough.
    state : str
        What became of the last run: `ok`, `failed`, `interrupted`, `running`, `died`, `never`.
    why : str or None
        What is wrong, in words.
    last : RunRecord or None
        The last run.
    success : RunRecord or None
        The last run that did all.
    age_s : float or None
        Time since the last run ended, in seconds; of a run that lasts, since it began.
    success_age_s : float or None
        Time since the last success, in seconds; 0 for a command that is well while it runs.
    max_age_s : float or None
        How old the last success may be, in seconds.
    """

    command: str
    target: str | None
    ok: bool
    state: State
    why: str | None
    last: RunRecord | None
    success: RunRecord | None
    age_s: float | None
    success_age_s: float | None
    max_age_s: float | None


def health_of(
    lake: str, max_age_s: Mapping[str, float] | None = None, *, folder: Path | None = None, now: datetime | None = None
) -> list[CommandHealth]:
    """The health of each command on a lake, by its records on this machine. OSError where they cannot be read."""
    place = runs_folder.runs_dir() if folder is None else folder
    moment = now or datetime.now(UTC)
    there = runs_folder.commands(place, lake)
    found: list[CommandHealth] = []
    for command in (*COMMANDS, *(each for each in there if each not in COMMANDS)):
        limit = (max_age_s or {}).get(command)
        latest = latest_of(runs_folder.newest_first(place, lake, command))
        if not latest and (command in COMMANDS or limit is not None):
            found.append(_judged(command, None, Latest(), limit, moment))
        for target, each in sorted(latest.items(), key=lambda pair: pair[0] or ""):
            found.append(_judged(command, target, each, limit, moment))
    return found


@dataclass(slots=True)
class Latest:
    """The last runs of one command to one target: any, one that ended, one that did all; the file of its metrics."""

    last: RunRecord | None = None
    ended: RunRecord | None = None
    success: RunRecord | None = None
    metrics_file: str | None = None


def latest_of(newest_first: Iterable[RunRecord]) -> dict[str | None, Latest]:
    """The last runs by target; dry runs do not count."""
    found: dict[str | None, Latest] = {}
    for record in newest_first:
        if record.dry_run:
            continue
        latest = found.setdefault(record.target, Latest())
        latest.last = latest.last or record
        latest.metrics_file = latest.metrics_file or record.metrics_file
        if record.result != "running":
            latest.ended = latest.ended or record
        if runs_folder.is_whole_success(record):
            latest.success = latest.success or record
    return found


def state_of(record: RunRecord, now: datetime, is_alive: Callable[[int], bool | None] | None = None) -> State:
    """What became of a run: `running` only where its process shows that it lives."""
    if record.result != "running":
        return record.result
    if record.host == socket.gethostname() and (is_alive or process_lives)(record.pid) is False:
        return "died"
    return "died" if seconds_since(record.updated_at, now) > SILENT_S else "running"


def process_lives(pid: int) -> bool | None:
    """Whether there is a process of that number here; None where this system does not tell."""
    if sys.platform == "win32":  # where signal 0 would end it
        return None
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # another user's
        return True
    return True


def seconds_since(instant: str, now: datetime) -> float:
    """Seconds from an instant until now; 0 for one that a wrong clock puts in the future."""
    try:
        then = datetime.fromisoformat(instant)
    except ValueError:
        then = datetime.min.replace(tzinfo=UTC)
    return max(0.0, (now - then.replace(tzinfo=then.tzinfo or UTC)).total_seconds())


def _judged(command: str, target: str | None, latest: Latest, limit: float | None, now: datetime) -> CommandHealth:
    last, success = latest.last, latest.success
    state: State = "never" if last is None else state_of(last, now)
    age = None
    if last is not None:
        age = seconds_since(last.ended_at or (last.updated_at if state == "died" else last.started_at), now)
    success_age = None if success is None else seconds_since(success.ended_at or success.updated_at, now)
    judged = last
    if state == "running":
        if command in LASTING:
            success_age = 0.0
        else:
            judged = latest.ended
    why = _why(judged, "never" if judged is None else state_of(judged, now))
    if why is None and limit is not None and (success_age is None or success_age > limit):
        why = (
            f"never succeeded here; {_at_most(limit)}" if success_age is None
            else f"the last success is {age_in_words(success_age)} old; {_at_most(limit)}"
        )  # fmt: skip
    return CommandHealth(command, target, why is None, state, why, last, success, age, success_age, limit)


def _at_most(limit: float) -> str:
    return f"at most {age_in_words(limit)} are allowed"


def _why(record: RunRecord | None, state: State) -> str | None:
    if record is None or state in ("ok", "running"):
        return None
    if state == "died":
        return "its process is gone, and did not say how it ended: killed, or the machine went down"
    if state == "interrupted":
        return "it was interrupted"
    said = record.messages[-1] if record.messages else "no message"
    more = f" (and {record.failures - 1:,} more)" if record.failures > 1 else ""
    return f"exit code {record.exit_code}: {said}{more}"


def in_words(each: CommandHealth) -> str:
    """`12 h ago, took 41 s, read 3.1 GB`; or `2 h ago, failed, took 3 s, last success 3 days ago`."""
    if each.last is None or each.age_s is None:
        return "has never run here"
    ago = age_in_words(each.age_s)
    parts = [f"running for {ago}"] if each.state == "running" else [f"{ago} ago"]
    if each.state not in ("running", "ok"):
        parts.append(each.state)
    if each.state not in ("running", "died"):
        parts.append(f"took {age_in_words(each.last.duration_s)}")
    counted = (("read", each.last.bytes_read), ("wrote", each.last.bytes_written), ("freed", each.last.bytes_freed))
    parts += [f"{word} {size(number)}" for word, number in counted if number > 0]
    if each.last.retries:
        parts.append(f"{each.last.retries:,} retries")
    if each.target is not None:
        parts.append(f"to {each.target}")
    if each.last is not each.success and each.success is not None and each.success_age_s:
        parts.append(f"last success {age_in_words(each.success_age_s)} ago")
    return ", ".join(parts)


def age_in_words(seconds: float) -> str:
    """`0.3 s`, `40 s`, `12 min`, `5 h`, `3 days`: in the largest unit of which there are two, or so."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    for length, unit, most in ((1, "s", 90), (60, "min", 90), (3600, "h", 48)):
        if round(seconds / length) <= most:
            return f"{round(seconds / length)} {unit}"
    return f"{round(seconds / 86_400):,} days"
