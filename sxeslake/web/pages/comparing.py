"""Compare: spectra laid over one another, of any archives; one's own standards under like conditions at once."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from sxeslake.errors import InputError, NotFoundError, UsageError
from sxeslake.web.answers import Cell, WebPage, WebTable
from sxeslake.web.commands import python_call, shell_line
from sxeslake.web.links import link
from sxeslake.web.pages.plotted import marks_of
from sxeslake.web.scans import DATA_TYPES, NORMALISATIONS, data_type_of, plain_row, position_rows
from sxeslake.web.tables import text_of

if TYPE_CHECKING:
    from sxeslake.archive.spectra.comparison import Comparison
    from sxeslake.web.visit import Visit

_MOST_DRAWN = 12  # curves that an eye still tells apart
COLUMNS = (
    "name", "material", "similarity", "days", "accelerating_voltage_kv", "probe_current_na", "grating", "spectrometer",
    "acquired_local", "comment", "position_uuid",
)  # fmt: skip
HEADS = ("spectrum", "material", "similarity", "days apart", "kV", "nA", "grating", "acquired", "comment")


def page(visit: Visit) -> WebPage:
    """The spectra that the address names, the first of them the one that the others are compared with."""
    names = [row.name for row in position_rows(visit, visit.many("p"))]
    standards = visit.flag("standards")
    normalise = visit.choice("normalise", ("max", "current", "none"))
    found, message = _compared(visit, names, standards, normalise)
    rows = _rows(found)
    drawn = [*names, *(row["name"] for row in rows if row["name"] not in names)][:_MOST_DRAWN]
    look = {
        "normalise": normalise, "type": visit.one("type") or None, "axis": visit.one("axis") or None,
    }  # fmt: skip
    words = {"p": names, "standards": "1" if standards else None, **look}
    return WebPage(
        "compare.html",
        f"Compare {names[0]}" if names else "Compare",
        {"positions": names, "normalise": normalise, "standards": standards, "compared": rows, "drawn": drawn,
         "message": message},
        shell=shell_line(visit, "compare", *names, standards=standards, normalise=normalise) if names else "",
        python=python_call(
            visit, f"lake.compare({', '.join(map(repr, names))}", {"standards": standards, "normalise": normalise}
        ) if names else "",
        view={
            "names": names,
            "removals": [(name, link("compare", {**words, "p": [each for each in names if each != name]}))
                         for name in names],
            "spectra_href": link("spectra.f32", p=drawn, **look) if drawn else "",
            "image_href": link("spectra.svg", p=drawn, **look) if drawn else "",
            "table": _table(words, names, rows), "words": words,
            "choices": {"normalise": NORMALISATIONS, "type": DATA_TYPES, "axis": ("energy", "wavelength", "channel")},
            "look": {name: value or "" for name, value in look.items()},
            "lines": visit.one("lines"), "orders": visit.one("orders", "1"),
            "marks": marks_of(visit, visit.one("axis", "energy"), 0.21),
            "difference": visit.flag("difference"),
            "standards_href": link("compare", {**words, "standards": "1"}),
        },
        permalink=link("compare", words, lines=visit.one("lines") or None),
    )  # fmt: skip


def _compared(visit: Visit, names: list[str], standards: bool, normalise: str) -> tuple[Comparison | None, str]:
    """The comparison, or why there is none: then the spectra are still drawn, where they have one axis."""
    if len(names) + standards < 2:
        return None, "" if names else "Name a position, or open one and choose Compare."
    try:
        return visit.lake.compare(
            *names,
            standards=standards,
            data_type=data_type_of(visit),
            normalise=normalise,  # type: ignore[arg-type]
        ), ""
    except (NotFoundError, InputError, UsageError) as error:
        return None, f"{error.what} {error.hint or ''}".strip()


def compared_rows(visit: Visit, names: list[str]) -> list[dict[str, Any]]:
    """The others with their likeness, as the page lists them; the error where there are none."""
    found = visit.lake.compare(*names, standards=visit.flag("standards"), data_type=data_type_of(visit))
    return _rows(found)


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


def _table(words: dict[str, Any], names: list[str], rows: list[dict[str, Any]]) -> WebTable:
    cells = [
        [
            Cell(row["name"], link("position", of=row["name"])), Cell(row["material"] or ""),
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
