"""Regions of interest: counts between two energies, wavelengths or channels, a position each; maps of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from sxeslake.archive.spectra.correction import mixed_correction
from sxeslake.archive.spectra.lattice import Lattice, cells_of, layout_of
from sxeslake.archive.spectra.measured import COLUMNS, Measured
from sxeslake.archive.spectra.reading import LeftOut, Order, Sources, SpectraBatch, read_batches
from sxeslake.archive.sxes.axes import AXIS_KINDS, Axis, Calibration, Setting, axis_of, unit_of
from sxeslake.archive.sxes.documents.units import um_from_mm
from sxeslake.errors import InputError, NotFoundError, UsageError
from sxeslake.extras import load

if TYPE_CHECKING:
    import pandas as pd

_SYMBOLS: Final = {"energy": "eV", "wavelength": "Å", "channel": "channel"}


@dataclass(frozen=True, slots=True)
class RoiWindow:
    """A closed range on an axis.

    Attributes
    ----------
    low, high : float
        Both ends, in the unit of `kind`.
    kind : {"energy", "wavelength", "channel"}
        eV, Å, or numbers of channels from 0.
    """

    low: float
    high: float
    kind: str = "energy"

    def __post_init__(self) -> None:
        """Refuse what is no range."""
        if self.kind not in AXIS_KINDS:
            raise UsageError(f"there is no axis {self.kind!r}.", hint=f"Available: {', '.join(AXIS_KINDS)}.")
        if not (np.isfinite([self.low, self.high]).all() and self.low <= self.high):
            raise UsageError(f"{self.low:g}..{self.high:g} is not a range.", hint="Give the lower end first.")

    @classmethod
    def of(cls, low: float, high: float, unit: str = "eV") -> RoiWindow:
        """A range in a unit as people write it: ``eV``, ``Å``, ``channel``."""
        return cls(float(low), float(high), unit_of(unit))

    def __str__(self) -> str:
        """`390..400 eV`."""
        return f"{self.low:g}..{self.high:g} {_SYMBOLS[self.kind]}"


@dataclass(frozen=True, slots=True)
class RoiMap:
    """A region of interest as an image.

    Attributes
    ----------
    values : numpy.ndarray of float64, shape (y, x)
        The integrated counts; NaN where nothing was measured.
    x_mm, y_mm : numpy.ndarray of float64, shape (y, x)
        Stage coordinates; NaN where nothing was measured.
    step_x_um, step_y_um : float
        Steps of the lattice.

    Examples
    --------
    >>> lake.roi(10, 20, "map", unit="channel").map().values.shape
    (3, 4)
    """

    values: NDArray[np.float64]
    x_mm: NDArray[np.float64]
    y_mm: NDArray[np.float64]
    step_x_um: float
    step_y_um: float


@dataclass(frozen=True, slots=True)
class Roi:
    """Integrated counts of positions.

    Attributes
    ----------
    window : RoiWindow
        What was integrated.
    background : RoiWindow or None
        Where the background was taken.
    data_type : str
        ``"qlw"`` or ``"spectrum"``.
    rows : list of Measured
        The positions, in the order of `values`.
    values : numpy.ndarray of float64, shape (positions,)
        Counts summed over the window; with a background window, minus its mean a channel times the channels of the
        window. The counts are those of the detector, so that √N is not their uncertainty.
    channels : numpy.ndarray of int64, shape (positions,)
        How many channels were summed.
    axis_sources : list of str
        Where the axes come from.
    warnings : list of str
        What a reader should know: positions left out, corrected and uncorrected spectra mixed.

    Examples
    --------
    >>> found = lake.roi(10, 20, "map", unit="channel")
    >>> found.values.shape
    (12,)
    """

    window: RoiWindow
    background: RoiWindow | None
    data_type: str
    rows: list[Measured]
    values: NDArray[np.float64]
    channels: NDArray[np.int64]
    axis_sources: list[str]
    warnings: list[str]

    def __len__(self) -> int:
        return len(self.rows)

    def __repr__(self) -> str:
        return f"<Roi {self.window} of {self.data_type}: {len(self):,} positions>"

    def map(self) -> RoiMap:
        """The values as an image, where the positions lie on a regular lattice.

        Returns
        -------
        RoiMap
            `values` is float64 (y, x), in counts.

        Raises
        ------
        InputError
            If the positions are not one map: several analyses, places without coordinates, or no lattice.
        """
        analyses = {(row.sample, row.version, row.analysis_uuid) for row in self.rows}
        if len(analyses) != 1:
            raise InputError(
                f"the region covers {len(analyses):,} analyses; a map is one.", hint="Choose one analysis."
            )
        lattice, row_of, column_of = lattice_of(self.rows)
        shape = (lattice.ny, lattice.nx)
        image, x_mm, y_mm = (np.full(shape, np.nan) for _ in range(3))
        image[row_of, column_of] = self.values
        x_mm[row_of, column_of] = [row.stage_x_mm for row in self.rows]
        y_mm[row_of, column_of] = [row.stage_y_mm for row in self.rows]
        return RoiMap(image, x_mm, y_mm, lattice.step_x_um, lattice.step_y_um)

    def records(self) -> list[dict[str, Any]]:
        """One dictionary a position: its columns as in the catalogue, `roi` (counts) and `roi_channels`.

        Returns
        -------
        list of dict
            In the order of `values`.
        """
        return [
            {name: getattr(row, name) for name in COLUMNS} | {"roi": float(value), "roi_channels": int(count)}
            for row, value, count in zip(self.rows, self.values, self.channels, strict=True)
        ]

    def to_pandas(self) -> pd.DataFrame:
        """The records as a pandas DataFrame.

        Returns
        -------
        pandas.DataFrame
            One row a position.

        Raises
        ------
        MissingExtraError
            If pandas is not installed.
        """
        frame: pd.DataFrame = load("pandas", "frames", "a table in pandas").DataFrame.from_records(self.records())
        return frame


def lattice_of(rows: Sequence[Measured]) -> tuple[Lattice, NDArray[np.intp], NDArray[np.intp]]:
    """The lattice that positions lie on, and the row and column of each. InputError where they lie on none."""
    places = [(row.stage_x_mm, row.stage_y_mm) for row in rows]
    if any(x is None or y is None or not np.isfinite([x, y]).all() for x, y in places):
        raise InputError("some positions have no stage coordinates, so they are not a map.")
    places_um = np.array([[um_from_mm(x), um_from_mm(y)] for x, y in places], np.float64)
    layout = layout_of(places_um) if len(rows) else None
    if layout is None or layout.lattice is None or layout.kind != "map":
        raise InputError(
            f"{len(rows):,} positions do not lie on a regular lattice.", hint="Use the table of values instead."
        )
    row_of, column_of = cells_of(places_um, layout.lattice)
    return layout.lattice, row_of, column_of


@dataclass(slots=True)
class Integrator:
    """Sums windows of batches; axes are made once a setting."""

    window: RoiWindow
    background: RoiWindow | None
    data_type: str
    calibrations: Sequence[Calibration] = ()
    _masks: dict[tuple[Setting, int], tuple[NDArray[np.intp], NDArray[np.intp] | None]] = field(default_factory=dict)
    _sources: dict[str, None] = field(default_factory=dict)

    def integrate(self, batches: Iterable[SpectraBatch], left_out: LeftOut, order: Order | None = None) -> Roi:
        """The sums of all batches, in an `order` where one is given.

        NotFoundError where there is no position; UsageError where none has an axis.
        """
        rows: list[Measured] = []
        values: list[float] = []
        counts: list[int] = []
        refused: UsageError | None = None
        for batch in batches:
            for row, spectrum in zip(batch.rows, batch.values, strict=True):
                try:
                    value, count = self._sum(row, spectrum)
                except UsageError as error:
                    refused = refused or error
                    left_out.note(row, error.what)
                    continue
                rows.append(row)
                values.append(value)
                counts.append(count)
        if not rows:
            if refused is not None:
                raise refused
            raise NotFoundError(
                left_out.summary() if left_out else "no position fits.", hint="`sxeslake conditions` lists what occurs."
            )
        if order is not None:
            places = order.of(rows, left_out).tolist()
            rows, values, counts = ([column[at] for at in places] for column in (rows, values, counts))
        warnings = [left_out.summary()] if left_out else []
        return Roi(
            self.window,
            self.background,
            self.data_type,
            rows,
            np.array(values),
            np.array(counts, np.int64),
            list(self._sources),
            warnings,
        )

    def _sum(self, row: Measured, spectrum: NDArray[Any]) -> tuple[float, int]:
        inside, beside = self._mask(row.setting, spectrum.size)
        total = float(spectrum[inside].sum(dtype=np.float64))
        if beside is not None:
            total -= float(spectrum[beside].mean(dtype=np.float64)) * inside.size
        return total, inside.size

    def _mask(self, setting: Setting, channels: int) -> tuple[NDArray[np.intp], NDArray[np.intp] | None]:
        key = (setting, channels)
        if key not in self._masks:
            inside = self._inside(self.window, setting, channels)
            beside = None if self.background is None else self._inside(self.background, setting, channels)
            self._masks[key] = inside, beside
        return self._masks[key]

    def _inside(self, window: RoiWindow, setting: Setting, channels: int) -> NDArray[np.intp]:
        axis: Axis = axis_of(window.kind, channels, self.data_type, setting, self.calibrations)
        if window.kind != "channel":
            self._sources[axis.source] = None
        inside = np.flatnonzero((axis.values >= window.low) & (axis.values <= window.high))
        if not inside.size:
            low, high = float(axis.values.min()), float(axis.values.max())
            raise UsageError(
                f"{window} holds no channel.", hint=f"The axis runs from {low:.1f} to {high:.1f} {axis.unit}.".rstrip()
            )
        return inside


def integrate(
    rows: Iterable[Measured],
    sources: Sources,
    low: float,
    high: float,
    unit: str,
    *,
    background: tuple[float, float] | None = None,
    data_type: str = "qlw",
    subtract_background: bool = False,
    calibrations: Sequence[Calibration] = (),
    ahead: int = 0,
) -> Roi:
    """The region between two ends of every position; see `Analysis.roi`, whose words these are, and `read_batches`."""
    beside = None if background is None else RoiWindow.of(*background, unit)
    integrator = Integrator(RoiWindow.of(low, high, unit), beside, data_type, calibrations)
    left_out, order = LeftOut(), Order(rows)
    batches = read_batches(
        order.rows, sources, data_type, left_out, background=subtract_background, ahead=ahead, arranged=True
    )
    found = integrator.integrate(batches, left_out, order)
    if warning := mixed_correction(found.rows, data_type, sources):
        found.warnings.append(warning)
    return found
