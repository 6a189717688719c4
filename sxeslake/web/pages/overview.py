"""Lake: how much it holds, what deduplication saved, its history, and how it is kept."""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, Final

from sxeslake.errors import DamagedLakeError
from sxeslake.runs.health import CommandHealth, health_of, in_words
from sxeslake.runs.recording import public
from sxeslake.text.table import size
from sxeslake.web.answers import WebPage
from sxeslake.web.failures import failure_of
from sxeslake.web.pages.commands import python_call, shell_line
from sxeslake.web.tables import records_of, result_of, table_of, text_of

if TYPE_CHECKING:
    from sxeslake.maintenance.history import LogRow
    from sxeslake.maintenance.report import Stats
    from sxeslake.web.visit import Visit

_LOG_SHOWN: Final = 100
_LOG_SEARCHED: Final = 2_000  # commits among which the last of each kind is looked for
LOG_COLUMNS: Final = ("number", "time", "who", "what", "archives", "message")


def page(visit: Visit) -> WebPage:
    """The lake in figures and words."""
    stats: Stats = visit.served.remembered.get(("stats", visit.commit), visit.lake.stats)
    log = visit.served.history.newest(_LOG_SEARCHED)
    damage = [_without_place(text, visit.lake.url) for text in visit.lake.damage]
    samples = None
    try:
        samples = visit.lake.query("dedup-by-sample", limit=50)
    except DamagedLakeError as error:
        damage.append(f"The catalogue cannot be made: {failure_of(error, [visit.lake.url]).what}")
    runs = _runs(public(visit.lake.url))
    health = _health(log, is_all=len(log) < _LOG_SEARCHED) + _run_rows(runs)
    return WebPage(
        "overview.html", visit.served.title,
        {
            "stats": asdict(stats), "health": health, "damage": damage,
            "history": records_of(log[:_LOG_SHOWN]),
        },
        shell=shell_line(visit, "stats"), python=python_call(visit, "lake.stats("),
        view={
            "facts": _facts(stats),
            "history_table": table_of(
                visit, result_of(records_of(log[:_LOG_SHOWN]), LOG_COLUMNS, "History, newest first"), "history"
            ),
            "sample_table": None if samples is None else table_of(
                visit, samples, "dedup", caption="What deduplication saved, by sample", rows=50
            ),
        },
        permalink="overview", is_whole=not damage and not runs,  # ages of runs change without a commit
    )  # fmt: skip


def _facts(stats: Stats) -> list[tuple[str, str]]:
    share = f"{100 * stats.bytes_stored / stats.bytes_source:.0f} % of what was ingested" if stats.bytes_source else ""
    saved = stats.bytes_source - stats.bytes_stored
    return [
        ("archives", f"{stats.archives:,} versions of {stats.samples:,} samples; {stats.members:,} files and folders"),
        ("as ingested", size(stats.bytes_source)),
        ("unpacked", f"{size(stats.bytes_raw)}, {size(stats.bytes_unique_raw)} without repetitions"),
        ("in the lake", f"{size(stats.bytes_stored)}{f', {share}' if share else ''}"),
        ("saved", size(saved) if saved > 0 else "nothing yet"),
        ("objects", f"{stats.objects:,}, {stats.packs:,} of them packs with {stats.blobs:,} contents"),
        ("commits", f"{stats.log_head:,}"),
    ]


_DEEDS: Final = (
    ("last ingest", ("added",)),
    ("last annotation", ("annotated",)),
    ("last forgotten", ("forgotten",)),
    ("last collection of space (gc)", ("collected", "condemned")),
)


_UNRECORDED: Final = (
    (
        "verify",
        "last check (verify)",
        "not recorded in the lake; look where it runs, such as the journal of its timer",
    ),
    ("copy", "last copy", "not recorded in the lake; the same page of the copy shows its newest commit"),
)
"""What the log does not tell: by command, how it is called here, and what is said where this machine has no runs."""


def _health(log: list[LogRow], *, is_all: bool) -> list[dict[str, Any]]:
    """When each kind of work was last done, as far as the log tells it, and what it does not tell."""
    found = []
    for label, words in _DEEDS:
        row = next((row for row in log if any(word in row.what for word in words)), None)
        found.append({
            "label": label, "at": None if row is None else row.time, "commit": None if row is None else row.number,
            "text": f"{_age(row.time)}: {text_of(row.time)}, by {row.who}" if row is not None
            else "never" if is_all else f"not among the last {_LOG_SEARCHED:,} commits",
        })  # fmt: skip
    return found


def _runs(lake: str) -> list[CommandHealth]:
    """The last runs on a lake that this machine knows of."""
    try:
        return [each for each in health_of(lake) if each.last is not None]
    except OSError:
        return []


def _run_rows(runs: list[CommandHealth]) -> list[dict[str, Any]]:
    """The last check and copies, and what else works unattended. Where a copy lies is no reader's business."""
    found: list[dict[str, Any]] = []
    for command, label, otherwise in _UNRECORDED:
        rows = [each for each in runs if each.command == command]
        found += [_run_row(label, each) for each in rows]
        if not rows:
            found.append({"label": label, "at": None, "commit": None, "text": otherwise})
    others = [each for each in runs if each.command not in ("verify", "copy")]
    return found + [_run_row(f"last run of {each.command}", each) for each in others]


def _run_row(label: str, each: CommandHealth) -> dict[str, Any]:
    words = in_words(replace(each, target=None))
    at = None if each.last is None else each.last.ended_at or each.last.started_at
    return {"label": label, "at": at, "commit": None, "text": f"{words}, on this machine"}


def _age(moment: dt.datetime) -> str:
    """`today`, `yesterday`, `12 days ago`, by days in UTC."""
    days = (dt.datetime.now(dt.UTC).date() - moment.astimezone(dt.UTC).date()).days
    return "today" if days < 1 else "yesterday" if days == 1 else f"{days:,} days ago"


def _without_place(text: str, url: str) -> str:
    return text.replace(url, "the lake")
