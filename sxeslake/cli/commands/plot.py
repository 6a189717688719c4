"""`plot`: spectra, maps, the stage and camera images, as files or as text in the terminal."""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sxeslake.cli.app import App, pass_app
from sxeslake.cli.completion import suggest
from sxeslake.cli.destinations import STDOUT
from sxeslake.cli.documents import PLOT, named
from sxeslake.cli.options import OUT, PATH, LakeCommand, LakeGroup
from sxeslake.cli.words import shown
from sxeslake.errors import UsageError

if TYPE_CHECKING:
    from sxeslake.archive.spectra.pictures import Picture
    from sxeslake.plotting import Archives

_FORMATS = ("png", "svg", "pdf")
_SUFFIXES = (".plzip", ".pl7z", ".zip", ".7z")
_RANGE = re.compile(r"\s*(-?[\d.]+)\s*\.\.\s*(-?[\d.]+)\s*([^\d\s.].*)?")
_SIZE = re.compile(r"([\d.]+)\s*[x×]\s*([\d.]+)\s*(?:cm)?", re.IGNORECASE)

Command = Callable[..., Any]


@click.group(
    "plot",
    cls=LakeGroup,
    example="sxeslake plot spectrum map --position 1,4..9 --lines N,O -o map.png\n"
    "sxeslake plot map map --roi 390..400eV -o nitrogen.pdf\n"
    "sxeslake plot stage map\n"
    "sxeslake plot ccd map --position 3",
)
def command() -> None:
    """Draw spectra, maps, positions on the stage, and camera images.

    -o FILE writes a picture (.png, .svg, .pdf), which needs the extra `plot`. Without it, the terminal shows a quick
    look. SAMPLE is a version in the lake, or an archive file such as map.plzip.
    """


def _picture_options(function: Command) -> Command:
    """What all kinds share."""
    options = (
        click.argument("ref", metavar="SAMPLE[@V]", shell_complete=suggest.sample),
        click.option("--analysis", metavar="NAME|UUID|N", help="Only this analysis.",
                     shell_complete=suggest.values("analyses")),
        click.option(*OUT, metavar="FILE", type=PATH, help="Write .png, .svg or .pdf; - is stdout, with --format."),
        click.option("--format", "kind", type=click.Choice(_FORMATS), help="Format, where the suffix does not tell."),
        click.option("--size", metavar="WxH", help="Width and height in cm, such as 16x9."),
        click.option("--dpi", type=click.FloatRange(1, 2400), help="Pixels an inch of a PNG.  [default: 200]"),
        click.option("--title", help="In place of sample, version and analysis."),
        click.option("--force", is_flag=True, help="Replace a file."),
        click.option("--show", is_flag=True, help="Open the picture on the desktop."),
    )  # fmt: skip
    for option in reversed(options):
        function = option(function)
    return function


def _type_option(function: Command) -> Command:
    return click.option(
        "--type", "data_type", type=click.Choice(["qlw", "spectrum"]), default="qlw", show_default=True,
        help="The stored spectrum, or the camera image summed over its rows.",
    )(function)  # fmt: skip


