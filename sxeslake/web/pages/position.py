"""Position: its spectrum, camera image, conditions with units and where they come from, and its JSON as it is."""

from __future__ import annotations

import itertools
import json
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, Final

from sxeslake.catalog.query.standards import standards_like
from sxeslake.errors import SxeslakeError
from sxeslake.web.answers import WebPage
from sxeslake.web.failures import failure_of
from sxeslake.web.links import link
from sxeslake.web.pages.commands import python_line, shell_line
from sxeslake.web.scans import analysis_rows, plain_row, position_rows
from sxeslake.web.tables import text_of

if TYPE_CHECKING:
    from sxeslake.archive.spectra.measured import Measured
    from sxeslake.archive.sxes.position import Position
    from sxeslake.catalog.schema.registry import Column
    from sxeslake.web.visit import Visit

_STANDARDS_SHOWN: Final = 12
_JSON_SHOWN: Final = 200_000  # characters of one document
_NOT_CONDITIONS: Final = frozenset({
    "sample", "version", "analysis_uuid", "analysis_name", "position_uuid", "number", "position_number", "unread",
    "saved_local",
})  # fmt: skip


def page(visit: Visit) -> WebPage:
    """One position; what of it cannot be read is named, and the rest is shown."""
    (row,) = position_rows(visit, [visit.of])
    troubles: list[str] = []
    position = visit.lake.open_group(row.archive).positions[row.position_uuid]
    conditions = _conditions(visit, row, position, troubles)
    documents = _documents(visit, position, troubles)
    types = _readable(visit, position, troubles)
    standards = _standards(visit, row)
    before, after = _neighbours(visit, row)
    name = row.name
    return WebPage(
        "position.html",
        name,
        {
            "position": plain_row(row),
            "conditions": conditions,
            "types": types,
            "standards": standards,
            "documents": documents,
            "troubles": troubles,
        },
        shell=shell_line(visit, "plot", "spectrum", row.archive, position=row.number or row.position_uuid),
        python=python_line(visit, f"lake[{row.archive!r}].positions[{row.position_uuid!r}].qlw"),
        view={
            "name": name,
            "row": row,
            "archive_href": link("archive", of=row.archive),
            "analysis_href": link("analysis", of=row.archive, analysis=row.analysis_uuid) if row.analysis_uuid else "",
            "before": before,
            "after": after,
            "compare_href": link("compare", p=name),
            "standards_href": link("compare", p=name, standards="1", normalise="max"),
            "texts": {path: _pretty(value) for path, value in documents.items()},
        },
        permalink=link("position", of=name),
        is_whole=not troubles,
    )


def _conditions(visit: Visit, row: Measured, position: Position, troubles: list[str]) -> list[dict[str, Any]]:
    """Every known field in the order of the catalogue: value, unit, and the file and field that it comes from."""
    known: dict[str, Any] = {name: getattr(row, name) for name in type(row).__dataclass_fields__}
    try:
        known = {**asdict(position.state), **{name: value for name, value in known.items() if value is not None}}
        condition = position.condition
        if condition is not None:
            known = {**asdict(condition.fields), **{name: value for name, value in known.items() if value is not None}}
        unread = [*position.state.unread, *(condition.fields.unread if condition is not None else ())]
        troubles += [f"A field cannot be read: {text}" for text in unread]
    except SxeslakeError as error:
        troubles.append(f"Conditions cannot be read: {failure_of(error, [visit.lake.url]).what}")
    columns = {column.name: column for column in visit.lake.schema("positions")[0].columns}
    found = []
    for name, value in known.items():
        if name in _NOT_CONDITIONS or value in (None, "", ()):
            continue
        column = columns.get(name)
        found.append({
            "name": name, "label": _label(name), "value": value, "text": text_of(value, name),
            "unit": _unit(name, column),
            "source": column.source if column else None,
        })  # fmt: skip
    order = list(columns)
    return sorted(found, key=lambda each: order.index(each["name"]) if each["name"] in columns else len(order))


_UNITS: Final = {"_kv": "kV", "_na": "nA", "_mm": "mm", "_um": "µm", "_deg": "°", "_c": "°C", "_ms": "ms"}


def _unit(name: str, column: Column | None) -> str | None:
    """The unit that the catalogue gives; of a field that it does not have, what its name says."""
    if column is not None:
        return column.unit if column.unit not in ("local", "count") else None
    return next((unit for suffix, unit in _UNITS.items() if name.endswith(suffix)), None)


def _label(name: str) -> str:
    words = name.removesuffix("_local")
    for suffix in _UNITS:
        words = words.removesuffix(suffix)
    return words.replace("_", " ").replace("ccd", "camera")


def _documents(visit: Visit, position: Position, troubles: list[str]) -> dict[str, Any]:
    """`info.json`, `state.json` and the shared condition, as they are."""
    found: dict[str, Any] = {}
    try:
        for document in (position.info_document, position.state_document):
            found[document.path] = document.value
            if document.problem:
                troubles.append(f"{document.path.rpartition('/')[2]}: {document.problem}")
        condition = position.condition
        if condition is not None:
            found[condition.document.path] = condition.document.value
    except SxeslakeError as error:
        troubles.append(f"A document cannot be read: {failure_of(error, [visit.lake.url]).what}")
    return found


def _readable(visit: Visit, position: Position, troubles: list[str]) -> list[str]:
    """The data types that can be read; the others are named."""
    there = []
    for data_type in position.types:
        try:
            position.raw(data_type)
            there.append(data_type)
        except SxeslakeError as error:
            troubles.append(f"{data_type} of this position cannot be read: {failure_of(error, [visit.lake.url]).what}")
    return there


def _standards(visit: Visit, row: Measured) -> list[dict[str, Any]]:
    """One's own standards that were measured under like conditions, to be laid beside this spectrum."""
    like = ("standards", visit.commit, row.grating, row.spectrometer, row.accelerating_voltage_kv)
    anyone = replace(row, sample="", position_uuid="")
    if not visit.served.remembered.get(like, lambda: any(standards_like(visit.lake._asked(), anyone))):
        return []  # most conditions have none, and that is known at once
    found = itertools.islice(standards_like(visit.lake._asked(), row), _STANDARDS_SHOWN)
    return [
        {
            "name": standard.name,
            "material": material,
            "comment": standard.comment,
            "accelerating_voltage_kv": standard.accelerating_voltage_kv,
            "probe_current_na": standard.probe_current_na,
            "href": link("compare", p=[row.name, standard.name], normalise="max"),
        }
        for standard, material in found
    ]


def _neighbours(visit: Visit, row: Measured) -> tuple[str, str]:
    rows = analysis_rows(visit, row.archive, "")
    at = next(number for number, each in enumerate(rows) if each.position_uuid == row.position_uuid)
    before = link("position", of=rows[at - 1].name) if at else ""
    return before, link("position", of=rows[at + 1].name) if at + 1 < len(rows) else ""


def _pretty(value: Any) -> str:
    """JSON for people, cut where it is very long."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    return text if len(text) <= _JSON_SHOWN else f"{text[:_JSON_SHOWN]}\n… the rest is in the JSON twin of this page"
