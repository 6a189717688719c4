"""Positions and spectra that pages draw: chosen by the address, read once, given up when nobody waits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from sxeslake.archive.spectra.choice import numbers_of, place_of
from sxeslake.archive.spectra.comparison import normalised
from sxeslake.archive.spectra.correction import mixed_correction
from sxeslake.archive.spectra.measured import Measured
from sxeslake.archive.spectra.pictures import MOST_CURVES
from sxeslake.archive.spectra.reading import LeftOut, Order
from sxeslake.archive.spectra.roi import Integrator, Roi, RoiWindow
from sxeslake.archive.spectra.spectra import Spectra, read_spectra
from sxeslake.archive.sxes.axes import AXIS_KINDS, SPECTRUM, Axis, axis_of
from sxeslake.errors import InputError, NotFoundError, UsageError
from sxeslake.web.links import link

if TYPE_CHECKING:
    from sxeslake.archive.sxes.source import MemberSource
    from sxeslake.web.visit import Visit

DATA_TYPES: Final = ("qlw", SPECTRUM)
NORMALISATIONS: Final = ("none", "current", "max")
_ALL_CHANNELS: Final = RoiWindow(0, 1e6, "channel")
_MOST_CORNERS: Final = 200


@dataclass(frozen=True, slots=True)
class DrawnSpectra:
    """Curves over one axis, from low to high: `y` is float64 (curves, channels)."""

    axis: Axis
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    rows: Sequence[Measured]
    warnings: Sequence[str]


def analysis_rows(visit: Visit, ref: str, analysis: str) -> list[Measured]:
    """The positions of one analysis of a pinned version."""
    key = (visit.commit, visit.served.slug, ref, analysis)
    found: list[Measured] = visit.served.measured.get(
        key, lambda: list(visit.lake.measured(ref, analysis=analysis or None, copies=True))
    )
    return found


def position_rows(visit: Visit, names: Sequence[str]) -> list[Measured]:
    """The positions that `ti-map@2:5` and their like name, by number in the archive or by UUID.

    `old::ti-map@2:5` is one of the lake `old` of this server; that stands before its sample, too.
    """
    found = []
    for name in names:
        slug, plain = lake_and_name(visit, name)
        other = visit if slug == visit.served.slug else visit.in_lake(slug)
        ref, word = place_of(plain)
        rows = analysis_rows(other, other.pinned(ref), "")
        fits = [
            row for row in rows
            if (str(row.number) == word if word.isdecimal() and len(word) < 8 else row.position_uuid.startswith(word))
        ]  # fmt: skip
        if not fits:
            raise NotFoundError(f"{ref} has no position {word}.", hint="The page of its archive lists its analyses.")
        found.append(named(visit, slug, fits[0]))
    return found


_BEFORE_NAME: Final = "::"


def lake_and_name(visit: Visit, name: str) -> tuple[str, str]:
    """`old::ti-map@2:5` → the lake `old` and `ti-map@2:5`; without such a beginning the lake of the address."""
    slug, mark, rest = name.partition(_BEFORE_NAME)
    return (slug, rest) if mark and slug in visit.site else (visit.served.slug, name)


def named(visit: Visit, slug: str, row: Measured) -> Measured:
    """A position as this lake's pages call it: its lake stands before its sample where it is of another."""
    return row if slug == visit.served.slug else replace(row, sample=f"{slug}{_BEFORE_NAME}{row.sample}")


def source_of(visit: Visit, row: Measured) -> MemberSource:
    """Where the members of a position's archive are read from, whichever lake it is in."""
    slug, sample = lake_and_name(visit, row.sample)
    return visit.site[slug].lake._measurements.member_source(replace(row, sample=sample))


def position_link(visit: Visit, name: str) -> str:
    """The page of a position, in its own lake."""
    slug, plain = lake_and_name(visit, name)
    return link("position" if slug == visit.served.slug else f"../{slug}/position", of=plain)


def selected(visit: Visit, rows: Sequence[Measured]) -> list[Measured]:
    """The positions that the address chooses of an analysis: an `area` on the stage, `positions` by number, or all."""
    area, numbers = visit.one("area"), numbers_of(visit.one("positions") or None)
    kept = [row for row in rows if numbers is None or row.position_number in numbers]
    if area:
        inside = _inside(_corners(area), kept)
        kept = [row for row, is_in in zip(kept, inside, strict=True) if is_in]
    if not kept:
        raise NotFoundError("no position lies in this selection.", hint="Choose a larger part of the map.")
    return kept


def _corners(area: str) -> NDArray[np.float64]:
    """`1.5,2 3,2 3,4`: the corners of a polygon on the stage, x and y in mm."""
    try:
        corners = np.array([[float(part) for part in pair.split(",")] for pair in area.split()], np.float64)
    except ValueError:
        corners = np.empty((0, 2))
    if corners.ndim != 2 or corners.shape[1] != 2 or not 3 <= len(corners) <= _MOST_CORNERS:
        raise UsageError("the area is not a polygon.", hint="Write its corners in mm: area=1.5,2 3,2 3,4")
    return corners


def _inside(corners: NDArray[np.float64], rows: Sequence[Measured]) -> NDArray[np.bool_]:
    """Which positions lie in a polygon, by the number of its edges that a ray from them crosses."""
    x = np.array([np.nan if row.stage_x_mm is None else row.stage_x_mm for row in rows])
    y = np.array([np.nan if row.stage_y_mm is None else row.stage_y_mm for row in rows])
    inside = np.zeros(len(rows), np.bool_)
    for (x0, y0), (x1, y1) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        if y0 != y1:
            crosses = (y0 > y) != (y1 > y)
            inside ^= crosses & (x < (x1 - x0) * (y - y0) / (y1 - y0) + x0)
    return inside


