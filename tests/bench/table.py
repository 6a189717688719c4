"""What was measured, as a table for people and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.measure import Cost

OURS = "sxeslake"
_MB = 1_000_000
_HEADINGS = (
    "work", "by", "s", "÷ ours", "CPU s", "peak MiB", "stored MB", "÷ source", "requests", "MB moved", "to reach", "",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Row:
    """One program doing one work; None where that does not apply."""

    work: str
    by: str = OURS
    seconds: float | None = None
    cpu_s: float | None = None
    peak_bytes: int | None = None
    stored_bytes: int | None = None
    source_bytes: int | None = None
    requests: int | None = None
    moved_bytes: int | None = None
    to_reach: str = ""
    met: bool | None = None
    note: str = ""


def row(
    work: str, by: str, cost: Cost, *, stored: int | None = None, source: int | None = None,
    requests: int | None = None, moved: int | None = None, to_reach: str = "", met: bool | None = None, note: str = "",
) -> Row:  # fmt: skip
    """A row of a cost."""
    return Row(
        work, by, cost.seconds, cost.cpu_s, cost.peak_bytes, stored, source, requests, moved, to_reach, met, note
    )


def markdown(rows: Sequence[Row]) -> str:
    """A Markdown table; a peer's ratio is to our own time for the same work."""
    ours = {row.work: row.seconds for row in rows if row.by == OURS}
    cells = [_HEADINGS, tuple("---" for _ in _HEADINGS), *(tuple(_cells(row, ours.get(row.work))) for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in cells) + "\n"


def _cells(row: Row, ours: float | None) -> Iterator[str]:
    yield row.work
    yield row.by
    yield _number(row.seconds)
    yield f"{row.seconds / ours:.2f}" if row.by != OURS and row.seconds is not None and ours else ""
    yield _number(row.cpu_s)
    yield "" if row.peak_bytes is None else f"{row.peak_bytes / 2**20:.0f}"
    yield "" if row.stored_bytes is None else f"{row.stored_bytes / _MB:.2f}"
    yield f"{row.stored_bytes / row.source_bytes:.4f}" if row.stored_bytes is not None and row.source_bytes else ""
    yield "" if row.requests is None else str(row.requests)
    yield "" if row.moved_bytes is None else f"{row.moved_bytes / _MB:.2f}"
    yield row.to_reach + {True: " ✓", False: " ✗", None: ""}[row.met]
    yield row.note


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.3f}" if value < 1 else f"{value:.2f}"


def write_json(path: Path, about: dict[str, object], rows: Sequence[Row]) -> None:
    """The same figures for programs."""
    path.write_text(json.dumps({**about, "rows": [asdict(row) for row in rows]}, indent=1, ensure_ascii=False) + "\n")
