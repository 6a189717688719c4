"""Pictures as figures of matplotlib: data in, `Figure` out, without pyplot and its global state.

Colours are those of Okabe and Ito, and viridis; lines differ in style, too, so that they can be told apart in print.
The same picture gives the same bytes.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any, BinaryIO, Final

import numpy as np

from sxeslake.archive.spectra.pictures import (
    CcdPicture,
    Heading,
    MapPicture,
    Picture,
    Places,
    SpectrumPicture,
    StagePicture,
)
from sxeslake.batching import runs
from sxeslake.errors import UsageError
from sxeslake.extras import load

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

FORMATS: Final = ("png", "svg", "pdf")
DPI: Final = 200
_SIZES_CM: Final = {
    SpectrumPicture: (17.0, 11.0), MapPicture: (13.0, 11.0), StagePicture: (15.0, 13.0), CcdPicture: (18.0, 7.5),
}  # fmt: skip
_LARGEST_CM: Final = 200.0
_MOST_PIXELS: Final = 20_000  # a side
_CM_PER_INCH: Final = 2.54

_COLOURS: Final = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000", "#E69F00", "#56B4E9", "#7F7F7F")
"""Okabe and Ito, grey in place of yellow, which no paper shows."""
_STYLES: Final[tuple[Any, ...]] = ("-", (0, (5, 1.5)), (0, (1.2, 1.2)), (0, (5, 1.5, 1.2, 1.5)))
_MARKERS: Final = "os^Dv<>P"
_GREY: Final = "#BFBFBF"
_RAISED: Final = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
_SMALL: Final = 7.0
_NOTE: Final = 6.5
_MOST_LEVELS: Final = 8
_NUMBERED: Final = 100
"""Of so many positions of an analysis each is numbered, of more the first and the last."""
_EAST_ASIAN: Final = ("Noto Sans CJK JP", "Noto Sans JP", "IPAexGothic", "IPAGothic", "Yu Gothic", "MS Gothic",
                      "Hiragino Sans", "WenQuanYi Zen Hei")  # fmt: skip
_PLAIN: Final[dict[str, Any]] = {
    "font.size": 9.0, "axes.titlesize": 9.0, "axes.linewidth": 0.7, "axes.formatter.use_mathtext": True,
    "axes.formatter.limits": (-4, 6), "lines.linewidth": 1.0, "savefig.bbox": None, "svg.hashsalt": "sxeslake",
    "svg.fonttype": "path", "pdf.fonttype": 42, "text.usetex": False, "axes.unicode_minus": True,
    "figure.facecolor": "white", "savefig.facecolor": "auto", "axes.facecolor": "white",
}  # fmt: skip
_METADATA: Final[dict[str, dict[str, None]]] = {
    "png": {"Software": None},
    "svg": {"Date": None, "Creator": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}


def draw(
    picture: Picture, *, size_cm: tuple[float, float] | None = None, dpi: float = DPI, title: str | None = None
) -> Figure:
    """A picture as a figure on an Agg canvas.

    Parameters
    ----------
    picture : SpectrumPicture, MapPicture, StagePicture or CcdPicture
        What to draw.
    size_cm : (float, float), optional
        Width and height in cm.
    dpi : float
        Pixels an inch of a PNG.
    title : str, optional
        In place of sample, version and analysis.

    Returns
    -------
    matplotlib.figure.Figure
        Belongs to no window and no pyplot.

    Raises
    ------
    MissingExtraError
        If matplotlib is not installed.
    UsageError
        If the size or the resolution makes no picture.
    """
    load("matplotlib.figure", "plot", "a picture")
    width, height = size_cm or _SIZES_CM[type(picture)]
    _check_size(width, height, dpi)
    with _style():
        from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 - an extra
        from matplotlib.figure import Figure  # noqa: PLC0415 - as above

        # compressed: as constrained, but a colour bar is as high as its map
        layout: Any = "compressed" if isinstance(picture, MapPicture) else "constrained"
        figure = Figure((width / _CM_PER_INCH, height / _CM_PER_INCH), dpi=dpi, layout=layout)
        FigureCanvasAgg(figure)
        _head(figure, picture.heading, title)
        axes = figure.add_subplot()
        match picture:
            case SpectrumPicture():
                _spectrum(figure, axes, picture)
            case MapPicture():
                _map(figure, axes, picture)
            case StagePicture():
                _stage(figure, axes, picture)
            case CcdPicture():
                _ccd(figure, axes, picture)
        if picture.heading.note and not figure.legends:
            note = figure.supxlabel(picture.heading.note, fontsize=_NOTE, color="0.35", x=0.99, ha="right")
            note.set_parse_math(False)
    return figure


def write(figure: Figure, file: BinaryIO, kind: str) -> None:
    """Write a figure as `png`, `svg` or `pdf`: the same bytes each time, without dates."""
    with _style():
        figure.savefig(file, format=kind, metadata=_METADATA[kind], dpi=figure.dpi)


def round_length(most: float) -> float:
    """The largest of 1, 2 and 5 × 10ⁿ that is not above `most`."""
    power = 10.0 ** np.floor(np.log10(most))
    return float(max(step * power for step in (1, 2, 5) if step * power <= most * (1 + 1e-9)))


def _check_size(width: float, height: float, dpi: float) -> None:
    if not all(1 <= side <= _LARGEST_CM for side in (width, height)):
        raise UsageError(f"{width:g} × {height:g} cm is not a picture size.", hint=f"1 to {_LARGEST_CM:g} cm a side.")
    if not dpi > 0 or max(width, height) / _CM_PER_INCH * dpi > _MOST_PIXELS:
        raise UsageError(f"{dpi:g} pixels an inch make no picture.", hint=f"Up to {_MOST_PIXELS:,} pixels a side.")


@contextmanager
def _style() -> Iterator[None]:
    matplotlib = load("matplotlib", "plot", "a picture")
    with matplotlib.rc_context({**_PLAIN, "font.family": ["DejaVu Sans", *_fonts()]}), warnings.catch_warnings():
        # a comment may hold letters that no font of this machine has; they are drawn as boxes
        warnings.filterwarnings("ignore", "Glyph .* missing from", UserWarning)
        yield


@cache
def _fonts() -> tuple[str, ...]:
    """East Asian fonts of this machine, for names and comments."""
    manager = load("matplotlib.font_manager", "plot", "a picture").fontManager
    there = {font.name for font in manager.ttflist}
    return tuple(name for name in _EAST_ASIAN if name in there)


def _head(figure: Figure, heading: Heading, title: str | None) -> None:
    lines = [title if title is not None else heading.title, heading.condition]
    figure.suptitle("\n".join(filter(None, lines)), fontsize=9.5).set_parse_math(False)


def _legend(figure: Figure, handles: Sequence[Any], labels: Sequence[str], note: str) -> None:
    """Below the axes, where it covers nothing; the note stands above its entries."""
    longest = max(map(len, labels))
    width = float(figure.get_figwidth()) * _CM_PER_INCH
    columns = int(max(1, min(len(labels), 4, width / (1.6 + 0.13 * longest))))
    legend = figure.legend(
        handles, labels, loc="outside lower left", ncols=columns, fontsize=_SMALL, frameon=False, handlelength=3.2,
        title=note or None, title_fontproperties={"size": _NOTE}, alignment="left",
    )  # fmt: skip
    legend.get_title().set(color="0.35", parse_math=False)
    for text in legend.get_texts():
        text.set_parse_math(False)


def _spectrum(figure: Figure, axes: Axes, picture: SpectrumPicture) -> None:
    handles = []
    for number, curve in enumerate(picture.curves):
        style = _STYLES[(number + number // len(_COLOURS)) % len(_STYLES)]
        handles += axes.plot(curve.x, curve.y, color=_COLOURS[number % len(_COLOURS)], linestyle=style)
    axes.set_xlabel(picture.x_label)
    highest = max(float(np.nanmax(np.abs(curve.y))) for curve in picture.curves)
    axes.set_ylabel(_in_thousands(axes.yaxis, picture.y_label, highest))
    axes.margins(x=0)
    axes.grid(color="0.92", linewidth=0.5)
    axes.set_axisbelow(True)
    if min(curve.x.size for curve in picture.curves) > 1:
        axes.set_xlim(*_extent(picture))
    _legend(figure, handles, [curve.label for curve in picture.curves], picture.heading.note)
    if picture.bands:
        _bands(figure, axes, picture)


def _extent(picture: SpectrumPicture) -> tuple[float, float]:
    return (
        min(float(curve.x.min()) for curve in picture.curves),
        max(float(curve.x.max()) for curve in picture.curves),
    )


def _bands(figure: Figure, axes: Axes, picture: SpectrumPicture) -> None:
    """Grey bands, their labels above the axes in as many levels as keep them apart."""
    low, high = axes.get_xlim()
    texts = []
    for band in picture.bands:
        axes.axvspan(max(band.low, low), min(band.high, high), color="0.45", alpha=0.22, linewidth=0)
        middle = min(max((band.low + band.high) / 2, low), high)
        text = axes.text(middle, 1.0, band.label, fontsize=_SMALL, ha="center", va="bottom",
                         transform=axes.get_xaxis_transform(), parse_math=False)  # fmt: skip
        texts.append((middle, text))
    figure.draw_without_rendering()  # now the widths of labels and axes are known
    renderer: Any = figure.canvas.get_renderer()  # type: ignore[attr-defined]
    ends = [-np.inf] * _MOST_LEVELS
    gap, box = 4.0, axes.get_window_extent(renderer)
    step = 1.25 * texts[0][1].get_window_extent(renderer).height / figure.dpi * 72
    for middle, text in sorted(texts, key=lambda pair: pair[0]):
        extent = text.get_window_extent(renderer)
        left = min(max(extent.x0, box.x0), max(box.x0, box.x1 - extent.width))
        level = next((n for n, end in enumerate(ends) if left >= end + gap), int(np.argmin(ends)))
        ends[level] = left + extent.width
        text.set_visible(False)
        at = (left + extent.width / 2 - axes.transData.transform((middle, 0))[0]) / figure.dpi * 72
        axes.annotate(
            text.get_text(), (middle, 1.0), (at, 3 + level * step), xycoords=axes.get_xaxis_transform(),
            textcoords="offset points", fontsize=_SMALL, ha="center", va="bottom", parse_math=False,
            annotation_clip=False,
        )  # fmt: skip
        text.remove()


def _map(figure: Figure, axes: Axes, picture: MapPicture) -> None:
    from matplotlib import colormaps, colors  # noqa: PLC0415 - an extra

    rows, columns = picture.values.shape
    width, height = columns * picture.step_x_um, rows * picture.step_y_um
    low, high = picture.limits
    norms: dict[str, Callable[[], Any]] = {
        "linear": lambda: colors.Normalize(low, high),
        "log": lambda: colors.LogNorm(low, high),
        "sqrt": lambda: colors.PowerNorm(0.5, low, high),
    }
    norm = norms[picture.scale]()
    image = axes.imshow(
        np.ma.masked_invalid(picture.values), origin="lower", extent=(0, width, 0, height), aspect="equal", norm=norm,
        cmap=colormaps["viridis"].with_extremes(bad=_GREY), interpolation="nearest",
    )  # fmt: skip
    axes.set_xticks([])
    axes.set_yticks([])
    _colour_bar(figure, axes, image, picture.label + {"linear": "", "log": " (log)", "sqrt": " (√)"}[picture.scale],
                beyond=_beyond(picture.values, low, high))  # fmt: skip
    length = round_length(width / 3)
    axes.annotate("", (0, -0.035), (length / width, -0.035), xycoords="axes fraction", textcoords="axes fraction",
                  arrowprops={"arrowstyle": "-", "linewidth": 2.5, "shrinkA": 0, "shrinkB": 0},
                  annotation_clip=False, gid="scale bar")  # fmt: skip
    axes.annotate(f"{length:g} µm", (0, -0.035), (0, -6), xycoords="axes fraction", textcoords="offset points",
                  va="top", ha="left", fontsize=8, annotation_clip=False)  # fmt: skip


def _beyond(values: Any, low: float, high: float) -> str:
    """Which ends of the colours some values lie beyond: matplotlib's word `extend`."""
    below, above = bool(np.nanmin(values) < low), bool(np.nanmax(values) > high)
    return "both" if below and above else "min" if below else "max" if above else "neither"