@command.command(
    "spectrum",
    cls=LakeCommand,
    example="sxeslake plot spectrum map --position 1,4..9 --lines N,O -o map.png",
    short_help="Spectra over energy, wavelength or channel.",
)
@_picture_options
@click.option(
    "--position", "positions", multiple=True, required=True, metavar="N|A..B|UUID",
    help="Numbers from 1 through all analyses, as `pull` counts them: 1,4..9.",
)  # fmt: skip
@_type_option
@click.option("--axis", type=click.Choice(["energy", "wavelength", "channel"]), default="energy", show_default=True)
@click.option("--background", is_flag=True, help="With --type spectrum: subtract the dark frame.")
@click.option("--normalise", type=click.Choice(["current", "max"]), help="Divide by the current, or the highest count.")
@click.option("--lines", "elements", multiple=True, metavar="N,O", help="Mark the X-ray lines of elements.")
@click.option("--order", "orders", default="1", metavar="N|A..B", help="Orders of diffraction of the lines.")
@click.option("--with", "others", multiple=True, metavar="OTHER:N", help="Add positions of another sample or file.")
@click.option("--range", "within", metavar="A..B", help="Only this part of the axis: 380..410eV.")
@pass_app
def spectrum(
    app: App, /, ref: str, analysis: str | None, positions: tuple[str, ...], data_type: str, axis: str,
    background: bool, normalise: str | None, elements: tuple[str, ...], orders: str, others: tuple[str, ...],
    within: str | None, **look: Any,
) -> None:  # fmt: skip
    """Draw the spectra of some positions.

    Lines are bands as wide as table and axis are uncertain. An axis that was not measured is named as derived.
    """
    from sxeslake.cli.commands.lines import orders_of  # noqa: PLC0415  (start-up time of --help)
    from sxeslake.plotting import compose_spectrum  # noqa: PLC0415  (as above)

    def compose(archives: Archives, place: Callable[[str], tuple[Archives, str]]) -> Picture:
        return compose_spectrum(
            archives, place(ref)[1], positions, analysis=analysis, data_type=data_type, axis=axis,
            background=background, normalise=normalise, lines=elements, orders=orders_of(orders),
            others=[(*place(name), number) for name, number in map(_other, others)],
            within=None if within is None else axis_range(within, "--range", axis),
        )  # fmt: skip

    _run(app, ref, compose, look)


@command.command(
    "map",
    cls=LakeCommand,
    example="sxeslake plot map map --roi 390..400eV --background-window 410..420eV -o n.png",
    short_help="Counts of a region of interest as a map.",
)
@_picture_options
@click.option("--roi", required=True, metavar="A..B", help="What is summed: 390..400eV, 30..32Å, 100..200channel.")
@click.option("--background-window", metavar="A..B", help="Background window, whose mean is subtracted.")
@_type_option
@click.option("--log", "is_log", is_flag=True, help="A logarithmic scale of colours.")
@click.option("--sqrt", "is_sqrt", is_flag=True, help="A scale by the square root.")
@click.option("--vmin", type=float, help="Counts at the lower end of the colours.")
@click.option("--vmax", type=float, help="Counts at the upper end.")
@pass_app
def region_map(
    app: App, /, ref: str, analysis: str | None, roi: str, background_window: str | None, data_type: str,
    is_log: bool, is_sqrt: bool, vmin: float | None, vmax: float | None, **look: Any,
) -> None:  # fmt: skip
    """Draw the counts of a region of interest over a map, with a scale bar in µm."""
    from sxeslake.plotting import compose_map  # noqa: PLC0415  (start-up time of --help)

    if is_log and is_sqrt:
        raise click.UsageError("--log and --sqrt are two scales; choose one.")
    low, high, unit = _region(roi, "--roi")
    beside = None if background_window is None else _region(background_window, "--background-window")
    if beside is not None and beside[2] != unit:
        raise click.UsageError("--roi and --background-window have the same unit.")

    def compose(archives: Archives, place: Callable[[str], tuple[Archives, str]]) -> Picture:
        return compose_map(
            archives, place(ref)[1], (low, high), unit=unit, analysis=analysis,
            background=None if beside is None else beside[:2], data_type=data_type,
            scale="log" if is_log else "sqrt" if is_sqrt else "linear", vmin=vmin, vmax=vmax,
        )  # fmt: skip

    _run(app, ref, compose, look)


@command.command(
    "stage", cls=LakeCommand, example="sxeslake plot stage map -o stage.svg", short_help="Positions on the stage."
)
@_picture_options
@pass_app
def stage(app: App, /, ref: str, analysis: str | None, **look: Any) -> None:
    """Draw where the positions lie on the stage, in mm, with the numbers that --position takes."""
    from sxeslake.plotting import compose_stage  # noqa: PLC0415  (start-up time of --help)

    _run(app, ref, lambda archives, place: compose_stage(archives, place(ref)[1], analysis=analysis), look)


