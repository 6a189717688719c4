"""Analysis: the stage beside the spectra; choosing a part of one shows what it is in the other."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from sxeslake.archive.spectra.choice import is_called
from sxeslake.errors import NotFoundError, SxeslakeError
from sxeslake.web.answers import Cell, WebPage, WebTable
from sxeslake.web.drawing.png import PALETTES, SCALES
from sxeslake.web.failures import failure_of
from sxeslake.web.links import link
from sxeslake.web.pages.commands import python_call, shell_line
from sxeslake.web.scans import DATA_TYPES, analysis_rows, plain_row, selected
from sxeslake.web.tables import text_of

if TYPE_CHECKING:
    from sxeslake.archive.spectra.measured import Measured
    from sxeslake.catalog.measurement import MeasuredAnalysis
    from sxeslake.web.visit import Visit

_SHOWN: Final = 50
_COMPARED: Final = 12  # spectra that an eye still tells apart
_LOOK = ("low", "high", "unit", "back_low", "back_high", "scale", "vmin", "vmax", "colours", "type", "axis")
_CHOICE = ("area", "positions")


def page(visit: Visit) -> WebPage:
    """One analysis, with the region and the selection that the address names."""
    ref = visit.pinned(visit.of)
    analysis = visit.one("analysis", "1")
    number, about = _found(visit, ref, analysis)
    analysis = about.analysis_uuid or str(number)
    rows = analysis_rows(visit, ref, analysis)
    chosen = selected(visit, rows)
    look = {name: visit.one(name) or None for name in _LOOK}
    choice = {name: visit.one(name) or None for name in _CHOICE}
    base = {"of": ref, "analysis": analysis}
    title = about.analysis_name or f"analysis {number}"
    troubles: list[str] = []
    images = _image_links(visit, ref, about, troubles)
    region = [look["low"], look["high"]]
    return WebPage(
        "analysis.html",
        f"{ref}, {title}",
        {
            "archive": ref,
            "analysis": about,
            "number": number,
            "positions": len(rows),
            "selected": len(chosen),
            "rows": [plain_row(row) for row in chosen[:_SHOWN]],
            "images": images,
            "troubles": troubles,
        },
        shell=_shell(visit, ref, number, look),
        python=python_call(
            visit, f"lake.roi({region[0]}, {region[1]}, {ref!r}" if all(region) else f"lake.spectra('qlw', {ref!r}",
            {"analysis": number, **({"unit": look["unit"]} if all(region) and look["unit"] else {})},
        ),
        view={
            "ref": ref,
            "name": title,
            "about": about,
            "facts": _facts(about),
            "look": {name: value or "" for name, value in look.items()},
            "choice": {name: value or "" for name, value in choice.items()},
            "base_words": base,
            "scales": SCALES, "palettes": PALETTES, "data_types": DATA_TYPES,
            "map_href": link("map.png", base, **look),
            "scale_href": link("scale.svg", base, **look),
            "sum_href": link("spectra.svg", base, **choice, type=look["type"], axis=look["axis"]),
            "table": _table(visit, base, ref, chosen),
            "takes": {
                form: link("take", base, **choice, format=form, type=look["type"] if form in ("csv", "msa") else None)
                for form in ("plzip", "pl7z", "csv", "msa")
            },
            "compare_href": link("compare", p=[row.name for row in chosen]) if len(chosen) <= _COMPARED else "",
            "image_places": [
                {"number": each["number"], "x": each["stage_x_mm"], "y": each["stage_y_mm"], "href": each["href"],
                 "affine": each["affine"], "bar": each["info_bar_rows"]}
                for each in images
                if each["affine"] or None not in (each["stage_x_mm"], each["stage_y_mm"])
            ],
            "lines": visit.one("lines"), "orders": visit.one("orders", "1,2"),
        },
        permalink=link("analysis", base, **look, **choice),
        is_whole=not troubles,
    )  # fmt: skip


def _found(visit: Visit, ref: str, analysis: str) -> tuple[int, MeasuredAnalysis]:
    """The analysis of that number, name or UUID."""
    known = visit.lake.measurement(ref)
    for number, each in enumerate(known, 1):
        if is_called(each.analysis_name, each.analysis_uuid or "", analysis, number):
            return number, each
    raise NotFoundError(
        f"{ref} has no analysis {analysis}.",
        hint=f"It has {len(known)}: see the page of the archive." if known else "It is not an archive of measurements.",
    )


def _shell(visit: Visit, ref: str, number: int, look: dict[str, str | None]) -> str:
    if not (look["low"] and look["high"]):
        return shell_line(visit, "plot", "stage", ref, analysis=number)
    region = f"{look['low']}..{look['high']}{look['unit'] or 'eV'}"
    return shell_line(visit, "plot", "map", ref, roi=region, analysis=number, log=look["scale"] == "log")


def _facts(about: MeasuredAnalysis) -> list[tuple[str, str]]:
    """Label and value with unit; times are those of the instrument's clock."""
    return [
        (label, value)
        for label, value in (
            ("kind", about.kind or ""),
            ("positions", f"{about.positions:,}"),
            ("accelerating voltage", _spread(about, "accelerating_voltage", "kV")),
            ("probe current", _spread(about, "probe_current", "nA")),
            ("grating", about.grating or ""),
            ("spectrometer", about.spectrometer or ""),
            ("instrument", about.instrument or ""),
            ("acquired (instrument's clock)", " to ".join(
                dict.fromkeys(filter(None, (text_of(about.acquired_local), text_of(about.last_saved_local))))
            )),
            ("operator", about.operator or ""),
            ("project", about.project or ""),
            ("comment", about.comment or ""),
        )
        if value
    ]  # fmt: skip


