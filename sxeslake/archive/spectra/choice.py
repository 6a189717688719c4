"""Which positions are meant: an analysis by name, UUID or number, positions by number."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sxeslake.archive.spectra.measured import Measured
from sxeslake.errors import NotFoundError, UsageError

if TYPE_CHECKING:
    from sxeslake.archive.sxes.group import Group
    from sxeslake.archive.sxes.outline import Analysis

_NUMBERS = re.compile(r"\s*(\d+)\s*(?:\.\.\s*(\d+)\s*)?")


@dataclass(frozen=True, slots=True)
class PositionNumbers:
    """Numbers from 1, as closed ranges."""

    ranges: Sequence[tuple[int, int]]

    def __contains__(self, number: object) -> bool:
        return isinstance(number, int) and any(low <= number <= high for low, high in self.ranges)


def numbers_of(text: str | int | None) -> PositionNumbers | None:
    """`3`, `"1,4..9"` → the numbers; None for all. UsageError for other words."""
    if text is None:
        return None
    found = []
    for part in str(text).split(","):
        match = _NUMBERS.fullmatch(part)
        if match is None:
            raise UsageError(f"{part.strip()!r} is not the number of a position.", hint="Write 3, 4..9 or 1,4..9.")
        low = int(match[1])
        high = int(match[2] or low)
        if not 1 <= low <= high:
            raise UsageError(f"{part.strip()!r} is not a range of positions.", hint="They are numbered from 1.")
        found.append((low, high))
    return PositionNumbers(found)


def chosen(
    rows: Iterable[Measured], analysis: str | int | None = None, positions: str | int | None = None
) -> Iterator[Measured]:
    """The rows of an analysis (name, UUID, its beginning of 8 letters, or number from 1) and of some numbers.

    Numbers count through all analyses of an archive or, where one is chosen, within it. Rows come ordered by archive
    and analysis. NotFoundError, at the end, where no analysis is called so.
    """
    numbers = numbers_of(positions)
    known: list[str] = []
    last: tuple[object, ...] | None = None
    count, is_found = 0, analysis is None
    for row in rows:
        if analysis is not None:
            archive = (row.sample, row.version)
            if last is None or last[:2] != archive:
                count, last = 0, (*archive, None)
            if row.analysis_uuid != last[2] or count == 0:
                count, last = count + 1, (*archive, row.analysis_uuid)
                known.append(row.analysis_name or (row.analysis_uuid or "")[:8])
            if not is_called(row.analysis_name, row.analysis_uuid or "", analysis, count):
                continue
            is_found = True
        if numbers is None or (row.number if analysis is None else row.position_number) in numbers:
            yield row
    if not is_found and known:
        names = ", ".join(dict.fromkeys(known[:8]))
        raise NotFoundError(f"no analysis is called {analysis!r}.", hint=f"Available: {names}.")


def is_called(name: str | None, uuid: str, analysis: str | int, number: int) -> bool:
    """Whether an analysis is meant: by its name, its UUID or the first 8 letters of it, or its number from 1."""
    text = str(analysis)
    if text.isdecimal() and len(text) < 8:
        return number == int(text) or name == text
    return text in (name, uuid) or (len(text) >= 8 and uuid.startswith(text.lower()))


def analyses_called(group: Group, analysis: str | int | None = None) -> list[tuple[int, Analysis]]:
    """The analyses of that name, UUID or number, each with its number from 1; all where none is named.

    Reads the group's lists only. NotFoundError where no analysis is called so.
    """
    found = list(enumerate(group.analyses, 1))
    if analysis is None:
        return found
    called = [(number, each) for number, each in found if is_called(each.name, each.uuid, analysis, number)]
    if not called:
        names = ", ".join(each.name or each.uuid[:8] for _, each in found[:8])
        raise NotFoundError(f"no analysis is called {analysis!r}.", where=group.name, hint=f"Available: {names}.")
    return called


def place_of(text: str) -> tuple[str, str]:
    """`ti-grains@2:5` → (`ti-grains@2`, `5`): a version and a position of it, by number or UUID."""
    ref, colon, position = text.rpartition(":")
    if not colon or not ref or not position.strip():
        raise UsageError(f"{text!r} names no position.", hint="Write SAMPLE:POSITION, such as ti-grains@2:5.")
    return ref, position.strip()
