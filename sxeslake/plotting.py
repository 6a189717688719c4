"""Pictures of measurements: `lake.plot`, and what the command `plot` composes.

lake.plot.spectrum("ti-map@2", positions="1,4..9", lines="N,O").savefig("spectra.pdf")
lake.plot.map("ti-map@2", 390, 400, analysis="grain 3")
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from sxeslake.errors import DamagedArchiveError, InputError, MemberNotFoundError, NotFoundError, UsageError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from sxeslake.archive.spectra.comparison import Comparison, Normalisation
    from sxeslake.archive.spectra.measured import Measured
    from sxeslake.archive.spectra.pictures import (
        Band,
        CcdPicture,
        Curve,
        MapPicture,
        Picture,
        SpectrumPicture,
        StagePicture,
    )
    from sxeslake.archive.spectra.roi import Roi
    from sxeslake.archive.sxes.group import Group
    from sxeslake.archive.sxes.position import Position

Words = str | int | Sequence[str | int]


class Archives(Protocol):
    """Where archives are read from: a lake, or a file."""

    def open_group(self, ref: str) -> Group:
        """The archive of that name."""

    def measured(self, ref: str | None = None, *, analysis: str | int | None = None) -> Iterator[Measured]:
        """Its positions, by analysis and number."""

    def roi(
        self,
        low: float,
        high: float,
        ref: str | None = None,
        *,
        unit: str = "eV",
        background: tuple[float, float] | None = None,
        data_type: str = "qlw",
        analysis: str | int | None = None,
    ) -> Roi:
        """A region of interest of its positions."""


class Lakelike(Archives, Protocol):
    """Where spectra are compared, too: a lake."""

    def compare(
        self,
        target: str,
        *others: str,
        standards: bool = False,
        data_type: str = "qlw",
        normalise: Normalisation = "max",
    ) -> Comparison:
        """Spectra by their likeness to one."""


class FileArchives:
    """Archives that are files or folders of this machine, by their paths."""

    def __init__(self) -> None:
        self._open: dict[str, Group] = {}

    def open_group(self, ref: str) -> Group:
        """The archive at a path; it stays open until `close`."""
        from sxeslake.archive.sxes.group import open_group  # noqa: PLC0415 - start-up time, as below

        if ref not in self._open:
            self._open[ref] = open_group(Path(ref))
        return self._open[ref]

    def measured(self, ref: str | None = None, *, analysis: str | int | None = None) -> Iterator[Measured]:
        """Its positions, by analysis and number."""
        from sxeslake.archive.spectra.choice import chosen  # noqa: PLC0415
        from sxeslake.archive.spectra.measured import of_group  # noqa: PLC0415

        return chosen(of_group(self.open_group(ref or "")), analysis)

    def roi(
        self,
        low: float,
        high: float,
        ref: str | None = None,
        *,
        unit: str = "eV",
        background: tuple[float, float] | None = None,
        data_type: str = "qlw",
        analysis: str | int | None = None,
    ) -> Roi:
        """A region of interest of one analysis, or of all where none is named."""
        from sxeslake.archive.spectra.choice import analyses_called  # noqa: PLC0415

        group = self.open_group(ref or "")
        found = analyses_called(group, analysis)
        if len(found) != 1:
            raise InputError(f"{group.name} has {len(found):,} analyses; a map is one.", hint="Choose one analysis.")
        return found[0][1].roi(low, high, unit, background=background, data_type=data_type)

    def close(self) -> None:
        """Close all files."""
        while self._open:
            self._open.popitem()[1].close()


class Plots:
    """Pictures of one lake's measurements: `lake.plot`.

    Each method gives a `matplotlib.figure.Figure` on an Agg canvas, which no window and no pyplot knows.

    Examples
    --------
    >>> figure = lake.plot.spectrum("map", "1..3")
    >>> figure.savefig("spectra.svg")
    """

    def __init__(self, archives: Lakelike) -> None:
        self._archives = archives

    def spectrum(
        self,
        ref: str,
        positions: Words,
        *,
        analysis: str | int | None = None,
        data_type: str = "qlw",
        axis: str = "energy",
        background: bool = False,
        normalise: str | None = None,
        lines: str | Sequence[str] = (),
        orders: Iterable[int] = (1,),
        others: Sequence[tuple[str, Words]] = (),
        within: tuple[float, float] | None = None,
        **look: Any,
    ) -> Figure:
        """Spectra of some positions over one axis.

        Parameters
        ----------
        ref : str
            The version, such as ``"ti-map@2"``.
        positions : str, int or sequence
            Numbers from 1 through all analyses, in their order, such as ``"1,4..9"``, or UUIDs; with `analysis`
            numbers within it.
        analysis : str or int, optional
            An analysis: its name, UUID, or number in its archive from 1.
        data_type : {"qlw", "spectrum"}
            The vendor's spectrum, or the camera image summed over its rows.
        axis : {"energy", "wavelength", "channel"}
            In eV, in Å, or the number of the channel.
        background : bool
            For ``"spectrum"``: subtract `accumulation` × the stored dark frame.
        normalise : {"current", "max"}, optional
            Divide by the probe current (counts / nA), or by the highest count.
        lines : str or sequence of str
            Elements or families whose X-ray lines are marked, such as ``"N,O"`` or ``["Fe L"]``.
        orders : iterable of int
            Orders of diffraction of these lines.
        others : sequence of (str, str or int)
            Positions of other versions to draw as well: ``[("standards", 1)]``.
        within : (float, float), optional
            Only this range of the axis, in its unit.
        **look
            ``size_cm`` (width, height), ``dpi``, ``title``.

        Returns
        -------
        matplotlib.figure.Figure
            One curve a position; counts have no error bars, for √N is not their uncertainty.

        Raises
        ------
        MissingExtraError
            If matplotlib is not installed.
        NotFoundError
            If there is no such version, analysis or position, or it has no such data.
        UsageError
            If no axis is known, or the range holds no channel.

        Warns
        -----
        UserWarning
            If spectra with and without subtracted background are mixed.

        Examples
        --------
        >>> lake.plot.spectrum("ti-map@2", "1,4..9", lines="N").savefig("spectra.png")  # doctest: +SKIP
        """
        picture = compose_spectrum(
            self._archives, ref, positions, analysis=analysis, data_type=data_type, axis=axis, background=background,
            normalise=normalise, lines=lines, orders=orders, others=[(self._archives, *other) for other in others],
            within=within,
        )  # fmt: skip
        return _drawn(picture, look)

    def map(
        self,
        ref: str,
        low: float,
        high: float,
        *,
        unit: str = "eV",
        analysis: str | int | None = None,
        background: tuple[float, float] | None = None,
        data_type: str = "qlw",
        scale: str = "linear",
        vmin: float | None = None,
        vmax: float | None = None,
        **look: Any,
    ) -> Figure:
        """A region of interest as a map, with a scale bar in µm and a colour bar in counts.

        Parameters
        ----------
        ref : str
            The version, such as ``"ti-map@2"``.
        low, high : float
            Both ends of the region, in `unit`.
        unit : {"eV", "Å", "channel"}
            Unit of `low`, `high` and `background`.
        analysis : str or int, optional
            The map: its name, UUID, or number from 1; needed where the archive has several analyses.
        background : tuple of float, optional
            A window beside the region; its mean counts a channel times the region's channels are subtracted.
        data_type : {"qlw", "spectrum"}
            What is integrated.
        scale : {"linear", "log", "sqrt"}
            How counts become colours.
        vmin, vmax : float, optional
            Counts at the ends of the colours; by default the lowest and the highest.
        **look
            ``size_cm`` (width, height), ``dpi``, ``title``.

        Returns
        -------
        matplotlib.figure.Figure
            Grey where nothing was measured.

        Raises
        ------
        InputError
            If the positions are not one map.
        MissingExtraError, NotFoundError, UsageError
            As for `spectrum`.

        Examples
        --------
        >>> lake.plot.map("ti-map@2", 390, 400, analysis="grain 3")  # doctest: +SKIP
        """
        picture = compose_map(
            self._archives, ref, (low, high), unit=unit, analysis=analysis, background=background,
            data_type=data_type, scale=scale, vmin=vmin, vmax=vmax,
        )  # fmt: skip
        return _drawn(picture, look)

    def stage(self, ref: str, *, analysis: str | int | None = None, **look: Any) -> Figure:
        """Where the positions of a version lie on the stage, in mm, numbered as `positions` counts them.

        Parameters
        ----------
        ref : str
            The version, such as ``"ti-map@2"``.
        analysis : str or int, optional
            Only this analysis.
        **look
            ``size_cm`` (width, height), ``dpi``, ``title``.

        Returns
        -------
        matplotlib.figure.Figure
            One kind of sign an analysis; the legend tells its kind: point, repeat, line, map or points.

        Raises
        ------
        InputError
            If no position has stage coordinates.
        MissingExtraError, NotFoundError
            As for `spectrum`.

        Examples
        --------
        >>> lake.plot.stage("ti-map@2")  # doctest: +SKIP
        """
        return _drawn(compose_stage(self._archives, ref, analysis=analysis), look)

    def ccd(self, ref: str, position: str | int, *, analysis: str | int | None = None, **look: Any) -> Figure:
        """The camera image of a position, 16 × 2048 counts, with its saturated pixels marked.

        Parameters
        ----------
        ref : str
            The version, such as ``"ti-map@2"``.
        position : int or str
            Its number as for `spectrum`, or its UUID.
        analysis : str or int, optional
            The analysis that the number is of.
        **look
            ``size_cm`` (width, height), ``dpi``, ``title``.

        Returns
        -------
        matplotlib.figure.Figure
            Counts as they are stored, dark frame included.

        Raises
        ------
        MissingExtraError, NotFoundError, UsageError
            As for `spectrum`.

        Examples
        --------
        >>> lake.plot.ccd("ti-map@2", 3)  # doctest: +SKIP
        """
        return _drawn(compose_ccd(self._archives, ref, position, analysis=analysis), look)

    def compare(
        self,
        target: str,
        *others: str,
        standards: bool = False,
        data_type: str = "qlw",
        normalise: Normalisation = "max",
        axis: str = "energy",
        lines: str | Sequence[str] = (),
        orders: Iterable[int] = (1,),
        within: tuple[float, float] | None = None,
        **look: Any,
    ) -> Figure:
        """A spectrum and others over one axis, the most alike first.

        Parameters
        ----------
        target, *others, standards, data_type, normalise
            As for `Lake.compare`.
        axis, lines, orders, within
            As for `spectrum`.
        **look
            ``size_cm`` (width, height), ``dpi``, ``title``.

        Returns
        -------
        matplotlib.figure.Figure
            One curve a position; the legend tells the material and the similarity of each.

        Raises
        ------
        InputError
            As for `Lake.compare`.
        MissingExtraError, NotFoundError, UsageError
            As for `spectrum`.

        Warns
        -----
        UserWarning
            If there are more spectra than one picture holds: the most alike are drawn.

        Examples
        --------
        >>> lake.plot.compare("ti-map@2:5", standards=True, lines="N").savefig("overlay.png")  # doctest: +SKIP
        """
        found = self._archives.compare(target, *others, standards=standards, data_type=data_type, normalise=normalise)
        picture = compose_comparison(self._archives, found, axis=axis, lines=lines, orders=orders, within=within)
        return _drawn(picture, look)


def compose_spectrum(
    archives: Archives,
    ref: str,
    positions: Words,
    *,
    analysis: str | int | None = None,
    data_type: str = "qlw",
    axis: str = "energy",
    background: bool = False,
    normalise: str | None = None,
    lines: str | Sequence[str] = (),
    orders: Iterable[int] = (1,),
    others: Sequence[tuple[Archives, str, Words]] = (),
    within: tuple[float, float] | None = None,
) -> SpectrumPicture:
    """The picture of `Plots.spectrum`; `others` may come from other archives."""
    from sxeslake.archive.spectra import pictures  # noqa: PLC0415 - numpy

    pictures.check_choices(axis=axis, normalise=normalise)
    if background and data_type != "spectrum":
        raise UsageError(
            f"{data_type} is stored as it is; the dark frame is subtracted from the camera image.",
            where="--background",
            hint="Give --type spectrum, too.",
        )
    if lines and axis == "channel":
        raise UsageError("X-ray lines need an axis of energy or wavelength.", where="--lines")
    group = archives.open_group(ref)
    chosen = _numbered(group, positions, analysis)
    picked = [*chosen]
    for other, name, words in others:
        picked += _numbered(other.open_group(name), words, None)
    if len(picked) > pictures.MOST_CURVES:
        raise UsageError(
            f"{len(picked):,} spectra are too many for one picture.", hint=f"Choose {pictures.MOST_CURVES} or fewer."
        )
    curves: list[Curve] = []
    states: list[bool | None] = []
    left_out: list[str] = []
    for number, position in picked:
        try:
            curve = pictures.curve_of(
                position, number, data_type=data_type, axis=axis, background=background, normalise=normalise,
                with_archive=bool(others),
            )  # fmt: skip
        except (DamagedArchiveError, MemberNotFoundError) as error:
            if len(left_out) + 1 == len(picked):  # none is left to draw
                raise
            left_out.append(f"{position.group.name}:{number} is left out: {error.what}")
            continue
        curves.append(curve)
        if data_type == "qlw":
            states.append(_is_subtracted(position))
    picture = pictures.spectrum_picture(
        curves, states, title=_title(group, [position for _, position in chosen]), data_type=data_type,
        background=background, normalise=normalise, within=within,
    )  # fmt: skip
    picture = replace(picture, warnings=[*left_out, *picture.warnings]) if left_out else picture
    return replace(picture, bands=_bands(picture.curves, _elements(lines), orders)) if lines else picture


def _is_subtracted(position: Position) -> bool | None:
    """Whether its `qlw` has the background subtracted; None where its `xes`, which tells it, is damaged."""
    try:
        return position.qlw_background_subtracted
    except DamagedArchiveError:
        return None


def compose_comparison(
    archives: Archives,
    found: Comparison,
    *,
    axis: str = "energy",
    lines: str | Sequence[str] = (),
    orders: Iterable[int] = (1,),
    within: tuple[float, float] | None = None,
) -> SpectrumPicture:
    """The picture of `Plots.compare`: what was compared, as `compose_spectrum` draws it."""
    from sxeslake.archive.spectra import pictures  # noqa: PLC0415 - as above

    drawn = found.others[: pictures.MOST_CURVES - 1]
    picture = compose_spectrum(
        archives, found.target.archive, found.target.position_uuid, data_type=found.spectra.data_type, axis=axis,
        normalise=None if found.normalise == "none" else found.normalise, lines=lines, orders=orders, within=within,
        others=[(archives, other.row.archive, other.row.position_uuid) for other in drawn],
    )  # fmt: skip
    target, *curves = picture.curves
    labelled = [
        replace(curve, label=", ".join(filter(None, (curve.label, other.material, f"r = {other.similarity:.4f}"))))
        for curve, other in zip(curves, drawn, strict=True)
    ]
    beyond = len(found) - len(drawn)
    left_out = [f"not drawn: {beyond:,} of {len(found):,} spectra, the least alike."] if beyond else []
    return replace(picture, curves=[target, *labelled], warnings=[*picture.warnings, *left_out])


def compose_map(
    archives: Archives,
    ref: str,
    region: tuple[float, float],
    *,
    unit: str = "eV",
    analysis: str | int | None = None,
    background: tuple[float, float] | None = None,
    data_type: str = "qlw",
    scale: Any = "linear",
    vmin: float | None = None,
    vmax: float | None = None,
) -> MapPicture:
    """The picture of `Plots.map`."""
    from sxeslake.archive.spectra import pictures  # noqa: PLC0415 - as above

    pictures.check_choices(scale=scale)
    roi = archives.roi(*region, ref, unit=unit, background=background, data_type=data_type, analysis=analysis)
    first = roi.rows[0]
    names = {(row.analysis_uuid, row.analysis_name) for row in roi.rows}
    name = first.analysis_name or ("" if analysis is None else f"analysis {analysis}")
    title = pictures.title_of(first.archive, [(1, name)] if len(names) == 1 and name else [])
    return pictures.map_picture(roi, title=title, scale=scale, vmin=vmin, vmax=vmax)


def compose_stage(archives: Archives, ref: str, *, analysis: str | int | None = None) -> StagePicture:
    """The picture of `Plots.stage`."""
    from sxeslake.archive.spectra import pictures  # noqa: PLC0415 - as above

    rows: dict[str, Measured] = {}
    for row in archives.measured(ref, analysis=analysis):
        if row.analysis_uuid is not None:
            rows.setdefault(row.position_uuid, row)  # one that two analyses list counts once, as for `pull`
    if not rows:
        raise NotFoundError("no analysis lists a position.", where=ref)
    names = {row.analysis_uuid: row.analysis_name or "" for row in rows.values()}
    only = [name for name in names.values() if name] if len(names) == 1 else []
    title = pictures.title_of(next(iter(rows.values())).archive, [(1, name) for name in only])
    return pictures.stage_picture(list(enumerate(rows.values(), 1)), title=title)


def compose_ccd(archives: Archives, ref: str, position: str | int, *, analysis: str | int | None = None) -> CcdPicture:
    """The picture of `Plots.ccd`."""
    from sxeslake.archive.spectra import pictures  # noqa: PLC0415 - as above

    group = archives.open_group(ref)
    found = _numbered(group, position, analysis)
    if len(found) != 1:
        raise UsageError(f"a camera image is of one position, not of {len(found):,}.", where="--position")
    ((number, one),) = found
    return pictures.ccd_picture(one, number, title=_title(group, [one]))


def _drawn(picture: Picture, look: dict[str, Any]) -> Figure:
    import warnings  # noqa: PLC0415 - rarely needed

    from sxeslake.archive.spectra import plots  # noqa: PLC0415 - as above

    for warning in picture.warnings:
        warnings.warn(warning, stacklevel=3)
    return plots.draw(picture, **look)


def _numbered(group: Group, positions: Words, analysis: str | int | None) -> list[tuple[int, Position]]:
    """Positions with their numbers: through all lists, each once, or within one analysis."""
    from sxeslake.archive.spectra.choice import analyses_called  # noqa: PLC0415 - as above
    from sxeslake.archive.spectra.pictures import picked  # noqa: PLC0415 - as above

    words = [str(positions)] if isinstance(positions, str | int) else [str(word) for word in positions]
    if analysis is None:
        return picked(group.positions, words, group.name)
    found = analyses_called(group, analysis)
    return picked(found[0][1].positions, words, group.name)


def _title(group: Group, positions: Sequence[Position]) -> str:
    from sxeslake.archive.spectra.pictures import title_of  # noqa: PLC0415 - as above

    place = {each.uuid: number for number, each in enumerate(group.analyses, 1)}
    found = [position.analysis for position in positions]
    analyses = {each.uuid: (place.get(each.uuid, 1), each.name) for each in found if each is not None}
    return title_of(group.name, analyses.values())


def _elements(lines: str | Sequence[str]) -> list[str]:
    words = [lines] if isinstance(lines, str) else lines
    return [part.strip() for word in words for part in word.split(",") if part.strip()]


def _bands(curves: Sequence[Curve], elements: Sequence[str], orders: Iterable[int]) -> list[Band]:
    """X-ray lines as bands on the axis of the curves, as wide as table and axis are uncertain."""
    from sxeslake import lines  # noqa: PLC0415 - as above
    from sxeslake.archive.spectra.pictures import Band  # noqa: PLC0415 - as above
    from sxeslake.archive.sxes.documents.units import HC_EV_ANGSTROM  # noqa: PLC0415 - as above

    low = min(float(curve.x.min()) for curve in curves)
    high = max(float(curve.x.max()) for curve in curves)
    kind = curves[0].axis.kind
    turned: Callable[[float], float] = (lambda ev: ev) if kind == "energy" else (lambda ev: HC_EV_ANGSTROM / ev)
    uncertainty = max(curve.axis.uncertainty_angstrom or 0.0 for curve in curves)
    found = []
    for mark in lines.marks(*elements, orders=orders):
        ends = sorted(turned(max(end, 1e-3)) for end in mark.band_ev(uncertainty))
        if ends[1] >= low and ends[0] <= high:
            order = f" ({mark.order})" if mark.order > 1 else ""
            found.append(Band(ends[0], ends[1], f"{mark.element} {mark.name}{order}"))
    return found
