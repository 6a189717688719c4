"""Lake: how much it holds, what deduplication saved, its history, and how it is kept."""

from __future__ import annotations

from dataclasses import asdict
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from sxeslake.text.table import size
from sxeslake.web.answers import WebPage
from sxeslake.web.commands import python_call, shell_line
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
    log: list[LogRow] = visit.served.remembered.get(
        ("log", visit.commit), lambda: list(islice(visit.lake.log(), _LOG_SEARCHED))
    )
    damage = [_without_place(text, visit.lake.url) for text in visit.lake.damage]
    samples = visit.lake.query("dedup-by-sample", limit=50)
    health = _health(log)
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
            "sample_table": table_of(visit, samples, "dedup", caption="What deduplication saved, by sample", rows=50),
        },
        permalink="overview", is_whole=not damage,
    )  # fmt: skip


def _facts(stats: Stats) -> list[tuple[str, str]]:
    share = f"{100 * stats.bytes_stored / stats.bytes_source:.0f} % of what came" if stats.bytes_source else ""
    saved = stats.bytes_source - stats.bytes_stored
    return [
        ("versions", f"{stats.archives:,} of {stats.samples:,} samples, {stats.members:,} files and folders"),
        ("as they came", size(stats.bytes_source)),
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


def _health(log: list[LogRow]) -> list[dict[str, Any]]:
    """When each kind of work was last done, as far as the log tells it."""
    found = []
    for label, words in _DEEDS:
        row = next((row for row in log if any(word in row.what for word in words)), None)
        found.append({
            "label": label, "at": None if row is None else row.time, "commit": None if row is None else row.number,
            "text": "not among the last commits" if row is None else f"{text_of(row.time)}, by {row.who}",
        })  # fmt: skip
    return found


def _without_place(text: str, url: str) -> str:
    return text.replace(url, "the lake")
