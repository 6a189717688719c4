"""What a picture shows, before anybody draws it: curves, maps, places, camera images, with labels and warnings.

`plots` makes figures of it, `terminal` makes text of it. Nothing here draws.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
from numpy.typing import NDArray

from sxeslake.archive.spectra.lattice import layout_of
from sxeslake.archive.spectra.measured import Measured, of_position
from sxeslake.archive.spectra.roi import Roi
from sxeslake.archive.sxes.axes import SPECTRUM, Axis
from sxeslake.archive.sxes.documents.units import um_from_mm
from sxeslake.errors import InputError, NotFoundError, UsageError
from sxeslake.text.safe import visible
from sxeslake.text.table import shortened

if TYPE_CHECKING:
    from sxeslake.archive.sxes.position import Position

MOST_CURVES: Final = 24
"""Curves of one picture: eight colours in three line styles."""
MIXED: Final = "some qlw spectra have their background subtracted and others do not; their counts cannot be compared"
_COMMENT_SIGNS: Final = 36
_FEW: Final = 3

Normalisation = Literal["current", "max"]
NORMALISATIONS: Final = ("current", "max")
Scale = Literal["linear", "log", "sqrt"]


@dataclass(frozen=True, slots=True)
class Heading:
    """What stands above a picture, and in small print below it."""

    title: str  # `ti-map@2, grain 3`
    condition: str = ""  # `5 kV, 100 nA, JS300N`
    note: str = ""  # `axis: derived, ±0.21 Å`


@dataclass(frozen=True, slots=True)
class Curve:
    """One spectrum: `x` and `y` are float64 (channels,)."""

    row: Measured
    label: str
    axis: Axis
    x: NDArray[np.float64]
    y: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Band:
    """Where an X-ray line stands: a range on the axis of the picture, and its label."""

    low: float
    high: float
    label: str


@dataclass(frozen=True, slots=True)
class SpectrumPicture:
    """Spectra over one axis."""

    heading: Heading
    curves: Sequence[Curve]
    x_label: str
    y_label: str
    warnings: Sequence[str] = ()
    bands: Sequence[Band] = ()


@dataclass(frozen=True, slots=True)
class MapPicture:
    """A region of interest over a lattice: `values` is float64 (rows, columns), NaN where nothing is known."""

    heading: Heading
    values: NDArray[np.float64]
    step_x_um: float
    step_y_um: float
    label: str
    rows: Sequence[Measured]
    axis_sources: Sequence[str] = ()
    warnings: Sequence[str] = ()
    scale: Scale = "linear"
    vmin: float | None = None
    vmax: float | None = None

    @property
    def limits(self) -> tuple[float, float]:
        """The counts at both ends of the colours."""
        known = self.values[np.isfinite(self.values)]
        low = float(known.min()) if self.vmin is None else self.vmin
        high = float(known.max()) if self.vmax is None else self.vmax
        return (low, high) if low < high else (low, low + 1.0)


@dataclass(frozen=True, slots=True)
class Places:
    """The positions of one analysis: numbers, and stage coordinates in mm."""

    name: str
    kind: str
    numbers: Sequence[int]
    x_mm: NDArray[np.float64]
    y_mm: NDArray[np.float64]

    @property
    def label(self) -> str:
        """`grain 3: map, 12 positions`."""
        count = len(self.numbers)
        return f"{self.name}: {self.kind}, {count:,} position{'s' if count != 1 else ''}"


@dataclass(frozen=True, slots=True)
class StagePicture:
    """Where positions lie on the stage."""

    heading: Heading
    places: Sequence[Places]
    rows: Sequence[Measured]
    warnings: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class CcdPicture:
    """A camera image: `values` is uint32 (16, 2048), `saturated` bool of that shape."""

    heading: Heading
    values: NDArray[np.uint32]
    saturated: NDArray[np.bool_]
    rows: Sequence[Measured]
    warnings: Sequence[str] = ()


Picture = SpectrumPicture | MapPicture | StagePicture | CcdPicture


def curve_of(
    position: Position,
    number: int,
    *,
    data_type: str,
    axis: str,
    background: bool = False,
    normalise: str | None = None,
    with_archive: bool = False,
) -> Curve:
    """The spectrum of a position as a curve. UsageError where it has no such axis, or nothing to divide by."""
    row = of_position(position, position.analysis, number=number)
    values = position.spectrum_of(background=background) if data_type == SPECTRUM else position.array(data_type, "<f8")
    found = position.axis(axis, data_type)  # type: ignore[arg-type]
    y = np.asarray(values, np.float64)
    if normalise == "current":
        if not row.probe_current_na:
            raise UsageError(f"the probe current of position {number} is unknown.", where=row.archive)
        y = y / row.probe_current_na
    elif normalise == "max":
        highest = float(np.nanmax(y)) if y.size else 0.0
        if not highest > 0:
            raise UsageError(f"position {number} has no counts above zero to divide by.", where=row.archive)
        y = y / highest
    name = f"{row.archive}:{number}" if with_archive else str(number)
    comment = shortened(visible(row.comment or ""), _COMMENT_SIGNS)
    return Curve(row, f"{name}  {comment}".rstrip(), found, found.values, y)


def spectrum_picture(
    curves: Sequence[Curve],
    states: Iterable[bool | None],
    *,
    title: str,
    data_type: str,
    background: bool = False,
    normalise: str | None = None,
    within: tuple[float, float] | None = None,
) -> SpectrumPicture:
    """Curves as one picture; `states` tell of each qlw whether its background is subtracted."""
    if within is not None:
        curves = [_cut(curve, *within) for curve in curves]
    first = curves[0].axis
    counts = {"current": "counts / nA", "max": "counts / maximum"}.get(normalise or "", "counts")
    known = set(states)
    warnings = [MIXED] if {True, False} <= known else []
    notes = [_axis_note(list(dict.fromkeys((c.axis.source, c.axis.is_derived, c.axis.uncertainty_angstrom)
                                           for c in curves)), first.kind)]  # fmt: skip
    if data_type == SPECTRUM:
        notes.append("camera image summed over its rows, dark frame " + ("subtracted" if background else "included"))
    elif known == {True}:
        notes.append("qlw, background subtracted")
    elif known == {False}:
        notes.append("qlw, background included")
    heading = Heading(title, condition_of([curve.row for curve in curves]), "; ".join(filter(None, notes)))
    return SpectrumPicture(heading, curves, first.label, counts, warnings)


def map_picture(
    roi: Roi,
    *,
    title: str,
    scale: Scale = "linear",
    vmin: float | None = None,
    vmax: float | None = None,
) -> MapPicture:
    """A region of interest as a map. InputError where the positions lie on no lattice."""
    found = roi.map()
    warnings = list(roi.warnings)
    values = found.values
    if vmin is not None and vmax is not None and not vmin < vmax:
        raise UsageError(f"{vmin:g} is not below {vmax:g}.", where="--vmin", hint="Give the lower end of the colours.")
    if scale == "log":
        if vmin is not None and vmin <= 0:
            raise UsageError("a logarithmic scale begins above 0.", where="--vmin")
        empty = int(np.count_nonzero(values <= 0))
        if empty:
            warnings.append(f"{empty:,} positions have no counts above 0; the logarithmic scale shows them grey")
            values = np.where(values > 0, values, np.nan)
        if not np.isfinite(values).any():
            raise UsageError("no position has counts above 0.", hint="Leave --log out.")
    known = values[np.isfinite(values)]
    for end, word, is_off in (
        (vmin, "--vmin", vmax is None and vmin is not None and vmin >= known.max()),
        (vmax, "--vmax", vmin is None and vmax is not None and vmax <= known.min()),
    ):
        if is_off:
            raise UsageError(
                f"the map runs from {known.min():g} to {known.max():g} counts, {end:g} leaves no range of colours.",
                where=word,
            )
    label = f"counts, {roi.window}"
    if roi.background is not None:
        label += f"\nbackground {roi.background} subtracted"
    sources = [*roi.axis_sources]
    notes = ["axis: " + "; ".join(_short(source) for source in sources)] if sources else []
    notes.append(f"{roi.data_type}; right is stage +x, up is stage +y")
    heading = Heading(title, condition_of(roi.rows), "; ".join(notes))
    return MapPicture(
        heading, values, found.step_x_um, found.step_y_um, label, roi.rows, sources, warnings, scale, vmin, vmax
    )


def stage_picture(rows: Sequence[tuple[int, Measured]], *, title: str) -> StagePicture:
    """Numbered positions on the stage, by analysis. InputError where none has coordinates."""
    located = [
        (number, row)
        for number, row in rows
        if row.stage_x_mm is not None and row.stage_y_mm is not None
        and np.isfinite([row.stage_x_mm, row.stage_y_mm]).all()
    ]  # fmt: skip
    if not located:
        raise InputError("no position has stage coordinates.", where=title)
    missing = len(rows) - len(located)
    warnings = [f"{missing:,} positions have no stage coordinates and are left out"] if missing else []
    groups: dict[str | None, list[tuple[int, Measured]]] = {}
    for number, row in located:
        groups.setdefault(row.analysis_uuid, []).append((number, row))
    places = []
    for count, members in enumerate(groups.values(), 1):
        x_mm = np.array([row.stage_x_mm for _, row in members], np.float64)
        y_mm = np.array([row.stage_y_mm for _, row in members], np.float64)
        places_um = np.array([[um_from_mm(x), um_from_mm(y)] for x, y in zip(x_mm, y_mm, strict=True)], np.float64)
        name = visible(members[0][1].analysis_name or f"analysis {count}")
        places.append(Places(name, layout_of(places_um).kind, [number for number, _ in members], x_mm, y_mm))
    found = [replace(row, number=number) for number, row in located]
    return StagePicture(Heading(title, condition_of(found)), places, found, warnings)


def ccd_picture(position: Position, number: int, *, title: str) -> CcdPicture:
    """The camera image of a position, with its saturated pixels."""
    row = of_position(position, position.analysis, number=number)
    values = position.signal
    warnings = []
    saturated = np.zeros(values.shape, bool)
    try:
        saturated = position.saturated
    except InputError as error:
        warnings.append(f"saturated pixels are unknown: {error.what}")
    frames = f"sum of {row.accumulation:,} frames, " if row.accumulation else ""
    note = f"{frames}dark frame included"
    comment = shortened(visible(row.comment or ""), _COMMENT_SIGNS)
    condition = ", ".join(filter(None, (condition_of([row]), comment)))
    return CcdPicture(Heading(f"{title}, position {number}", condition, note), values, saturated, [row], warnings)


def condition_of(rows: Iterable[Measured]) -> str:
    """`5 kV, 100 nA, JS300N`; of several different values the first three, of more the range."""
    found = list(rows)
    parts = (
        _numbers([row.accelerating_voltage_kv for row in found], "kV"),
        _numbers([row.probe_current_na for row in found], "nA"),
        _texts([row.grating for row in found]),
    )
    return ", ".join(filter(None, parts))


def title_of(archive: str, analyses: Iterable[tuple[int, str]]) -> str:
    """`ti-map@2, grain 3`: the archive and its analyses, by name, else by number."""
    names = [visible(name) or f"analysis {number}" for number, name in analyses]
    return ", ".join([visible(archive), *([_texts(names)] if names else [])])


def check_choices(**chosen: str | None) -> None:
    """Refuse words that are no choice: `axis="enregy"`."""
    allowed: dict[str, Sequence[str]] = {
        "normalise": NORMALISATIONS, "axis": ("energy", "wavelength", "channel"), "scale": ("linear", "log", "sqrt"),
    }  # fmt: skip
    for name, value in chosen.items():
        if value is not None and value not in allowed[name]:
            raise UsageError(f"{value!r} is not a choice for {name}.", hint=f"Available: {', '.join(allowed[name])}.")


def _cut(curve: Curve, low: float, high: float) -> Curve:
    inside = (curve.x >= low) & (curve.x <= high)
    if not inside.any():
        least, most = float(curve.x.min()), float(curve.x.max())
        raise UsageError(
            f"{low:g}..{high:g} holds no channel of {curve.row.archive}.",
            where="--range",
            hint=f"The axis runs from {least:.1f} to {most:.1f} {curve.axis.unit}.",
        )
    return Curve(curve.row, curve.label, curve.axis, curve.x[inside], curve.y[inside])


def _axis_note(axes: Sequence[tuple[str, bool, float | None]], kind: str) -> str:
    """`axis: derived, ±0.21 Å`; nothing for channels."""
    if kind == "channel":
        return ""
    texts = []
    for source, is_derived, uncertainty in axes:
        within = "" if uncertainty is None else f", ±{uncertainty:.2g} Å"
        texts.append(("derived" if is_derived else visible(source)) + within)
    return "axis: " + "; ".join(texts)


def _short(source: str) -> str:
    """`derived: built-in fit …, residual up to 0.21 Å` → `derived, ±0.21 Å`."""
    if source.startswith("derived"):
        return f"derived, ±{source.rpartition('up to ')[2]}"
    return visible(source)


def _numbers(values: Iterable[float | None], unit: str) -> str:
    there = sorted({float(f"{value:.3g}") for value in values if value is not None})
    if not there:
        return ""
    if len(there) > _FEW:
        return f"{there[0]:g}–{there[-1]:g} {unit}"
    return "/".join(f"{value:g}" for value in there) + f" {unit}"


def _texts(values: Iterable[str | None]) -> str:
    there = list(dict.fromkeys(visible(value) for value in values if value))
    return ", ".join(there[:_FEW]) + (", …" if len(there) > _FEW else "")


def picked(positions: Sequence[Position], words: Sequence[str], where: str) -> list[tuple[int, Position]]:
    """The positions of numbers from 1 and UUIDs, `["1,4..9"]`, in their order. NotFoundError for what is not there."""
    count = len(positions)
    numbers: dict[int, None] = {}
    uuids: Sequence[str] | None = None
    for word in words:
        for part in (part.strip() for part in word.split(",")):
            low, dots, high = part.partition("..")
            if low.isdecimal() and (high.isdecimal() or not dots):
                first, last = int(low), int(high or low)
                if not 1 <= first <= last:
                    raise UsageError(f"{part!r} is not a range of positions.", hint="They count from 1: 7, or 3..9.")
                if last > count:
                    raise NotFoundError(
                        f"there is no position {last}.", where=where, hint=f"There are {count:,}; they count from 1."
                    )
                numbers.update(dict.fromkeys(range(first, last + 1)))
                continue
            if uuids is None:
                uuids = [position.uuid for position in positions]
            if part.lower() not in uuids:
                raise NotFoundError(
                    f"there is no position {part!r}.", where=where, hint="Give numbers, 1,4..9, or a UUID."
                )
            numbers[uuids.index(part.lower()) + 1] = None
    return [(number, positions[number - 1]) for number in sorted(numbers)]
