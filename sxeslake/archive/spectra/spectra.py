"""Spectra of many positions as one array, with the table of its rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sxeslake.archive.spectra.correction import mixed_correction
from sxeslake.archive.spectra.measured import COLUMNS, Measured
from sxeslake.archive.spectra.reading import LeftOut, Order, Sources, SpectraBatch, read_batches
from sxeslake.archive.sxes.axes import Axis, Calibration, axis_of
from sxeslake.errors import InputError, NotFoundError
from sxeslake.extras import load

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class Spectra:
    """Spectra of one data type, one row a position.

    Attributes
    ----------
    data_type : str
        ``"qlw"``, ``"spectrum"`` (column sum of `xes`), or another type.
    values : numpy.ndarray, shape (positions, channels)
        float64, or int64 for ``"spectrum"``; counts of the detector.
    rows : list of Measured
        What is known of each position, in the order of `values`; names and units are those of the catalogue.
    warnings : list of str
        What a reader should know: positions left out, corrected and uncorrected spectra mixed.
    calibrations : tuple of Calibration
        The calibrations that give axes.

    Examples
    --------
    >>> found = lake.spectra("qlw", "map")
    >>> found.values.shape, found.rows[0].name
    ((12, 4095), 'map@1:1')
    """

    data_type: str
    values: NDArray[Any]
    rows: list[Measured]
    warnings: list[str]
    calibrations: tuple[Calibration, ...] = ()

    def __len__(self) -> int:
        return len(self.rows)

    def __repr__(self) -> str:
        return f"<Spectra {self.data_type}: {self.values.shape[0]:,} positions × {self.values.shape[1]:,} channels>"

    def axis(self, kind: str = "energy") -> Axis:
        """The axis that all of them share.

        Parameters
        ----------
        kind : {"energy", "wavelength", "channel"}
            In eV, in Å, or the number of the channel.

        Returns
        -------
        Axis
            `values` is float64 (channels,).

        Raises
        ------
        InputError
            If the positions were measured with different settings, whose axes differ.
        UsageError
            If no axis is known for the setting.
        """
        channels = self.values.shape[1]
        settings = dict.fromkeys(row.setting for row in self.rows)
        axes = [axis_of(kind, channels, self.data_type, setting, self.calibrations) for setting in settings]
        first = axes[0]
        if any(not np.array_equal(first.values, axis.values) for axis in axes):
            gratings = sorted({str(row.grating) for row in self.rows})
            raise InputError(
                f"the spectra have different axes ({', '.join(gratings)}).", hint="Choose one grating and instrument."
            )
        return first

    def table(self) -> list[dict[str, Any]]:
        """One dictionary a position, in the order of `values`.

        Returns
        -------
        list of dict
            Its columns as in the catalogue.
        """
        return [{name: getattr(row, name) for name in COLUMNS} for row in self.rows]

    def to_pandas(self) -> pd.DataFrame:
        """The table as a pandas DataFrame.

        Returns
        -------
        pandas.DataFrame
            One row a position.

        Raises
        ------
        MissingExtraError
            If pandas is not installed.
        """
        frame: pd.DataFrame = load("pandas", "frames", "a table in pandas").DataFrame.from_records(
            self.table(), columns=list(COLUMNS)
        )
        return frame


def read_spectra(
    rows: Iterable[Measured],
    sources: Sources,
    data_type: str,
    calibrations: Sequence[Calibration] = (),
    *,
    background: bool = False,
    watch: Callable[[Iterator[SpectraBatch]], Iterable[SpectraBatch]] = iter,
    ahead: int = 0,
) -> Spectra:
    """The spectra of positions as one array; see `reading.read_batches` and `gather`. `watch` sees each batch pass."""
    left_out, order = LeftOut(), Order(rows)
    batches = read_batches(order.rows, sources, data_type, left_out, background=background, ahead=ahead, arranged=True)
    found = gather(watch(batches), left_out, order, data_type, calibrations)
    if warning := mixed_correction(found.rows, data_type, sources):
        found.warnings.append(warning)
    return found


def gather(
    batches: Iterable[SpectraBatch],
    left_out: LeftOut,
    order: Order,
    data_type: str,
    calibrations: Sequence[Calibration] = (),
) -> Spectra:
    """All batches as one array; spectra of another length than most are left out. NotFoundError where none is there."""
    found = list(batches)
    if not found:
        raise NotFoundError(left_out.summary() if left_out else "no position fits.")
    lengths = Counter[int]()
    for batch in found:
        lengths[batch.values.shape[1]] += len(batch.rows)
    ((channels, _),) = lengths.most_common(1)
    for batch in found:
        if batch.values.shape[1] != channels:
            for row in batch.rows:
                left_out.note(row, f"{batch.values.shape[1]:,} channels, not {channels:,}")
    kept = [batch for batch in found if batch.values.shape[1] == channels]
    del found, batch
    rows = [row for batch in kept for row in batch.rows]
    places = order.of(rows, left_out)
    values = _placed(kept, places)
    rows = [rows[at] for at in places.tolist()]
    warnings = [left_out.summary()] if left_out else []
    return Spectra(data_type, values, rows, warnings, tuple(calibrations))


def _placed(batches: list[SpectraBatch], places: NDArray[np.intp]) -> NDArray[Any]:
    """The values of batches, taken in an order; each batch is released as it is copied."""
    first = batches[0].values
    values = np.empty((len(places), first.shape[1]), np.result_type(*(batch.values for batch in batches)))
    targets, start = np.empty_like(places), 0
    targets[places] = np.arange(len(places))
    while batches:
        part = batches.pop(0).values
        values[targets[start : start + len(part)]] = part
        start += len(part)
    return values
