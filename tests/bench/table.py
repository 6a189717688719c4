"""What was measured, as a table for people and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.limit import Limit
from bench.measure import Cost, Runs

OURS = "sxeslake"
_MB = 1_000_000
_HEADINGS = (
    "work", "by", "s", "ours ÷ it", "CPU s", "s ÷ limit", "CPU ÷ limit", "peak MiB", "stored MB", "÷ source",
    "requests", "MB moved", "to reach", "",
)  # fmt: skip
_MARKS = {True: " ✓", False: " ✗", None: ""}


@dataclass(frozen=True, slots=True)
class Target:
    """What a work is to reach, and whether it does; None where that was not measured."""

    text: str
    met: bool | None = None


def at_most(value: float, limit: float, unit: str = "") -> Target:
    """`≤ 6.2 CPU s`."""
    return Target(f"≤ {limit:g}{unit}", value <= limit)


def of_peer(ours: Runs, runs: Mapping[str, Runs], peer: str, limit: float, unit: str = "") -> Target:
    """`0.62 × restic, ≤ 0.67`, in the rounds in which both took turns."""
    if peer not in runs:
        return Target(f"≤ {limit:g} × {peer}{unit}")
    ratio = ours.ratio_to(runs[peer])
    return Target(f"≤ {limit:g} × {peer}{unit}: {ratio:.2f}", ratio <= limit)


@dataclass(frozen=True, slots=True)
class Row:
    """One program doing one work; None where that does not apply."""

    work: str
    by: str = OURS
    seconds: float | None = None
    ratio: float | None = None  # our seconds to those of this program
    cpu_s: float | None = None
    limit: Limit | None = None
    peak_bytes: int | None = None
    stored_bytes: int | None = None
    source_bytes: int | None = None
    requests: int | None = None
    moved_bytes: int | None = None
    targets: Sequence[Target] = ()
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether all targets that were measured are met; None where there is none."""
        known = [target.met for target in self.targets if target.met is not None]
        return all(known) if known else None


def row(
    work: str, by: str, cost: Cost, *, ratio: float | None = None, limit: Limit | None = None,
    stored: int | None = None, source: int | None = None, requests: int | None = None, moved: int | None = None,
    targets: Sequence[Target] = (), note: str = "",
) -> Row:  # fmt: skip
    """A row of a cost."""
    return Row(
        work, by, cost.seconds, ratio, cost.cpu_s, limit, cost.peak_bytes, stored, source, requests, moved,
        tuple(targets), note,
    )  # fmt: skip


def markdown(rows: Sequence[Row]) -> str:
    """A Markdown table; columns in which no row has anything are left out."""
    lines = [tuple(_cells(row)) for row in rows]
    kept = [at for at in range(len(_HEADINGS)) if at < 2 or any(line[at] for line in lines)]
    return grid([_HEADINGS[at] for at in kept], [[line[at] for at in kept] for line in lines])


def grid(headings: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """Cells as a table in Markdown."""
    return "".join(f"| {' | '.join(line)} |\n" for line in (headings, ["---"] * len(headings), *lines))


def limits(rows: Sequence[Row]) -> str:
    """The parts of each limit as a table in Markdown; works with the same one share a line."""
    works: dict[tuple[tuple[tuple[str, float], ...], int], list[str]] = {}
    for row in rows:
        if row.limit is not None:
            works.setdefault((tuple(row.limit.parts.items()), row.limit.cores), []).append(row.work)
    known = [(", ".join(names), Limit(dict(parts), cores)) for (parts, cores), names in works.items()]
    return grid(
        ("work", "parts, CPU s", "least CPU s", "cores", "limit, s"),
        [
            (
                names,
                ", ".join(f"{part} {_number(seconds)}" for part, seconds in limit.parts.items()),
                _number(limit.cpu_s),
                str(limit.cores),
                _number(limit.seconds),
            )
            for names, limit in known
        ],
    )


def _cells(row: Row) -> Iterator[str]:
    yield row.work
    yield row.by
    yield _number(row.seconds)
    yield "" if row.ratio is None else f"{row.ratio:.2f}"
    yield _number(row.cpu_s)
    least = row.limit
    yield f"{row.seconds / least.seconds:.2f}" if row.seconds is not None and least is not None else ""
    yield f"{row.cpu_s / least.cpu_s:.2f}" if row.cpu_s is not None and least is not None else ""
    yield "" if row.peak_bytes is None else f"{row.peak_bytes / 2**20:.0f}"
    yield "" if row.stored_bytes is None else f"{row.stored_bytes / _MB:.2f}"
    yield f"{row.stored_bytes / row.source_bytes:.4f}" if row.stored_bytes is not None and row.source_bytes else ""
    yield "" if row.requests is None else str(row.requests)
    yield "" if row.moved_bytes is None else f"{row.moved_bytes / _MB:.2f}"
    yield "; ".join(target.text + _MARKS[target.met] for target in row.targets)
    yield row.note


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.3f}" if value < 1 else f"{value:.2f}"


def write_json(path: Path, about: Mapping[str, object], rows: Sequence[Row]) -> None:
    """The same figures for programs."""
    path.write_text(json.dumps({**about, "rows": [asdict(row) for row in rows]}, indent=1, ensure_ascii=False) + "\n")
