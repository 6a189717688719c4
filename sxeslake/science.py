"""The verbs of a lake that give spectra as arrays: what `Lake` inherits.

lake.spectra("qlw", kv=5, grating="JS300N").values
lake.roi(390, 400, "ti-map@2", analysis="grain 3").map().values
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Unpack

from sxeslake.errors import InputError, NotFoundError
from sxeslake.vault import refs
from sxeslake.version import TOOL

if TYPE_CHECKING:
    import xarray as xr

    from sxeslake.archive.spectra.comparison import Comparison, Normalisation
    from sxeslake.archive.spectra.measured import Measured
    from sxeslake.archive.spectra.roi import Roi
    from sxeslake.archive.spectra.spectra import Spectra
    from sxeslake.archive.sxes.axes import Calibration
    from sxeslake.archive.sxes.group import Group
    from sxeslake.archive.sxes.source import MemberSource
    from sxeslake.catalog.catalog import Catalog
    from sxeslake.filter_words import FilterWords
    from sxeslake.maintenance.calibrations import CalibrationReport
    from sxeslake.plotting import Plots
    from sxeslake.reading.source import VersionSource
    from sxeslake.vault.vault import Vault

_SHORTEST_UUID = 8  # digits and letters by which a position may be named
_AHEAD = 2  # batches on their way while one is used
_KEEP_OPEN = 16  # versions whose tables are at hand


class ScienceVerbs:
    """Spectra and regions of interest across archives, and the calibrations that give them axes."""

    _vault: Vault

    @property
    def plot(self) -> Plots:
        """Pictures of measurements: `lake.plot.spectrum(…)`, `.map(…)`, `.stage(…)`, `.ccd(…)`, `.compare(…)`.

        Examples
        --------
        >>> figure = lake.plot.stage("map")
        >>> figure.savefig("stage.png")
        """
        from sxeslake.plotting import Plots  # noqa: PLC0415 - start-up time, as below

        return Plots(self)

    def spectra(
        self,
        data_type: str = "qlw",
        ref: str | None = None,
        *,
        analysis: str | int | None = None,
        positions: str | int | None = None,
        where: str | None = None,
        background: bool = False,
        **filters: Unpack[FilterWords],
    ) -> Spectra:
        """The spectra of many positions as one array, read in batches.

        Parameters
        ----------
        data_type : str
            ``"qlw"`` (float64), ``"spectrum"`` (column sum of `xes`, int64), or another type of float64.
        ref : str, optional
            One version, such as ``"ti-map@2"``; all versions otherwise.
        analysis : str or int, optional
            Only this analysis: its name, UUID, or number in its archive from 1.
        positions : str or int, optional
            Only these numbers within the analysis, such as ``"1,4..9"``.
        where : str, optional
            A condition in SQL over the catalogue's table ``positions``.
        background : bool
            For ``"spectrum"``: subtract `accumulation` × the stored dark frame.
        **filters
            The shared filters, such as ``kv=5`` (kV), ``current_na="90..110"`` (nA), ``grating="JS300N"``.

        Returns
        -------
        Spectra
            `values` has the shape (positions, channels), `rows` tells what each row is, `warnings` what was left out.

        Raises
        ------
        NotFoundError
            If no position fits, or none can be read.
        UsageError
            If a filter cannot be read.

        Examples
        --------
        >>> found = lake.spectra("qlw", kv=5)
        >>> found.values.shape
        (12, 4095)
        """
        from sxeslake.archive.spectra.spectra import read_spectra  # noqa: PLC0415 - start-up time, as below

        rows = self.measured(ref, analysis=analysis, positions=positions, where=where, **filters)
        return read_spectra(
            rows, self._member_source, data_type, self._calibrations(), background=background, ahead=_AHEAD
        )

    def roi(
        self,
        low: float,
        high: float,
        ref: str | None = None,
        *,
        unit: str = "eV",
        background: tuple[float, float] | None = None,
        data_type: str = "qlw",
        subtract_background: bool = False,
        analysis: str | int | None = None,
        positions: str | int | None = None,
        where: str | None = None,
        **filters: Unpack[FilterWords],
    ) -> Roi:
        """Integrate a region of interest of every position that fits, in bounded memory.

        Parameters
        ----------
        low, high : float
            Both ends of the region, in `unit`.
        ref : str, optional
            One version, such as ``"ti-map@2"``; all versions otherwise.
        unit : {"eV", "Å", "channel"}
            Unit of `low`, `high` and `background`.
        background : tuple of float, optional
            A window beside the region; its mean counts a channel times the region's channels are subtracted.
        data_type : str
            ``"qlw"`` or ``"spectrum"``.
        subtract_background : bool
            For ``"spectrum"``: subtract `accumulation` × the stored dark frame first.
        analysis, positions, where, **filters
            As for `spectra`.

        Returns
        -------
        Roi
            `values` is float64 (positions,); ``.map()`` makes an image where the positions lie on a lattice.

        Raises
        ------
        NotFoundError
            If no position fits, or none can be read.
        UsageError
            If no axis is known, or the region holds no channel.

        Examples
        --------
        >>> lake.roi(390, 400, "map", unit="channel").values.shape
        (12,)
        """
        from sxeslake.archive.spectra.roi import integrate  # noqa: PLC0415 - as above

        rows = self.measured(ref, analysis=analysis, positions=positions, where=where, **filters)
        return integrate(
            rows, self._member_source, low, high, unit, background=background, data_type=data_type,
            subtract_background=subtract_background, calibrations=self._calibrations(), ahead=_AHEAD,
        )  # fmt: skip

    def to_xarray(
        self,
        ref: str | None = None,
        *,
        types: Sequence[str] | None = None,
        lattice: bool = True,
        analysis: str | int | None = None,
        positions: str | int | None = None,
        where: str | None = None,
        **filters: Unpack[FilterWords],
    ) -> xr.Dataset:
        """The spectra of all positions that fit, as a labelled Dataset that is read only when it is used.

        Parameters
        ----------
        types : sequence of str, optional
            Data variables; by default ``"qlw"`` and ``"spectrum"``, as far as there are any.
        lattice : bool
            Arrange the positions as (y, x) where they are one map.
        ref, analysis, positions, where, **filters
            As for `spectra`.

        Returns
        -------
        xarray.Dataset
            As `Analysis.to_xarray` makes it; the coordinate `archive` tells where a position comes from.

        Raises
        ------
        MissingExtraError
            If xarray is not installed.
        NotFoundError
            If no position fits.

        Examples
        --------
        >>> lake.to_xarray(kv=5, grating="JS300N").qlw.dims
        ('y', 'x', 'channel')
        """
        from sxeslake.archive.spectra.dataset import dataset_of  # noqa: PLC0415 - as above

        rows = self.measured(ref, analysis=analysis, positions=positions, where=where, **filters)
        title = ref or self._vault.store.url
        found: xr.Dataset = dataset_of(
            rows, self._member_source, self._calibrations(), title=title, types=types, lattice=lattice
        )
        return found

    def hyperspy(
        self,
        ref: str,
        *,
        analysis: str | int | None = None,
        data_type: str = "qlw",
        lazy: bool = False,
    ) -> Any:
        """The spectra of a version as HyperSpy signals.

        Parameters
        ----------
        ref : str
            The version, such as ``"ti-map@2"``.
        analysis : str or int, optional
            Only this analysis: its name, UUID, or number from 1.
        data_type : str
            ``"qlw"`` or ``"spectrum"``.
        lazy : bool
            Read spectra when they are used.

        Returns
        -------
        hyperspy.signals.Signal1D or list of them
            One signal an analysis; the signal alone where there is one.

        Raises
        ------
        MissingExtraError
            If HyperSpy is not installed.
        NotFoundError
            If there is no such version, analysis or data.

        Examples
        --------
        >>> lake.hyperspy("ti-map@2", analysis=1, lazy=True)  # doctest: +SKIP
        <LazySignal1D, title: ti-map@2, dimensions: (50, 50|4095)>
        """
        from sxeslake.archive.spectra.signals import signals_of  # noqa: PLC0415 - as above
        from sxeslake.extras import load  # noqa: PLC0415

        api = load("hyperspy.api", "hyperspy", "a signal")
        made = [
            api.signals.Signal1D(**each).as_lazy() if lazy else api.signals.Signal1D(**each)
            for each in signals_of(self.open_group(ref), analysis=analysis, data_type=data_type, lazy=lazy)
        ]
        return made[0] if len(made) == 1 else made

    def compare(
        self,
        target: str,
        *others: str,
        standards: bool = False,
        data_type: str = "qlw",
        normalise: Normalisation = "max",
    ) -> Comparison:
        """Lay spectra over one another, the most alike first; find standards taken under the same conditions.

        Parameters
        ----------
        target : str
            A position, ``"ti-grains@2:5"``: version and number of the position through all its analyses, or UUID.
        *others : str
            Positions to compare it with.
        standards : bool
            Compare it also with every position annotated ``role=standard`` (itself, its analysis, version or sample)
            that has the same grating, spectrometer and, within 0.05 kV, accelerating voltage.
        data_type : str
            ``"qlw"`` or ``"spectrum"``.
        normalise : {"max", "current", "none"}
            Divide the spectra by their maximum, by their probe current (counts / nA), or not at all.

        Returns
        -------
        Comparison
            `others` by similarity (Pearson's correlation), the highest first; `values` has the normalised spectra,
            float64 (1 + others, channels); ``.table()`` has a dictionary for each.

        Raises
        ------
        NotFoundError
            If there is no such position, or nothing to compare it with.
        InputError
            If the spectra have different axes or numbers of channels.

        Examples
        --------
        >>> found = lake.compare("map:5", "map:3", normalise="current")
        >>> [(other.row.name, other.material) for other in found.others]
        [('map@1:3', None)]
        """
        from sxeslake.archive.spectra.comparison import compare  # noqa: PLC0415 - as above
        from sxeslake.archive.spectra.spectra import read_spectra  # noqa: PLC0415
        from sxeslake.catalog.query.standards import standards_like  # noqa: PLC0415

        rows: dict[Measured, str | None] = {self._position(place): None for place in (target, *others)}
        first = next(iter(rows))
        if standards:
            for row, material in standards_like(self._asked(), first):
                rows.setdefault(row, material)
        if len(rows) == 1:
            raise NotFoundError(
                f"nothing to compare {first.name} with: no standard has its conditions."
                if standards
                else f"nothing to compare {first.name} with.",
                hint="Annotate standards: `sxeslake annotate SAMPLE role=standard material=Si3N4`.",
            )
        spectra = read_spectra(rows, self._member_source, data_type, self._calibrations())
        if spectra.rows[0] != first:
            raise InputError(f"the spectrum of {first.name} cannot be used.", hint=spectra.warnings[0])
        return compare(spectra, [rows[row] for row in spectra.rows], normalise)

    def _position(self, text: str) -> Measured:
        """The position that `ti-grains@2:5` names."""
        from sxeslake.archive.spectra.choice import place_of  # noqa: PLC0415 - as above

        ref, word = place_of(text)
        number = int(word) if word.isdecimal() and len(word) < _SHORTEST_UUID else None
        for row in self.measured(ref):
            if row.number == number if number is not None else row.position_uuid.startswith(word.lower()):
                return row
        raise NotFoundError(f"{ref} has no position {word}.", hint=f"`sxeslake show {ref}` shows how many there are.")

    def measured(
        self,
        ref: str | None = None,
        *,
        analysis: str | int | None = None,
        positions: str | int | None = None,
        where: str | None = None,
        **filters: Unpack[FilterWords],
    ) -> Iterator[Measured]:
        """The positions that fit, with conditions and places, without their spectra.

        Parameters
        ----------
        ref, analysis, positions, where, **filters
            As for `spectra`.

        Yields
        ------
        Measured
            One position; by sample, version, analysis and number.

        Raises
        ------
        NotFoundError
            If there is no such version or analysis.

        Examples
        --------
        >>> [row.number for row in lake.measured("map", positions="1..3")]
        [1, 2, 3]
        """
        from sxeslake.archive.spectra.choice import chosen  # noqa: PLC0415 - as above
        from sxeslake.catalog.query.measured import measured_positions  # noqa: PLC0415

        version = None if ref is None else refs.find(self._vault.state, ref)
        place = None if version is None else (version.sample, version.version)
        rows = measured_positions(self._asked(), filters, where=where, place=place)
        return chosen(rows, analysis, positions)

    def calibrations(self) -> list[Calibration]:
        """The calibrations that are registered in this lake, each with its id; the built-in fit is none of them.

        Returns
        -------
        list of Calibration
            In the order in which they were added, the newest last.

        Examples
        --------
        >>> own = sxeslake.Calibration("qlw", "JS300N", "angstrom", "N K", coefficients=(14.9, 0.0325))
        >>> lake.add_calibration(own) == lake.calibrations()[-1].id
        True
        """
        self._vault.sync()
        return list(self._calibrations())

    def add_calibration(self, calibration: Calibration, *, message: str | None = None) -> str:
        """Register a calibration; the spectra that it fits have its axis from then on, in every copy of the lake.

        Parameters
        ----------
        calibration : Calibration
            Its values in `calibration.unit`, Å or eV; its `id` is not used.
        message : str, optional
            Why, for the log.

        Returns
        -------
        str
            Its id, made from its content. Nothing is committed where it is there already.

        Raises
        ------
        UsageError
            If its axis is not positive, or turns round within the channels of its type of data.
        DamagedLakeError
            If the lake is damaged, and so cannot be written.

        Examples
        --------
        >>> own = sxeslake.Calibration("qlw", "JS300N", "angstrom", "N K", coefficients=(14.9, 0.0325))
        >>> lake.add_calibration(own)
        'js300n-...'
        """
        done = self.change_calibrations([calibration], message=message)
        return (*done.added, *done.present)[0]

    def remove_calibration(self, id: str, *, message: str | None = None) -> None:  # noqa: A002 - as the attribute
        """Take a calibration back; the log still has it.

        Parameters
        ----------
        id : str
            Its id, such as ``"js300n-1f3a9c"``.
        message : str, optional
            Why, for the log.

        Raises
        ------
        NotFoundError
            If there is no calibration of that id.

        Examples
        --------
        >>> own = sxeslake.Calibration("qlw", "JS300N", "angstrom", "N K", coefficients=(14.9, 0.0325))
        >>> lake.remove_calibration(lake.add_calibration(own))
        >>> lake.calibrations()
        []
        """
        self.change_calibrations(remove=[id], message=message)

    def change_calibrations(
        self,
        add: Sequence[Calibration] = (),
        remove: Sequence[str] = (),
        *,
        dry_run: bool = False,
        message: str | None = None,
    ) -> CalibrationReport:
        """Add calibrations and take others back, in one commit.

        Parameters
        ----------
        add : sequence of Calibration
            What to register.
        remove : sequence of str
            Ids to take back, first.
        dry_run : bool
            Only tell what would be done.
        message : str, optional
            Why, for the log.

        Returns
        -------
        CalibrationReport
            The ids that were `added`, were `present` already, and were `removed`.

        Raises
        ------
        NotFoundError, UsageError
            As `add_calibration` and `remove_calibration`; nothing is changed then.

        Examples
        --------
        >>> own = sxeslake.Calibration("qlw", "JS300N", "angstrom", "N K", coefficients=(14.9, 0.0325))
        >>> older = lake.add_calibration(own)
        >>> newer = sxeslake.Calibration("qlw", "JS300N", "angstrom", "N K", coefficients=(14.9, 0.0326))
        >>> lake.change_calibrations([newer], remove=[older]).commit
        3
        """
        from sxeslake.maintenance.calibrations import change  # noqa: PLC0415 - as above

        return change(self._vault, add, remove, dry_run=dry_run, tool=TOOL, message=message)

    def _calibrations(self) -> tuple[Calibration, ...]:
        """The registered calibrations, the newest last, as of the commit that was read last."""
        from sxeslake.maintenance.calibrations import known  # noqa: PLC0415 - as above

        return known(self._vault.state)

    @cached_property
    def _sources(self) -> dict[str, VersionSource]:
        return {}

    def _member_source(self, row: Measured) -> MemberSource:
        """The members of a position's version; the last few stay open with the rows that they have read."""
        from sxeslake.reading.source import VersionSource  # noqa: PLC0415 - as above

        version = refs.find(self._vault.state, row.archive)
        found = self._sources.get(row.archive)
        if found is None or found.version != version:
            found = VersionSource(self._vault, version)
            for oldest in list(self._sources)[: len(self._sources) + 1 - _KEEP_OPEN]:
                self._sources.pop(oldest, None)
            self._sources[row.archive] = found
        return found

    if TYPE_CHECKING:  # what `Lake` brings

        def _asked(self) -> Catalog: ...

        def open_group(self, ref: str) -> Group: ...
