"""Where each position of a large group is listed, apart from the rest of `metadata.json`: what a manifest can tell.

A `metadata.json` of 100,000 positions is 4 MB of UUIDs, which do not compress below 2 MB. Who wants ten of them needs
the rest, some hundred bytes, and the places of those ten.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from sxeslake.archive.sxes import layout

LEAST_POSITIONS: Final = 1000  # of fewer, the whole metadata.json is a cheap read
MOST_OUTLINE_BYTES: Final = 32 * 1024  # every reader of the manifest pays for it

_POSITIONS: Final = layout.LIST_KEYS[layout.DATA]


class ListPlace(NamedTuple):
    """The analysis that lists a position, and the place in its list; both from 0, in file order."""

    analysis: int
    number: int


class PositionListing(NamedTuple):
    """`metadata.json` with empty lists of positions, and the place of each position in them."""

    outline: Mapping[str, Any]
    places: Mapping[str, ListPlace]


def listing(metadata: object) -> PositionListing | None:
    """Take a large `metadata.json` apart; None where it is small, or where a position is listed twice."""
    analyses = metadata.get("analyses") if isinstance(metadata, dict) else None
    if not isinstance(metadata, dict) or not isinstance(analyses, list):
        return None
    places: dict[str, ListPlace] = {}
    bare = []
    for at, analysis in enumerate(analyses):
        uuids = analysis.get(_POSITIONS) if isinstance(analysis, dict) else None
        if not isinstance(uuids, list):
            return None
        for number, uuid in enumerate(uuids):
            if not isinstance(uuid, str) or uuid in places:
                return None
            places[uuid] = ListPlace(at, number)
        bare.append({**analysis, _POSITIONS: []})
    outline = {**metadata, "analyses": bare}
    if len(places) < LEAST_POSITIONS or len(json.dumps(outline)) > MOST_OUTLINE_BYTES:
        return None
    return PositionListing(outline, places)


def listing_in(data: bytes) -> PositionListing | None:
    """The same of the bytes of a `metadata.json`; None also where they are not plain JSON in UTF-8."""
    try:
        return listing(json.loads(data.decode())) if data[:1] == b"{" else None
    except (ValueError, RecursionError):
        return None


def relisted(outline: Mapping[str, Any], places: Mapping[str, ListPlace]) -> dict[str, Any]:
    """The outline with some positions put back, each in its list, in their order."""
    analyses: Sequence[Mapping[str, Any]] = outline["analyses"]
    lists: list[list[str]] = [[] for _ in analyses]
    for uuid, place in sorted(places.items(), key=lambda item: item[1]):
        lists[place.analysis].append(uuid)
    filled = [{**analysis, _POSITIONS: uuids} for analysis, uuids in zip(analyses, lists, strict=True)]
    return {**outline, "analyses": filled}