def _spread(about: MeasuredAnalysis, name: str, unit: str) -> str:
    """`100 nA (99.93 to 100.1)`: the median, and the range where there is one."""
    value, low, high = (getattr(about, f"{name}{part}_{unit.lower()}") for part in ("", "_min", "_max"))
    if value is None:
        return ""
    ends = "" if low is None or high is None or f"{low:.4g}" == f"{high:.4g}" else f" ({low:.4g} to {high:.4g})"
    return f"{value:.5g} {unit}{ends}"


def _table(visit: Visit, base: dict[str, Any], ref: str, rows: list[Measured]) -> WebTable:
    heads = ("position", "kV", "nA", "x (mm)", "y (mm)", "z (mm)", "acquired", "comment")
    cells = [
        [
            Cell(str(row.number or "?"), link("position", of=f"{ref}:{row.number or row.position_uuid}")),
            Cell(text_of(row.accelerating_voltage_kv)), Cell(text_of(row.probe_current_na)),
            Cell(text_of(row.stage_x_mm)), Cell(text_of(row.stage_y_mm)), Cell(text_of(row.stage_z_mm)),
            Cell(text_of(row.acquired_local)), Cell(row.comment or ""),
        ]
        for row in rows[:_SHOWN]
    ]  # fmt: skip
    numeric = (True, True, True, True, True, True, False, False)
    take = link(
        "rows", base, table="positions", area=visit.one("area") or None, positions=visit.one("positions") or None
    )
    return WebTable("Positions of the selection", heads, numeric, cells, len(rows), take=take)


def _image_links(visit: Visit, ref: str, about: MeasuredAnalysis, troubles: list[str]) -> list[dict[str, Any]]:
    """The pictures of the sample that the analysis lists, with their place on the stage."""
    found: list[dict[str, Any]] = []
    try:
        analysis = visit.lake.open_group(ref).analysis(about.analysis_uuid or "")
        for number, image in enumerate([] if analysis is None else analysis.images[:_SHOWN], 1):
            visit.job.check()
            state = image.state
            affine, bar = _registration(image.info_document.value)
            found.append({
                "number": number, "uuid": image.uuid, "comment": image.resolved_comment.value,
                "stage_x_mm": state.stage_x_mm, "stage_y_mm": state.stage_y_mm,
                "magnification": state.magnification, "href": link("picture", of=ref, image=image.uuid),
                "affine": affine, "info_bar_rows": bar,
            })  # fmt: skip
    except SxeslakeError as error:
        troubles.append(f"The images cannot be listed: {failure_of(error, [visit.lake.url]).what}")
    return found


def _registration(info: object) -> tuple[list[float] | None, int]:
    """What takes columns and rows of an image to stage x and y in mm, and the rows of its info bar; of `info.json`.

    x = a column + b row + c, y = d column + e row + f, from the outer corner of the upper left pixel.
    """
    stated = info.get("registration") if isinstance(info, dict) else None
    if not isinstance(stated, dict) or stated.get("to") != "stage mm":
        return None, 0
    affine, bar = stated.get("affine"), stated.get("infoBarRows", 0)
    if not isinstance(affine, list) or len(affine) != 6:
        return None, 0
    if not all(isinstance(each, int | float) and math.isfinite(each) for each in affine):
        return None, 0
    return [float(each) for each in affine], bar if isinstance(bar, int) and bar > 0 else 0
