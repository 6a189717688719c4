"""`show`: what was measured in a version, and where it is stored."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from sxeslake.cli.app import App, pass_app
from sxeslake.cli.documents import document
from sxeslake.cli.options import LakeCommand, sample_argument
from sxeslake.cli.words import clock, count, local_time, numbers, shown, size, table, texts
from sxeslake.errors import SxeslakeError
from sxeslake.text.table import shortened, terminal_width

if TYPE_CHECKING:
    from sxeslake.catalog.measurement import MeasuredAnalysis, ShownArray, ShownMap
    from sxeslake.lake import Lake
    from sxeslake.views import AnnotationInfo, PathInfo, SourceInfo, VersionInfo

_LABEL = 12


@click.command("show", cls=LakeCommand, example="sxeslake show map@2\nsxeslake show map -v")
@sample_argument
@pass_app
def command(app: App, ref: str) -> None:
    """Show what was measured in a version: when, by whom, how, and where it is stored.

    Without @V the newest version. With -v also checksums, ids and bytes in the lake.
    """
    with app.open_lake() as lake:
        info = lake.show(ref)
        measurement = _measurement(app, lake, info)
    if app.as_json:
        app.emit(document(info) | {"measurement": [document(analysis) for analysis in measurement]})
        return
    app.print(shown(f"{info.sample}@{info.version}"))
    for label, value in [*_measured(measurement), *_stored(info, verbose=bool(app.verbose))]:
        app.print(f"{label:<{_LABEL}}  {shown(value)}")
    if len(measurement) > 1:
        app.print()
        for line in _analyses(measurement):
            app.print(line)
    for lines in (_maps(measurement), _arrays(measurement)):
        if lines:
            app.print()
        for line in lines:
            app.print(line)


def _measurement(app: App, lake: Lake, info: VersionInfo) -> list[MeasuredAnalysis]:
    """The analyses, as the catalogue has them; what is stored is told also where it cannot be read."""
    try:
        return lake.measurement(f"{info.sample}@{info.version}") if info.kind == "sxes" else []
    except SxeslakeError as error:
        app.complain(f"warning    the catalogue cannot be read: {shown(error)}")
        return []


def _measured(analyses: Sequence[MeasuredAnalysis]) -> Iterator[tuple[str, str]]:
    """Label and value of each line; what is not known has no line."""
    if not analyses:
        return
    times = [time for each in analyses for time in (each.acquired_local, each.last_saved_local) if time is not None]
    volts = [kv for each in analyses for kv in (each.accelerating_voltage_min_kv, each.accelerating_voltage_max_kv)]
    currents = [each.probe_current_na for each in analyses]
    lines = {
        "acquired": " to ".join(dict.fromkeys(clock(time) for time in (min(times), max(times)))) if times else "",
        "operator": texts(each.operator for each in analyses),
        "instrument": texts(each.instrument for each in analyses),
        "spectrometer": texts(each.spectrometer for each in analyses),
        "grating": texts(each.grating for each in analyses),
        "beam": ", ".join(filter(None, (numbers(volts, " kV"), numbers(currents, " nA")))),
        "project": texts(each.project for each in analyses),
        "comment": texts(each.comment for each in analyses),
        "analyses": _holds(analyses),
    }
    yield from ((label, value) for label, value in lines.items() if value)


def _holds(analyses: Sequence[MeasuredAnalysis]) -> str:
    """`map "TiN map" of 48 positions`, or `2 analyses (1 map, 1 line), 53 positions`."""
    if len(analyses) == 1:
        (one,) = analyses
        name = f' "{one.analysis_name}"' if one.analysis_name else ""
        return f"1 {one.kind or 'analysis'}{name}, {count(one.positions, 'position')}"
    kinds = [each.kind or "of unknown kind" for each in analyses]
    tally = ", ".join(f"{kinds.count(kind)} {kind}" for kind in dict.fromkeys(kinds))
    return f"{len(analyses)} ({tally}), {count(sum(each.positions for each in analyses), 'position')}"


def _analyses(analyses: Sequence[MeasuredAnalysis]) -> list[str]:
    """A table of several analyses."""
    rows: list[dict[str, Any]] = [
        {
            "analysis": each.analysis_name or (each.analysis_uuid or "")[:8],
            "kind": each.kind or "",
            "positions": each.positions,
            "kV": numbers([each.accelerating_voltage_kv], ""),
            "nA": numbers([each.probe_current_na], ""),
            "grating": each.grating or "",
            "acquired": "" if each.acquired_local is None else clock(each.acquired_local),
            "comment": each.comment or "",
        }
        for each in analyses
    ]
    return table(list(rows[0]), [list(row.values()) for row in rows])


def _maps(analyses: Sequence[MeasuredAnalysis]) -> list[str]:
    """A table of the maps' channels; a map without any has one row."""
    heads = ["map", "kind", "points", "step µm", "channel", "crystal", "spectrometer", "dwell ms", "kV", "nA", "unit"]
    rows = [
        [*(_map(each) if first else ("", "", "", "")), *channel]
        for analysis in analyses
        for each in analysis.maps
        for first, channel in _rows(each)
    ]
    return table(heads, rows) if rows else []


