"""Point analyses of JEOL microprobes: `.qnt` folders of UNIX-time instruments, `<project>_NNNN_QNT`, `summary.csv`.

A table a quantity (`wt.qnt`, `net.qnt` …), a line a point: the point's number, the number n of elements, n values,
their total. `elint.qnt` and `elem.qnt` name the elements and their components (oxides), `stg.qnt` the place and the
comment of a point, `mes.qnt` its current. `summary.csv` is the export of the results: a line a point, columns such as
`SiO2(Mass%)`; `summary.txt` with `stage.txt` that of UNIX-time instruments.
"""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import PurePosixPath

import numpy as np

from ..jeol import analysis_of, element_condition, xm_state
from ..quant import (
    SCHEMA,
    Point,
    QuantTable,
    is_summary,
    is_unix_stage,
    is_unix_summary,
    parse_summary,
    parse_unix_summary,
)
from ..reading import fields_of, head_of, text_bytes
from ..records import (
    AnalysisRecord,
    ArrayRecord,
    DocumentRecord,
    Finding,
    Json,
    PositionRecord,
    Warned,
)
from ..texts import Fields, Warn, decode, number_of
from ..tree import Tree, folder_of
from ..values import counted, state_of, wds_conditions

_UNITS = {
    "peak": "mm",
    "pkint": "cps/µA",
    "bgp": "cps/µA",
    "bgm": "cps/µA",
    "net": "cps/µA",
    "kraw": "1",
    "krat": "1",
    "wt": "mass%",
    "sigma": "%",
}
"""The tables of numbers, in the order of an analysis."""
_WORDS = ("elem", "elint", "stg", "mes")
_MOST_ELEMENTS = 200
_DESCRIBED = re.compile(r"\s*(\S+)\s+(\S.*?)\s*")
_OF_POSITION = re.compile(r"(?:.*/)?pos_\d+/[^/]+\.cnd", re.ASCII | re.DOTALL)


class JeolQnt:
    """Folders of point analyses, an analysis each, with a position a point and a table of all."""

    name = "jeol-qnt"
    title = "JEOL point analyses (.qnt folders, _QNT, summary.csv, summary.txt)"
    verified = (
        "By description, and on a synthetic folder in the form of a JXA-8105 that another program's authors made; no "
        "real file was at hand. X and Y of UNIX-time instruments are given as their files name them; instruments with "
        "a PC exchange the two."
    )

    def classify(self, tree: Tree) -> Iterable[Finding]:
        """Folders with tables of numbers, or with an export of results."""
        folders: dict[str, list[str]] = defaultdict(list)
        texts = [path for path in tree.sizes if path.casefold().endswith(".cnd")]
        for path in tree.sizes:
            if _table(path) or _export(tree, path):
                folders[folder_of(path)].append(path)
        for folder, files in sorted(folders.items()):
            tables = [path for path in files if _table(path) in _UNITS]
            summaries = [path for path in files if _export(tree, path) == "summary"]
            if tables or summaries:
                what = f"JEOL point analyses: {counted(len(tables), 'table')}, {counted(len(summaries), 'export')}"
                conditions = [path for path in texts if _is_condition(path, folder)] if tables else []
                yield Finding(self.name, folder, what, 0.9, tuple(sorted([*files, *conditions])))

    def read(self, tree: Tree, finding: Finding, warn: Warn) -> Iterator[AnalysisRecord]:
        """One analysis: points of the tables, or of the export where there are no tables."""
        files = [path for path in finding.files if not path.casefold().endswith(".cnd")]
        found = [_tables(tree, finding.path, [path for path in files if _table(path)], warn)]
        exports = {path: kind for path in files if (kind := _export(tree, path))}
        stages = [path for path, kind in exports.items() if kind == "stage"]
        found += [_summary(tree, path, stages, warn) for path, kind in exports.items() if kind == "summary"]
        tables = [table for table in found if table.points]
        if not tables:
            return
        conditions = [fields_of(tree, path) for path in finding.files if _OF_POSITION.fullmatch(path.casefold())]
        times = _times(tree, finding.files)
        names = {point.name for point in tables[0].points}
        yield replace(
            analysis_of(PurePosixPath(finding.path).name or PurePosixPath(tree.name).stem, conditions),
            positions=partial(_positions, tables[0], conditions),
            documents=tuple(
                DocumentRecord(
                    SCHEMA,
                    _document(table, times),
                    tuple(point.name for point in table.points if point.name in names),
                )
                for table in tables
            ),
        )


