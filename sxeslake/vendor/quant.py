"""Exports of point analyses of JEOL microprobes, and the points they are read into.

`summary.csv` of instruments with a PC: a line a point, columns such as `SiO2(Mass%)` and the place. `summary.txt` of
UNIX-time instruments: `No.`, the components in mass%, `Total` and `Comment`; the place stands in `stage.txt` beside
it. UNIX-time instruments call X what those with a PC call Y: both are given under the names that the file has.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from .texts import number_of

SCHEMA = "sxeslake/quant/1"
"""Of a document with a table of points."""

_HEADER_LINES = 50
_NAMED = re.compile(r"\s*(.*?)\s*\(\s*(.+?)\s*\)\s*")
_PLACES = ("x", "y", "z")


@dataclass(frozen=True, slots=True)
class Point:
    """One point: the values of its elements (a row each) in the columns of its table; NaN where one is missing."""

    name: str
    elements: tuple[str, ...]
    values: np.ndarray
    totals: Mapping[str, float]
    components: tuple[str, ...] = ()
    comment: str = ""
    stage: tuple[float | None, ...] = ()
    current: str | None = None


@dataclass(frozen=True, slots=True)
class QuantTable:
    """Points and the columns (name and unit) of their values."""

    source: str
    columns: tuple[tuple[str, str], ...]
    points: tuple[Point, ...]


def is_summary(head: str) -> bool:
    """Whether a text is an export of results, by its header: of a PC, or of a UNIX-time instrument."""
    if is_unix_summary(head):
        return True
    try:
        return "ass%" in head and any(_is_header(row) for row in _rows(head)[:_HEADER_LINES])
    except csv.Error:
        return False


def is_unix_summary(head: str) -> bool:
    """`No.`, components, `Total`, `Comment`."""
    return _unix_header(head, ("total", "comment")) is not None


def is_unix_stage(head: str) -> bool:
    """`No.`, places by `X` and `Y`, `Comment`, and no results."""
    found = _unix_header(head, ("comment",))
    return found is not None and {"x", "y"} <= {name.casefold() for name in found[1]} and not is_unix_summary(head)


def parse_summary(text: str, source: str = "summary.csv") -> QuantTable:
    """The points of an export; statistics below them are left out. ValueError where it has no columns of results."""
    rows = _rows(text)
    at = next((number for number, row in enumerate(rows[:_HEADER_LINES]) if _is_header(row)), None)
    if at is None:
        raise ValueError("it has no line with Point and columns such as SiO2(Mass%)")
    head = [name.strip() for name in rows[at]]
    plain = {(match[1] if (match := _NAMED.fullmatch(name)) else name).casefold(): n for n, name in enumerate(head)}
    results: dict[tuple[str, str], int] = {}
    for number, name in enumerate(head):
        match = _NAMED.fullmatch(name)
        if match and match[1].casefold() not in _PLACES:
            results.setdefault((match[1], match[2]), number)
    components = tuple(dict.fromkeys(component for component, _ in results if component.casefold() != "total"))
    units = tuple(dict.fromkeys(unit for _, unit in results))
    points = []
    for row in rows[at + 1 :]:
        cells = dict(enumerate(row))
        name = cells.get(plain.get("point", plain.get("no.", -1)), "").strip()
        if not name.isdigit():
            continue
        values = np.full((len(components), len(units)), np.nan)
        totals = {}
        for (component, unit), number in results.items():
            if (value := number_of(cells.get(number, ""))) is not None:
                if component in components:
                    values[components.index(component), units.index(unit)] = value
                else:
                    totals[unit] = value
        stage = [number_of(cells.get(plain.get(axis, -1), "")) for axis in _PLACES]
        comment = cells.get(plain.get("comment", -1), "").strip()
        points.append(Point(name, components, values, totals, components, comment, tuple(stage)))
    return QuantTable(source, tuple((unit, unit) for unit in units), _numbered_apart(points))


def parse_unix_summary(text: str, source: str = "summary.txt", stage: str = "") -> QuantTable:
    """The points of an export of a UNIX-time instrument, at the places of its `stage.txt`.

    ValueError where it has no header.
    """
    found = _unix_header(text, ("total", "comment"))
    if found is None:
        raise ValueError("it has no line with No., components, Total and Comment")
    at, names = found
    components = tuple(dict.fromkeys(names[1:-2]))
    places = _unix_places(stage)
    points = []
    for cells in _unix_rows(text, at, len(names)):
        values = [number_of(cell) for cell in cells[1:-2]]
        known = dict(zip(reversed(names[1:-2]), reversed(values), strict=True))  # a name that stands twice: the first
        column = [[np.nan if (value := known[name]) is None else value] for name in components]
        total = number_of(cells[-2])
        points.append(
            Point(
                name=cells[0].strip(),
                elements=components,
                values=np.array(column, "f8").reshape(len(components), 1),
                totals={} if total is None else {"Mass%": total},
                components=components,
                comment=cells[-1].strip(),
                stage=places.get(cells[0].strip(), ()),
            )
        )
    return QuantTable(source, (("Mass%", "Mass%"),), _numbered_apart(points))


def _unix_places(text: str) -> dict[str, tuple[float | None, ...]]:
    found = _unix_header(text, ("comment",))
    if found is None:
        return {}
    at, names = found
    columns = [next((n for n, name in enumerate(names) if name.casefold() == axis), None) for axis in _PLACES]
    return {
        cells[0].strip(): tuple(None if column is None else number_of(cells[column]) for column in columns)
        for cells in _unix_rows(text, at, len(names))
    }


def _unix_header(text: str, last: tuple[str, ...]) -> tuple[int, list[str]] | None:
    """The line and the names of a header that begins with `No.` and ends so."""
    for number, line in enumerate(text.splitlines()[:_HEADER_LINES]):
        names = line.split()
        ends = tuple(name.casefold() for name in names[-len(last) :])
        if len(names) > len(last) + 1 and names[0].casefold() == "no." and ends == last:
            return number, names
    return None


def _unix_rows(text: str, at: int, count: int) -> list[list[str]]:
    """The cells of the lines below a header, parted by tabs or by spaces; statistics have no number and go."""
    found = []
    for line in text.splitlines()[at + 1 :]:
        cells = line.split("\t", count - 1) if "\t" in line else line.split(None, count - 1)
        if cells and cells[0].strip().isdigit() and len(cells) >= count - 1:
            found.append([*cells, ""][:count])  # a comment may be empty
    return found


def _rows(text: str) -> list[list[str]]:
    """The cells of an export, by the separator that its header has most of."""
    separator = max(",;\t", key=text[:20_000].count)
    return list(csv.reader(text.replace("\0", "").splitlines(), delimiter=separator))


def _is_header(row: list[str]) -> bool:
    names = [name.strip().casefold() for name in row]
    return ("point" in names or "no." in names) and any("mass%" in name for name in names)


def _numbered_apart(points: list[Point]) -> tuple[Point, ...]:
    """Points whose names differ: several runs may be in one export."""
    taken: Counter[str] = Counter()
    found = []
    for point in points:
        taken[point.name] += 1
        again = taken[point.name]
        found.append(point if again == 1 else replace(point, name=f"{point.name} ({again})"))
    return tuple(found)
