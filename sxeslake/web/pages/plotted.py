"""What pages draw: spectra as float32, maps and camera images as PNG, places, marks of X-ray lines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from sxeslake import lines
from sxeslake.archive.sxes.documents.units import HC_EV_ANGSTROM
from sxeslake.errors import UsageError
from sxeslake.web.answers import RawAnswer, WebPage
from sxeslake.web.drawing.png import PALETTES, SCALES, indices, limits, png
from sxeslake.web.drawing.raster import located, raster_of
from sxeslake.web.drawing.svg import scale_svg, spectra_svg
from sxeslake.web.scans import (
    DrawnSpectra,
    analysis_rows,
    position_rows,
    region_in_words,
    roi_of,
    spectra_of,
    sum_of,
)

if TYPE_CHECKING:
    from sxeslake.web.visit import Visit

_FLOATS: Final = "application/octet-stream"
_MOST_MARKS: Final = 200


def places(visit: Visit) -> RawAnswer:
    """Where the positions of an analysis lie: float32 (positions, 3), little-endian: number, x and y in mm."""
    rows = analysis_rows(visit, visit.pinned(visit.of), visit.one("analysis"))
    numbers = np.array([[float(row.number or number)] for number, row in enumerate(rows, 1)])
    data = np.hstack([numbers, located(rows)]).astype("<f4")
    return RawAnswer(data.tobytes(), _FLOATS, headers={"X-Shape": f"{len(rows)},3"})


def roi(visit: Visit) -> WebPage:
    """A region of interest of an analysis: the ends of its colours, its extent on the stage, what was left out."""
    found = roi_of(visit)
    raster = raster_of(found.rows, found.values)
    scale = visit.choice("scale", SCALES)
    ends = limits(found.values, scale, visit.number("vmin"), visit.number("vmax"))
    return WebPage(
        "document.html",
        f"Region {region_in_words(found)}",
        {
            "region": region_in_words(found),
            "background": None if found.background is None else str(found.background),
            "unit": "counts",
            "positions": len(found),
            "scale": scale,
            "limits": ends,
            "range": [float(found.values.min()), float(found.values.max())],
            "extent_mm": raster.extent_mm,
            "is_lattice": raster.is_lattice,
            "cells": raster.cells.shape,
            "numbers": [row.number for row in found.rows],
            "values": [float(f"{value:.7g}") for value in found.values],
            "axis_sources": found.axis_sources,
            "warnings": found.warnings,
        },
        is_whole=not found.warnings,
    )


def map_image(visit: Visit) -> RawAnswer:
    """A region of interest as an image of the stage: right is +x, up is +y."""
    found = roi_of(visit)
    scale = visit.choice("scale", SCALES)
    ends = limits(found.values, scale, visit.number("vmin"), visit.number("vmax"))
    raster = raster_of(found.rows, found.values)
    image = png(indices(raster.cells, scale, ends), visit.choice("colours", PALETTES))
    return RawAnswer(image, "image/png", is_whole=not found.warnings)


def colour_bar(visit: Visit) -> RawAnswer:
    """The colours of a map, with the counts at their ends."""
    found = roi_of(visit)
    scale = visit.choice("scale", SCALES)
    ends = limits(found.values, scale, visit.number("vmin"), visit.number("vmax"))
    text = scale_svg(ends, scale, visit.choice("colours", PALETTES), f"counts, {region_in_words(found)}")
    return RawAnswer(text.encode(), "image/svg+xml", is_whole=not found.warnings)


def sum_spectrum(visit: Visit) -> RawAnswer:
    """The axis and the sum of the selected spectra of an analysis, float32 (2, channels)."""
    drawn, count = sum_of(visit)
    return _floats(drawn, {"X-Positions": str(count)})


def spectra(visit: Visit) -> RawAnswer:
    """The axis and the spectra of the positions `p`, float32 (1 + positions, channels)."""
    return _floats(spectra_of(visit, visit.many("p")))


def _floats(drawn: DrawnSpectra, headers: dict[str, str] | None = None) -> RawAnswer:
    data = np.vstack([drawn.x[None, :], drawn.y]).astype("<f4")
    return RawAnswer(
        data.tobytes(), _FLOATS, is_whole=not drawn.warnings,
        headers={
            "X-Shape": f"{data.shape[0]},{data.shape[1]}",
            "X-Axis": drawn.axis.label.encode("ascii", "replace").decode().replace("?", "A"),
            **(headers or {}),
        },
    )  # fmt: skip


def spectra_image(visit: Visit) -> RawAnswer:
    """The same spectra, or the sum of a selection (`of`), as a drawing: for print, and where no script runs."""
    drawn = sum_of(visit)[0] if visit.one("of") else spectra_of(visit, visit.many("p"))
    return RawAnswer(spectra_svg(drawn).encode(), "image/svg+xml", is_whole=not drawn.warnings)


def line_marks(visit: Visit) -> WebPage:
    """X-ray lines of some elements as bands on an axis, in some orders."""
    kind = visit.choice("axis", ("energy", "wavelength"))
    found = marks_of(visit, kind, visit.number("uncertainty") or 0.0)
    return WebPage("document.html", "X-ray lines", {"axis": kind, "marks": found})


def marks_of(visit: Visit, kind: str, uncertainty_angstrom: float) -> list[dict[str, Any]]:
    """The marks that the address asks for: `lines=N,O`, `orders=1,2`."""
    elements = [part.strip() for word in visit.many("lines") for part in word.split(",") if part.strip()]
    words = [part.strip() for part in visit.one("orders", "1").split(",") if part.strip()]
    if not all(word.isdecimal() and len(word) < 3 for word in words):
        raise UsageError("orders are whole numbers from 1.", hint="Write 1,2,3")
    if not elements or kind == "channel":
        return []
    made = []
    for mark in lines.marks(*elements, orders=[int(word) for word in words])[:_MOST_MARKS]:
        ends = [max(end, 1e-3) for end in mark.band_ev(uncertainty_angstrom)]
        if kind == "wavelength":
            ends = [HC_EV_ANGSTROM / end for end in ends]
        at = mark.observed_ev if kind == "energy" else mark.observed_angstrom
        made.append({"label": mark.label, "at": at, "low": min(ends), "high": max(ends)})
    return made


def camera_image(visit: Visit) -> RawAnswer:
    """The camera image of a position, 16 rows of 2,048 columns."""
    ref = visit.of
    (row,) = position_rows(visit, [ref])
    position = visit.lake.open_group(row.archive).positions[row.position_uuid]
    values = position.signal.astype(np.float64)
    scale = visit.choice("scale", SCALES)
    ends = limits(values, scale, visit.number("vmin"), visit.number("vmax"))
    return RawAnswer(
        png(indices(values, scale, ends), visit.choice("colours", PALETTES)), "image/png", is_fixed=ref == row.name
    )