def parse_table(text: str) -> dict[str, tuple[list[str], list[str]]]:
    """A table: the words of each point's elements, and what comes after them."""
    found: dict[str, tuple[list[str], list[str]]] = {}
    for line in text.splitlines():
        words = line.split()
        if len(words) >= 2 and words[1].isdigit() and int(words[1]) <= _MOST_ELEMENTS:
            count = int(words[1])
            found.setdefault(words[0], (words[2 : 2 + count], words[2 + count :]))
    return found


def _tables(tree: Tree, folder: str, paths: list[str], warn: Warn) -> QuantTable:
    """The points of all tables of a folder."""
    texts = {}
    for path in paths:
        try:
            texts[_table(path)] = decode(text_bytes(tree, path)).text
        except (ValueError, OSError) as error:
            warn(Warned(path, f"{error}; the table is left out"))
    path_of = {_table(path): path for path in paths}
    numbers = {name: parse_table(texts[name]) for name in _UNITS if name in texts}
    words = {name: parse_table(texts[name]) for name in ("elem", "elint") if name in texts}
    places = _places(texts.get("stg", ""))
    currents = {row[0]: row[2] for line in texts.get("mes", "").splitlines() if len(row := line.split()) >= 3}
    columns = tuple((name, _UNITS[name]) for name in numbers)
    names = list(dict.fromkeys(name for table in numbers.values() for name in table))
    points = []
    for name in names:
        elements = words.get("elint", {}).get(name, ([], []))[0]
        components = words.get("elem", {}).get(name, ([], []))[0]
        count = max([len(elements), *(len(table[name][0]) for table in numbers.values() if name in table)])
        values = np.full((count, len(columns)), np.nan)
        totals: dict[str, float] = {}
        for column, (table, rows) in enumerate(numbers.items()):
            if name not in rows or len(rows[name][0]) != count:
                warn(Warned(path_of[table], f"point {name} has not all its {count} values"))
            for element, word in enumerate(rows.get(name, ([], []))[0]):
                value = number_of(word)
                values[element, column] = np.nan if value is None else value
            total = number_of(" ".join(rows.get(name, ([], []))[1][:1]))
            if total is not None:
                totals[table] = total
        elements += [f"element {number}" for number in range(len(elements) + 1, count + 1)]
        comment, stage = places.get(name, ("", ()))
        current = currents.get(name)
        points.append(Point(name, tuple(elements), values, totals, tuple(components), comment, stage, current))
    return QuantTable(folder or tree.name, columns, tuple(points))


def _places(text: str) -> dict[str, tuple[str, tuple[float | None, ...]]]:
    """Comment and place of each point of `stg.qnt`: x, y, z in columns 5 to 7, the comment from column 10."""
    found: dict[str, tuple[str, tuple[float | None, ...]]] = {}
    for line in text.splitlines():
        words = line.split(None, 9)
        if len(words) >= 7:
            comment = " ".join(words[9].split()) if len(words) == 10 else ""
            found.setdefault(words[0], (comment, tuple(number_of(word) for word in words[4:7])))
    return found


def _summary(tree: Tree, path: str, stages: list[str], warn: Warn) -> QuantTable:
    """The export of a path, without points where it cannot be read."""
    try:
        text = decode(text_bytes(tree, path)).text
        if not is_unix_summary(text):
            return parse_summary(text, path)
        usual = PurePosixPath(path).name.casefold().replace("summary", "stage")
        stage = min(stages, key=lambda each: PurePosixPath(each).name.casefold() != usual, default="")
        if not stage:
            warn(Warned(path, "its stage.txt is missing; the places of its points are left out"))
        return parse_unix_summary(text, path, decode(text_bytes(tree, stage)).text if stage else "")
    except (ValueError, OSError, csv.Error) as error:
        warn(Warned(path, f"{error}; the file is kept as an original"))
        return QuantTable(path, (), ())