def _colour_bar(figure: Figure, axes: Axes, image: Any, label: str, beyond: str = "neither") -> None:
    bar = figure.colorbar(image, ax=axes, extend=beyond, pad=0.02, aspect=25)
    name, _, rest = label.partition(",")
    highest = float(max(abs(image.norm.vmin), abs(image.norm.vmax)))
    bar.set_label(_in_thousands(bar.ax.yaxis, name, highest) + ("," + rest if rest else ""))
    bar.outline.set_linewidth(0.5)


def _in_thousands(axis: Axis, label: str, highest: float) -> str:
    """Short numbers on an axis of large counts: its label with the power of ten, `counts (× 10⁶)`."""
    power = 3 * int(np.log10(highest) // 3) if highest >= 100_000 else 0
    if not power:
        return label
    axis.set_major_formatter(lambda value, _place: f"{value / 10**power:g}")
    return f"{label} (× 10{str(power).translate(_RAISED)})"


def _stage(figure: Figure, axes: Axes, picture: StagePicture) -> None:
    handles = []
    for number, places in enumerate(picture.places):
        many = len(places.numbers) > _NUMBERED
        handles += axes.plot(
            places.x_mm, places.y_mm, linestyle="none", marker=_MARKERS[number % len(_MARKERS)],
            color=_COLOURS[number % len(_COLOURS)], markersize=2.0 if many else 4.5,
            fillstyle="full" if number < len(_MARKERS) else "none",
        )  # fmt: skip
    axes.set_aspect("equal", adjustable="datalim")
    axes.margins(0.12)
    axes.set_xlabel("stage x (mm)")
    axes.set_ylabel("stage y (mm)")
    axes.ticklabel_format(useOffset=False)
    axes.grid(color="0.9", linewidth=0.5)
    axes.set_axisbelow(True)
    _legend(figure, handles, [places.label for places in picture.places], picture.heading.note)
    figure.draw_without_rendering()  # now millimetres have a length in pixels
    taken: list[tuple[float, float]] = []
    for number, places in enumerate(picture.places):
        for text, x, y in _labels(axes, places, figure.dpi * 9 / 72):
            at = axes.transData.transform((x, y))
            level = sum(abs(at[0] - other[0]) + abs(at[1] - other[1]) < figure.dpi * 12 / 72 for other in taken)
            taken.append((float(at[0]), float(at[1])))
            # right of its place, or left of it where the axes end
            side = 1 if at[0] + figure.dpi / 72 * (6 + 5 * len(text)) < axes.bbox.x1 else -1
            axes.annotate(text, (x, y), (4 * side, 3 + 8 * level), textcoords="offset points", fontsize=6.5,
                          ha="left" if side > 0 else "right", color=_COLOURS[number % len(_COLOURS)])  # fmt: skip


def _labels(axes: Axes, places: Places, near: float) -> Iterator[tuple[str, float, float]]:
    """Numbers of positions, those that lie within `near` pixels joined: `1–4, 6`."""
    if len(places.numbers) > _NUMBERED:
        for end in (0, -1):
            yield str(places.numbers[end]), float(places.x_mm[end]), float(places.y_mm[end])
        return
    at = axes.transData.transform(np.column_stack([places.x_mm, places.y_mm]))
    groups: list[tuple[Any, list[int]]] = []
    for place, number in enumerate(places.numbers):
        group = next((g for g in groups if np.hypot(*(at[g[0]] - at[place])) < near), None)
        if group is None:
            groups.append((place, [number]))
        else:
            group[1].append(number)
    for place, numbers in groups:
        yield joined(numbers), float(places.x_mm[place]), float(places.y_mm[place])


def joined(numbers: Sequence[int]) -> str:
    """[1, 2, 3, 5] → `1–3, 5`."""
    return ", ".join(str(low) if low == high else f"{low}–{high}" for low, high in runs(numbers))


def _ccd(figure: Figure, axes: Axes, picture: CcdPicture) -> None:
    rows, columns = picture.values.shape
    image = axes.imshow(
        picture.values, aspect="auto", origin="upper", cmap="viridis", extent=(-0.5, columns - 0.5, rows - 0.5, -0.5)
    )
    axes.set_xlabel("column of the camera")
    axes.set_ylabel("row")
    axes.set_yticks(range(0, rows, 5))
    _colour_bar(figure, axes, image, "counts")
    at_rows, at_columns = np.nonzero(picture.saturated)
    if at_rows.size:
        label = f"saturated: {at_rows.size:,} pixel{'s' if at_rows.size != 1 else ''}"
        handles = axes.plot(at_columns, at_rows, linestyle="none", marker="s", markersize=4, markerfacecolor="none",
                            markeredgecolor="#FF3030", markeredgewidth=0.8)  # fmt: skip
        axes.set_xlim(-0.5, columns - 0.5)
        axes.set_ylim(rows - 0.5, -0.5)
        _legend(figure, handles, [label], picture.heading.note)