@command.command(
    "ccd", cls=LakeCommand, example="sxeslake plot ccd map --position 3 -o camera.png", short_help="A camera image."
)
@_picture_options
@click.option("--position", required=True, metavar="N|UUID", help="The position, as for `plot spectrum`.")
@pass_app
def ccd(app: App, /, ref: str, analysis: str | None, position: str, **look: Any) -> None:
    """Draw the camera image of a position, 16 × 2048 counts, with its saturated pixels marked."""
    from sxeslake.plotting import compose_ccd  # noqa: PLC0415  (start-up time of --help)

    _run(app, ref, lambda archives, place: compose_ccd(archives, place(ref)[1], position, analysis=analysis), look)


def _run(app: App, ref: str, compose: Callable[..., Picture], look: dict[str, Any]) -> None:
    """Compose a picture, then write it, show it, or print it as text."""
    from sxeslake.disk.output import check_file  # noqa: PLC0415  (start-up time of --help)

    out, show = look["out"], look["show"]
    kind = picture_format(out, look["kind"], show=show)
    size = _size(look["size"])
    if out == STDOUT and (app.as_json or sys.stdout.isatty()):
        raise click.UsageError("a picture is binary; send it somewhere: > FILE, without --json.")
    if show:
        _check_display()
    if out is not None and out != STDOUT:
        check_file(Path(out), force=look["force"])
    if kind is not None:
        from sxeslake.extras import load  # noqa: PLC0415  (as above)

        load("matplotlib", "plot", "a picture")
    with _archives(app) as place:
        picture = compose(place(ref)[0], place)
    for warning in picture.warnings:
        app.complain(f"warning    {shown(warning)}")
    path = None if kind is None else write_picture(picture, kind, size, look)
    if app.as_json:
        app.emit(_document(picture, path, kind))
    elif kind is None:
        _print(app, picture, look["title"])
    elif path is not None:
        app.print(f"drawn      {shown(path)}")


def write_picture(picture: Picture, kind: str, size: tuple[float, float] | None, look: dict[str, Any]) -> str | None:
    """Write a picture; where it is. None for stdout."""
    from sxeslake.archive.spectra import plots  # noqa: PLC0415  (start-up time of --help)
    from sxeslake.disk.output import written_file  # noqa: PLC0415  (as above)

    figure = plots.draw(picture, size_cm=size, dpi=look["dpi"] or plots.DPI, title=look["title"])
    out: str | None = look["out"]
    if out == STDOUT:
        plots.write(figure, sys.stdout.buffer, kind)
        sys.stdout.buffer.flush()
        return None
    if out is None:  # to be shown only; whoever shows it reads it later, so that it stays
        out = str(Path(tempfile.mkdtemp(prefix="sxeslake-")) / f"plot.{kind}")
    with written_file(Path(out), force=look["force"]) as file:
        plots.write(figure, file, kind)
    if look["show"]:
        click.launch(out)
    return out


def picture_format(out: str | None, kind: str | None, *, show: bool) -> str | None:
    """The format of the file; None where the terminal shows the picture."""
    if out is None:
        if not show and kind is not None:
            raise click.UsageError("--format requires -o.")
        return (kind or "png") if show else None
    if out == STDOUT:
        if kind is None:
            raise click.UsageError(f"-o - needs --format {'|'.join(_FORMATS)}.")
        if show:
            raise click.UsageError("--show needs a file, not stdout.")
        return kind
    suffix = Path(out).suffix.lower().removeprefix(".")
    if kind is not None:
        return kind
    if suffix not in _FORMATS:
        raise UsageError("unknown picture format.", where=out, hint="Name it .png, .svg or .pdf, or give --format.")
    return suffix


def _check_display() -> None:
    has_none = sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
    if has_none:
        raise UsageError(
            "there is no display here.", where="--show", hint="-o FILE writes the picture; without both, it is text."
        )


@contextmanager
def _archives(app: App) -> Iterator[Callable[[str], tuple[Archives, str]]]:
    """Where samples are read from: files of this machine by themselves, all others from the lake, opened once."""
    from sxeslake.plotting import FileArchives  # noqa: PLC0415  (start-up time of --help)

    files = FileArchives()
    lakes: list[Any] = []

    def place(name: str) -> tuple[Archives, str]:
        if name.lower().endswith(_SUFFIXES) and Path(name).is_file():
            return files, name
        if not lakes:
            lakes.append(app.open_lake())
        return lakes[0], name

    try:
        yield place
    finally:
        files.close()
        for lake in lakes:
            lake.close()