def _positions(table: QuantTable, conditions: list[Fields]) -> Iterator[PositionRecord]:
    """A position a point, with the condition of its folder: its own, or else that of the first point."""
    for number, point in enumerate(table.points):
        keys = conditions[number if len(conditions) == len(table.points) else 0] if conditions else Fields("", "")
        state = xm_state(keys, stage=point.stage)
        if point.current is not None:
            state = _joined(state, state_of(current=point.current))
        channels = [element_condition(keys, index) for (index, *_) in keys.indexed("XM_ELEM_NAME")]
        wds = [channel for found in channels if found for channel in found["wds"]["channels"]]
        extra: Json = {
            "rows": list(point.elements),
            "columns": [{"name": name, "unit": unit} for name, unit in table.columns],
        }
        if point.components and point.components != point.elements:
            extra["components"] = list(point.components)
        yield PositionRecord(
            name=point.name,
            arrays=(ArrayRecord("quant", "<f8", point.values.shape, load=partial(_values, point), extra=extra),),
            state=state,
            condition=wds_conditions(wds),
            raw_condition=keys,
            comment=point.comment,
        )


def _values(point: Point) -> np.ndarray:
    return point.values.astype("<f8")


def _joined(state: Json, other: Json) -> Json:
    """A state with what another says of the probe, too."""
    probe, more = state.get("probe", {}), other.get("probe", {})
    current = {**probe.get("current", {}), **more.get("current", {})}
    return {**state, "probe": {**probe, **more, "current": current}} if more else state


def _document(table: QuantTable, times: list[Json]) -> Json:
    """All points of a table; a value that is missing is null."""
    document: Json = {
        "source": table.source,
        "columns": [{"name": name, "unit": unit} for name, unit in table.columns],
        "points": [
            {
                "name": point.name,
                "comment": point.comment,
                "stage": list(point.stage),
                "elements": list(point.elements),
                "components": list(point.components),
                "values": [[None if np.isnan(value) else float(value) for value in row] for row in point.values],
                "totals": dict(point.totals),
            }
            for point in table.points
        ],
    }
    if times:
        document["elements"] = times
    return document


def _times(tree: Tree, files: Iterable[str]) -> list[Json]:
    """What `elemw.cnd` says of each element, by description: a description that comes again begins the next one."""
    path = next((path for path in files if PurePosixPath(path).name.casefold() == "elemw.cnd"), None)
    if path is None:
        return []
    found: list[Json] = []
    try:
        text = decode(text_bytes(tree, path)).text
    except (ValueError, OSError):
        return []
    for line in text.splitlines():
        match = _DESCRIBED.fullmatch(line)
        if match and (not found or match[2] in found[-1]):
            found.append({})
        if match:
            found[-1][match[2]] = match[1]
    return found if len(found) <= _MOST_ELEMENTS else []


def _table(path: str) -> str:
    """The table that a file is, or ''."""
    name = PurePosixPath(path).name.casefold()
    stem = name.removesuffix(".qnt")
    return stem if stem != name and (stem in _UNITS or stem in _WORDS) else ""


def _export(tree: Tree, path: str) -> str:
    """`summary` or `stage` of an export of results, by its header; '' of anything else."""
    if not path.casefold().endswith((".csv", ".txt")):
        return ""
    head = decode(head_of(tree, path)).text
    return "summary" if is_summary(head) else "stage" if is_unix_stage(head) else ""


def _is_condition(path: str, folder: str) -> bool:
    """A condition that belongs to the tables of a folder."""
    below = f"{folder}/" if folder else ""
    if not path.startswith(below):
        return False
    inside = path.removeprefix(below).casefold()
    return bool(_OF_POSITION.fullmatch(inside) or re.fullmatch(r"\.cnd/[^/]+\.cnd", inside))