def data_type_of(visit: Visit) -> str:
    """`qlw`, or the column sum of the camera image."""
    return visit.choice("type", DATA_TYPES)


def axis_for(visit: Visit, rows: Sequence[Measured], channels: int, data_type: str) -> Axis:
    """The axis that the address names, else energy where it is known. InputError where the positions differ in it."""
    wanted = visit.one("axis")
    if wanted and wanted not in AXIS_KINDS:
        raise UsageError(f"there is no axis {wanted[:40]!r}.", hint=f"Available: {', '.join(AXIS_KINDS)}.")
    known = visit.lake._measurements.calibrations()
    settings = list(dict.fromkeys(row.setting for row in rows))
    kind = wanted or "energy"
    try:
        axes = [axis_of(kind, channels, data_type, setting, known) for setting in settings]
    except UsageError:
        if wanted:
            raise
        axes = [axis_of("channel", channels, data_type, settings[0], known)]
    if any(not np.array_equal(axes[0].values, axis.values) for axis in axes):
        gratings = ", ".join(sorted({str(row.grating) for row in rows}))
        raise InputError(
            f"these spectra have different axes ({gratings}).", hint="Choose one grating, or the axis channel."
        )
    return axes[0]


def sum_of(visit: Visit) -> tuple[DrawnSpectra, int]:
    """The sum of the selected spectra of an analysis, and how many they are."""
    ref, data_type = visit.pinned(visit.of), data_type_of(visit)
    rows = analysis_rows(visit, ref, visit.one("analysis"))
    wanted = {row.position_uuid for row in selected(visit, rows)}
    left_out, total, used = LeftOut(), None, []
    for batch in visit.served.shelf.batches(visit.lake, rows, data_type, left_out, visit.job):
        chosen = [number for number, row in enumerate(batch.rows) if row.position_uuid in wanted]
        if not chosen:
            continue
        part = batch.values[chosen].sum(axis=0, dtype=np.float64)
        if total is not None and total.size != part.size:
            left_out.reasons += [(batch.rows[number], f"{part.size:,} channels") for number in chosen]
            continue
        total = part if total is None else total + part
        used += [batch.rows[number] for number in chosen]
    left_out.reasons = [pair for pair in left_out.reasons if pair[0].position_uuid in wanted]
    warnings = [left_out.summary()] if left_out else []
    if total is None:
        raise NotFoundError(left_out.summary() if left_out else "no position has such data.")
    if warning := mixed_correction(used, data_type, visit.lake._measurements.member_source):
        warnings.append(warning)
    axis = axis_for(visit, used, total.size, data_type)
    return _drawn(axis, total[None, :], used, warnings), len(used)


def spectra_of(visit: Visit, names: Sequence[str]) -> DrawnSpectra:
    """The spectra of named positions, normalised as the address says; InputError where their axes differ."""
    if not names:
        raise UsageError("no position is named.", hint="Open one from the page Find.")
    if len(names) > MOST_CURVES:
        raise UsageError(f"{len(names)} spectra are more than {MOST_CURVES}, which one picture shows.")
    rows = position_rows(visit, names)
    data_type = data_type_of(visit)
    known = visit.lake._measurements.calibrations()
    return drawn_of(visit, read_spectra(rows, partial(source_of, visit), data_type, known))


def drawn_of(visit: Visit, found: Spectra) -> DrawnSpectra:
    """Spectra that are read, over the axis and with the normalisation of the address."""
    values = normalised(found, visit.choice("normalise", NORMALISATIONS))
    axis = axis_for(visit, found.rows, values.shape[1], found.data_type)
    return _drawn(axis, values, found.rows, found.warnings)


def _drawn(axis: Axis, values: NDArray[np.float64], rows: Sequence[Measured], warnings: Sequence[str]) -> DrawnSpectra:
    order = np.argsort(axis.values, kind="stable")
    return DrawnSpectra(axis, axis.values[order], values[:, order], rows, warnings)


def window_of(visit: Visit, low: str, high: str) -> RoiWindow | None:
    """The region that the address names, in the unit of `unit`; None where it names none."""
    ends = sorted(value for value in (visit.number(low), visit.number(high)) if value is not None)
    if len(ends) == 1:
        raise UsageError(f"a region has two ends, {low} and {high}.")
    return RoiWindow.of(ends[0], ends[1], visit.one("unit", "eV")) if ends else None


def roi_of(visit: Visit) -> Roi:
    """The region of interest of every position of an analysis; all channels where none is named."""
    ref, data_type = visit.pinned(visit.of), data_type_of(visit)
    analysis = visit.one("analysis")
    window = window_of(visit, "low", "high") or _ALL_CHANNELS
    background = window_of(visit, "back_low", "back_high")
    key = ("roi", visit.commit, visit.served.slug, ref, analysis, data_type, window, background)

    def integrated() -> Roi:
        left_out = LeftOut()
        rows = analysis_rows(visit, ref, analysis)
        integrator = Integrator(window, background, data_type, visit.lake._measurements.calibrations())
        batches = visit.served.shelf.batches(visit.lake, rows, data_type, left_out, visit.job)
        return integrator.integrate(batches, left_out, Order(rows))

    found: Roi = visit.served.measured.get(key, integrated)
    return found


def region_in_words(found: Roi) -> str:
    """`390..400 eV`, or that all channels are summed."""
    return "all channels" if found.window == _ALL_CHANNELS else str(found.window)


def plain_row(row: Measured) -> dict[str, Any]:
    """A position for a JSON twin."""
    return {name: getattr(row, name) for name in Measured.__dataclass_fields__} | {"name": row.name}
