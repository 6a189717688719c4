"""Which positions of a large group are wanted, by what its manifest tells: the list in `metadata.json` stays unread."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sxeslake.archive.sxes import layout
from sxeslake.archive.sxes.documents.listing import relisted
from sxeslake.archive.sxes.documents.text import dump
from sxeslake.errors import NotFoundError
from sxeslake.format.rowgroups import Numbers
from sxeslake.pull.part.outline import Choice, Outline, called, choose, read_outline
from sxeslake.pull.part.wanted import PartSpec, numbers_of
from sxeslake.reading.rows import MemberRows

_FEW = 2000  # UUIDs; to look up more of them one by one costs more than the whole list


@dataclass(frozen=True, slots=True)
class Asked:
    """Positions that are asked for: by UUID, by number through all lists; and the row groups that can hold them."""

    uuids: Sequence[str]
    spans: Sequence[Numbers]
    groups: Sequence[int]


def asked(rows: MemberRows, wanted: PartSpec, chosen: Collection[str] | None) -> Asked | None:
    """What is asked for; None where only the whole list tells."""
    if rows.outline is None:
        return None
    words = wanted.positions or (() if chosen is None else sorted(chosen))
    uuids = [word.lower() for word in words if numbers_of(word) is None]
    spans = _spans(rows, wanted, by_list=not words and chosen is None)
    if spans is None or len(uuids) > _FEW or not (uuids or spans):
        return None
    groups = set(rows.finder.at(f"{layout.DATA}/{uuid}/{layout.INFO}" for uuid in uuids))
    if rows.finder.runs is not None:
        groups |= rows.finder.runs.groups_at(spans)
    return Asked(uuids, spans, sorted(groups))


def _spans(rows: MemberRows, wanted: PartSpec, *, by_list: bool) -> list[Numbers] | None:
    """The numbers that are asked for, as runs that do not meet; None where the manifest cannot tell."""
    pairs = [pair for word in wanted.positions if (pair := numbers_of(word)) is not None]
    if not pairs and not (by_list and wanted.analyses):
        return []
    if rows.finder.runs is None:
        return None
    lists = rows.finder.runs.lists
    try:
        places = called(Outline(rows.outline, "utf-8"), wanted.analyses, rows.version.name)
    except NotFoundError:
        return None
    total = sum(lists[at] for at in places)
    if any(last > total for _, last in pairs):
        return None
    spans = (span for pair in pairs or [(1, total)] for span in _through(lists, places, *pair))
    return _merged(spans)


def _through(lists: Sequence[int], places: Sequence[int], first: int, last: int) -> Iterable[Numbers]:
    """The positions `first` to `last`, from 1, of some lists: where they stand in all lists together."""
    before = 0
    for at in places:
        start = sum(lists[:at])
        low, high = max(first - 1 - before, 0), min(last - before, lists[at])
        if low < high:
            yield Numbers(start + low, start + high)
        before += lists[at]


def _merged(spans: Iterable[Numbers]) -> list[Numbers]:
    found: list[Numbers] = []
    for span in sorted(spans):
        if found and span.first <= found[-1].end:
            found[-1] = Numbers(found[-1].first, max(span.end, found[-1].end))
        else:
            found.append(span)
    return found


def choice_of(
    rows: MemberRows, what: Asked, wanted: PartSpec, chosen: Collection[str] | None, mapped: Collection[str] = ()
) -> tuple[Outline, Choice] | None:
    """The choice; None where a position is in no list or has no folder, or nothing is left: the whole list says why."""
    listed, runs = rows.places(what.groups), rows.finder.runs
    kept = {uuid: listed[uuid] for uuid in what.uuids if uuid in listed}
    if len(kept) < len(set(what.uuids)):
        return None
    if runs is not None and what.spans:
        firsts = [span.first for span in what.spans]
        numbered = {}
        for uuid, place in listed.items():
            number = runs.number(place)
            at = bisect_right(firsts, number) - 1
            if at >= 0 and number < what.spans[at].end:
                numbered[uuid] = place
        if len(numbered) < sum(span.end - span.first for span in what.spans):
            return None
        kept |= numbered
    return _chosen(rows, kept, wanted, chosen, mapped)


def _chosen(
    rows: MemberRows, kept: dict[str, Any], wanted: PartSpec, chosen: Collection[str] | None, mapped: Collection[str]
) -> tuple[Outline, Choice] | None:
    where = rows.version.name
    try:
        outline = read_outline(dump(relisted(rows.outline, kept)), where=where)
        choice = choose(outline, replace(wanted, positions=()), chosen, where=where, mapped=mapped)
    except (NotFoundError, LookupError, TypeError, ValueError):
        return None
    is_all = not wanted.positions or chosen is not None or len(choice.positions) == len(kept)
    return (outline, choice) if is_all else None