def _map(each: ShownMap) -> tuple[str, str, str, str]:
    points = f"{each.columns} × {each.rows}" if each.rows and each.columns else str(each.points or "")
    steps = dict.fromkeys(f"{step:g}" for step in (each.step_x_um, each.step_y_um) if step is not None)
    return each.map_name or each.map_uuid[:8], each.kind or "", points, " × ".join(steps)


def _rows(each: ShownMap) -> Iterator[tuple[bool, list[Any]]]:
    """The cells of each channel, and whether it is the map's first."""
    for number, channel in enumerate(each.channels):
        values = (channel.dwell_ms, channel.accelerating_voltage_kv, channel.probe_current_na)
        name = channel.channel_name or " ".join(filter(None, (channel.element, channel.line)))
        version = "" if channel.channel_version == 1 else f" v{channel.channel_version}"
        unit = channel.unit if channel.unit not in (None, "1") else channel.quantity
        said = [numbers([value], "") for value in values]
        yield number == 0, [name + version, channel.crystal or "", channel.spectrometer or "", *said, unit or ""]
    if not each.channels:
        yield True, [""] * 7


def _arrays(analyses: Sequence[MeasuredAnalysis]) -> list[str]:
    """A table of the data types that the archive describes."""
    rows = [
        [each.data_type, " × ".join(map(str, each.shape or ())), each.dtype or "", _axis(each), f"{each.positions:,}"]
        for analysis in analyses
        for each in analysis.arrays
    ]
    return table(["data", "shape", "dtype", "axis", "positions"], rows) if rows else []


def _axis(each: ShownArray) -> str:
    """`position from 70 mm by 0.5 mm`, `wavelength from 14.9 Å by 0.03 Å (fit)`."""
    if each.axis_quantity is None:
        return ""
    unit = f" {each.axis_unit}" if each.axis_unit else ""
    steps = ((word, value) for word, value in (("from", each.axis_start), ("by", each.axis_step)) if value is not None)
    said = " ".join([each.axis_quantity, *(f"{word} {value:g}{unit}" for word, value in steps)])
    return f"{said} ({each.axis_method})" if each.axis_method else said


def _stored(info: VersionInfo, *, verbose: bool) -> list[tuple[str, str]]:
    """Where it came from and what the lake has of it."""
    source = info.source
    width = terminal_width(sys.stdout)
    place = f" on {source.host}"
    path = source.path if width is None or verbose else shortened(source.path, width - _LABEL - 2 - len(place))
    facts = [
        ("archive", f"{info.kind}, {info.container}, {size(info.bytes_source)}"),
        ("contents", f"{count(info.members, 'entry', 'entries')}, {size(info.bytes_raw)} unpacked"),
        ("from", str(source) if source.is_made_here else f"{path}{place}"),
        *(("also at", f"{known.path} on {known.host}") for known in info.paths if not _is_source(known, source)),
        ("stored", f"{local_time(info.ingested_at)} by {info.who}"),
        ("exact", "yes: a pull gives back the original file" if info.exact else f"no: {info.exact_reason}"),
        ("versions", ", ".join(str(version) for version in info.versions) if len(info.versions) > 1 else ""),
        ("message", info.message or ""),
        ("tags", ", ".join(info.tags)),
    ]
    if verbose:
        facts += [
            ("SHA-256", source.sha256 or ""),
            ("content id", info.content_id),
            ("blobs", f"{info.blobs:,}, {info.blobs_new:,} of them new, {size(info.bytes_stored)} in the lake"),
            ("ingested", f"{info.ingested_at} on {info.host} with {info.tool}"),
        ]
    facts += [("annotation", _annotation(said)) for said in info.annotations]
    facts += [("warning", warning) for warning in info.warnings]
    return [(label, value) for label, value in facts if value]


def _is_source(known: PathInfo, source: SourceInfo) -> bool:
    return (known.path, known.host) == (source.path, source.host)


def _annotation(said: AnnotationInfo) -> str:
    """`role = standard, of all versions; curie, 2026-11-23 02:34`."""
    place = f", {said.target} {said.uuid}" if said.uuid else ", of all versions" if said.version is None else ""
    return f"{said.key} = {said.value}{place}; {said.who}, {local_time(said.time)}"
