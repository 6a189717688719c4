"""Compare: spectra laid over one another, of any archives of any lake of this server, and one's own standards.

What is compared with the first spectrum may come from other lakes, `old::ti-map@2:5`; its axis is that of this lake.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from sxeslake.archive.spectra.comparison import compare
from sxeslake.archive.spectra.spectra import read_spectra
from sxeslake.catalog.query.standards import standards_like
from sxeslake.errors import InputError, NotFoundError, StorageError, UsageError
from sxeslake.web.answers import Cell, WebPage, WebTable
from sxeslake.web.links import link
from sxeslake.web.pages.commands import python_call, shell_line
from sxeslake.web.pages.plotted import marks_of
from sxeslake.web.scans import (
    DATA_TYPES,
    NORMALISATIONS,
    data_type_of,
    lake_and_name,
    named,
    plain_row,
    position_link,
    position_rows,
    source_of,
)
from sxeslake.web.tables import text_of

if TYPE_CHECKING:
    from sxeslake.archive.spectra.comparison import Comparison, Normalisation
    from sxeslake.archive.spectra.measured import Measured
    from sxeslake.web.visit import Visit

_MOST_DRAWN = 12  # curves that an eye still tells apart
COLUMNS = (
    "name", "material", "similarity", "days", "accelerating_voltage_kv", "probe_current_na", "grating", "spectrometer",
    "acquired_local", "comment", "position_uuid",
)  # fmt: skip
HEADS = ("spectrum", "material", "similarity", "days apart", "kV", "nA", "grating", "acquired", "comment")


def page(visit: Visit) -> WebPage:
    """The spectra that the address names, the first of them the one that the others are compared with."""
    chosen = position_rows(visit, visit.many("p"))
    names = [row.name for row in chosen]
    standards = visit.flag("standards")
    normalise = visit.choice("normalise", ("max", "current", "none"))
    found, message = _compared(visit, chosen, standards, normalise)
    rows = _rows(found)
    drawn = [*names, *(row["name"] for row in rows if row["name"] not in names)][:_MOST_DRAWN]
    look = {
        "normalise": normalise, "type": visit.one("type") or None, "axis": visit.one("axis") or None,
    }  # fmt: skip
    words = {"p": names, "standards": "1" if standards else None, **look}
    has_command = bool(names) and all(
        lake_and_name(visit, name)[0] == visit.served.slug for name in names
    )  # as a command's are
    return WebPage(
        "compare.html",
        f"Compare {names[0]}" if names else "Compare",
        {"positions": names, "normalise": normalise, "standards": standards, "compared": rows, "drawn": drawn,
         "message": message},
        shell=shell_line(visit, "compare", *names, standards=standards, normalise=normalise) if has_command else "",
        python=python_call(
            visit, f"lake.compare({', '.join(map(repr, names))}", {"standards": standards, "normalise": normalise}
        ) if has_command else "",
        view={
            "names": names,
            "removals": [(name, link("compare", {**words, "p": [each for each in names if each != name]}))
                         for name in names],
            "spectra_href": link("spectra.f32", p=drawn, **look) if drawn else "",
            "image_href": link("spectra.svg", p=drawn, **look) if drawn else "",
            "table": _table(visit, words, names, rows), "words": words,
            "others": [each.slug for each in visit.site.values() if each is not visit.served],
            "choices": {"normalise": NORMALISATIONS, "type": DATA_TYPES, "axis": ("energy", "wavelength", "channel")},
            "look": {name: value or "" for name, value in look.items()},
            "lines": visit.one("lines"), "orders": visit.one("orders", "1"),
            "marks": marks_of(visit, visit.one("axis", "energy"), 0.21),
            "difference": visit.flag("difference"),
            "standards_href": link("compare", {**words, "standards": "1"}),
        },
        permalink=link("compare", words, lines=visit.one("lines") or None),
    )  # fmt: skip


def _compared(visit: Visit, chosen: list[Measured], standards: bool, normalise: str) -> tuple[Comparison | None, str]:
    """The comparison, or why there is none: then the spectra are still drawn, where they have one axis."""
    if len(chosen) + standards < 2:
        return None, "" if chosen else "Name a position, or open one and choose Compare."
    try:
        return _comparison(visit, chosen, standards, normalise), ""
    except (NotFoundError, InputError, UsageError) as error:
        return None, f"{error.what} {error.hint or ''}".strip()


def _comparison(visit: Visit, chosen: list[Measured], standards: bool, normalise: str) -> Comparison:
    """The chosen spectra, and the standards of all lakes under the conditions of the first, by likeness to it."""
    rows: dict[Measured, str | None] = dict.fromkeys(chosen)
    if not rows:
        raise NotFoundError("there is nothing to compare with the standards.", hint="Name a position.")
    if standards:
        for row, material in _standards(visit, chosen[0]):
            rows.setdefault(row, material)
    if len(rows) == 1:
        raise NotFoundError(
            f"nothing to compare {chosen[0].name} with: no standard has its conditions.",
            hint="Annotate standards: `sxeslake annotate SAMPLE role=standard material=Si3N4`.",
        )
    known = visit.lake._measurements.calibrations()
    spectra = read_spectra(rows, partial(source_of, visit), data_type_of(visit), known)
    if spectra.rows[0] != chosen[0]:
        raise InputError(f"the spectrum of {chosen[0].name} cannot be used.", hint=spectra.warnings[0])
    return compare(spectra, [rows[row] for row in spectra.rows], cast("Normalisation", normalise))


def _standards(visit: Visit, first: Measured) -> Iterator[tuple[Measured, str | None]]:
    """Standards of this lake, then those of the others of this server that can be reached."""
    home, sample = lake_and_name(visit, first.sample)
    for served in sorted(visit.site.values(), key=lambda each: each is not visit.served):
        row = replace(first, sample=sample) if served.slug == home else first
        try:
            for found, material in standards_like(served.lake._asked(), row):
                yield named(visit, served.slug, found), material
        except StorageError:
            if served is visit.served:
                raise


def compared_rows(visit: Visit, chosen: list[Measured]) -> list[dict[str, Any]]:
    """The others with their likeness, as the page lists them; the error where there are none."""
    return _rows(_comparison(visit, chosen, visit.flag("standards"), "none"))


def _rows(found: Comparison | None) -> list[dict[str, Any]]:
    if found is None:
        return []
    return [
        plain_row(other.row) | {
            "material": other.material, "days": other.days,
            "similarity": None if math.isnan(other.similarity) else other.similarity,
        }
        for other in found.others
    ]  # fmt: skip


def _days(days: float | None) -> str:
    """`+446.2`, `0`; nothing where a time is unknown."""
    if days is None:
        return ""
    return "0" if abs(days) < 0.05 else f"{days:+.1f}"


def _table(visit: Visit, words: dict[str, Any], names: list[str], rows: list[dict[str, Any]]) -> WebTable:
    cells = [
        [
            Cell(row["name"], position_link(visit, row["name"])), Cell(row["material"] or ""),
            Cell("" if row["similarity"] is None else f"{row['similarity']:.4f}"),
            Cell(_days(row["days"])),
            Cell(text_of(row["accelerating_voltage_kv"])), Cell(text_of(row["probe_current_na"])),
            Cell(row["grating"] or ""), Cell(text_of(row["acquired_local"])), Cell(row["comment"] or ""),
        ]
        for row in rows[:100]
    ]  # fmt: skip
    caption = f"By likeness to {names[0]} (Pearson's correlation over all channels)" if names else "Spectra"
    return WebTable(
        caption, HEADS, (False, False, True, True, True, True, False, False, False), cells, len(rows),
        take=link("rows", words, table="compare") if rows else "",
    )  # fmt: skip