def _other(word: str) -> tuple[str, str]:
    name, colon, number = word.rpartition(":")
    if not colon or not name or not number:
        raise UsageError(f"{word!r} names no position.", where="--with", hint="Write OTHER:POSITION, standards:1.")
    return name, number


def _region(text: str, option: str) -> tuple[float, float, str]:
    """`390..400eV` → 390, 400, `eV`."""
    match = _RANGE.fullmatch(text)
    try:
        if match is not None:
            return float(match[1]), float(match[2]), (match[3] or "eV").strip()
    except ValueError:
        pass
    raise UsageError(f"{text!r} is not a range.", where=option, hint="Write 390..400eV, 30..32Å or 100..200channel.")


def axis_range(text: str, option: str, axis: str) -> tuple[float, float]:
    """A range in the unit of an axis, which may be written."""
    from sxeslake.archive.spectra.roi import RoiWindow  # noqa: PLC0415  (start-up time of --help)
    from sxeslake.archive.sxes.axes import unit_of  # noqa: PLC0415  (as above)

    low, high, unit = _region(text, option)
    written = _RANGE.fullmatch(text)
    if written is not None and written[3] and unit_of(unit) != axis:
        raise UsageError(f"{text!r} is not a range of the axis {axis}.", where=option, hint=f"--axis {unit_of(unit)}")
    RoiWindow(low, high, axis)  # refuses what is no range
    return low, high


def _size(text: str | None) -> tuple[float, float] | None:
    if text is None:
        return None
    match = _SIZE.fullmatch(text.strip())
    try:
        if match is not None:
            return float(match[1]), float(match[2])
    except ValueError:
        pass
    raise UsageError(f"{text!r} is not a size.", where="--size", hint="Write width and height in cm: 16x9.")


def _print(app: App, picture: Picture, title: str | None) -> None:
    """The picture as text in the width of the window."""
    from dataclasses import replace  # noqa: PLC0415  (start-up time of --help)

    from sxeslake.archive.spectra import terminal  # noqa: PLC0415  (as above)
    from sxeslake.text.table import window  # noqa: PLC0415  (as above)

    if title is not None:
        picture = replace(picture, heading=replace(picture.heading, title=shown(title)))
    rows = shutil.get_terminal_size((80, 24)).lines
    is_tty = sys.stdout.isatty()
    colours = is_tty and "NO_COLOR" not in os.environ and os.environ.get("TERM", "dumb") != "dumb"
    screen = terminal.Screen(window(sys.stdout) or 80, rows, _has_blocks(), colours)
    for line in terminal.text(picture, screen):
        click.echo(line, color=colours or None)
    app.say("-o FILE.png writes a picture.")


def _has_blocks() -> bool:
    try:
        "⣿▀█░│".encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def _document(picture: Picture, path: str | None, kind: str | None) -> dict[str, Any]:
    from sxeslake.archive.spectra.pictures import CcdPicture, MapPicture, SpectrumPicture  # noqa: PLC0415  (as above)

    rows: Sequence[Any]
    sources: list[str] = []
    picture_name = type(picture).__name__.removesuffix("Picture").lower()
    if isinstance(picture, SpectrumPicture):
        rows = [curve.row for curve in picture.curves]
        sources = list(dict.fromkeys(curve.axis.source for curve in picture.curves))
    else:
        rows = picture.rows
        sources = list(picture.axis_sources) if isinstance(picture, MapPicture) else []
    positions = [
        {**named(row.archive), "analysis_name": row.analysis_name, "position_uuid": row.position_uuid,
         "position_number": row.position_number, "comment": row.comment}
        for row in rows
    ]  # fmt: skip
    extra = {"saturated": int(picture.saturated.sum())} if isinstance(picture, CcdPicture) else {}
    values = (picture_name, path, kind, picture.heading.title, positions, "; ".join(sources) or None,
              list(picture.warnings))  # fmt: skip
    return dict(zip(PLOT, values, strict=True)) | extra
