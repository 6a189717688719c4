"""Spectra as an xarray Dataset: labelled, with units, read only when they are used."""

from __future__ import annotations

import threading
import warnings
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from sxeslake.archive.spectra.correction import mixed_correction
from sxeslake.archive.spectra.measured import Measured
from sxeslake.archive.spectra.reading import LeftOut, Sources, read_batches
from sxeslake.archive.spectra.roi import lattice_of
from sxeslake.archive.spectra.spectra import Spectra
from sxeslake.archive.sxes.axes import SPECTRUM, Calibration, axis_of
from sxeslake.errors import InputError, NotFoundError, UsageError
from sxeslake.extras import load

_BLOCK: Final = 256
"""Positions of one dask chunk: 8 MB of qlw."""
_DIMENSIONS: Final = {"qlw": "channel", SPECTRUM: "column"}
_LONG_NAMES: Final = {
    "qlw": "spectrum, linear in wavelength",
    SPECTRUM: "camera image summed over its rows",
}
_PER_POSITION: Final = (
    ("stage_x", "stage_x_mm", "stage x", "mm"),
    ("stage_y", "stage_y_mm", "stage y", "mm"),
    ("stage_z", "stage_z_mm", "stage z", "mm"),
    ("accelerating_voltage", "accelerating_voltage_kv", "accelerating voltage", "kV"),
    ("probe_current", "probe_current_na", "probe current", "nA"),
)
_COMMON: Final = (
    "sample", "version", "project", "analysis_name", "analysis_uuid", "operator", "instrument", "spectrometer",
    "grating", "accumulation", "accelerating_voltage_kv", "probe_current_na", "magnification", "ccd_temperature_c",
)  # fmt: skip
"""Attributes of a dataset, where all its positions agree."""


def dataset_of(
    rows: Iterable[Measured],
    sources: Sources,
    calibrations: Sequence[Calibration] = (),
    *,
    title: str,
    types: Sequence[str] | None = None,
    lattice: bool = True,
) -> Any:
    """The spectra of positions as a Dataset.

    Parameters
    ----------
    rows : iterable of Measured
        The positions.
    sources : callable
        Gives the members of a position's archive.
    calibrations : sequence of Calibration
        Registered calibrations, which precede the built-in axis.
    title : str
        The dataset's title.
    types : sequence of str, optional
        Data variables; by default `qlw` and `spectrum`, as far as there are any.
    lattice : bool
        Arrange one map as (y, x); otherwise, and where positions lie on no lattice, as (position).

    Returns
    -------
    xarray.Dataset
        Variables are float64 of dimensions (position, channel) or (y, x, channel), `column` in place of `channel` for
        `spectrum`; NaN where a spectrum could not be read. Dask arrays where dask is installed.

    Raises
    ------
    NotFoundError
        If there is no position, or none has such data.
    """
    xarray = load("xarray", "xarray", "a labelled array")
    found = list(rows)
    if not found:
        raise NotFoundError("there are no positions.", where=title)
    arrangement = arrange(found) if lattice else PositionGrid.of(found)
    data: dict[str, Any] = {}
    coordinates: dict[str, Any] = arrangement.coordinates()
    attributes = _common(found)
    for data_type in types or tuple(_DIMENSIONS):
        channels = channels_of(found, sources, data_type)
        if channels is None:
            continue
        values = arrangement.values(SpectrumReader(sources, data_type, channels))
        data[data_type], axes = _labelled(arrangement, values, data_type, channels, calibrations)
        coordinates |= axes
        if warning := mixed_correction(found, data_type, sources):
            warnings.warn(f"{title}: {warning}", stacklevel=2)
    if not data:
        raise NotFoundError(f"no position has {' or '.join(types or tuple(_DIMENSIONS))} data.", where=title)
    attributes |= {"title": title, "Conventions": "CF-1.11"}
    return xarray.Dataset(data, coordinates, attributes)


def dataset_of_spectra(spectra: Spectra, title: str) -> Any:
    """The Dataset that `dataset_of` makes, of spectra that are in memory; what they warn of stands with them."""
    xarray = load("xarray", "xarray", "a labelled array")
    data_type, rows, channels = spectra.data_type, spectra.rows, spectra.values.shape[1]
    arrangement = arrange(rows)
    place = {id(row): number for number, row in enumerate(rows)}
    values = np.full((len(arrangement.cells), channels), np.nan)
    for number, cell in enumerate(arrangement.cells):
        if cell is not None:
            values[number] = spectra.values[place[id(cell)]]
    variable, axes = _labelled(
        arrangement, values.reshape(*arrangement.shape, channels), data_type, channels, spectra.calibrations
    )
    attributes = _common(rows) | {"title": title, "Conventions": "CF-1.11"}
    return xarray.Dataset({data_type: variable}, arrangement.coordinates() | axes, attributes)


def _labelled(
    arrangement: PositionGrid, values: Any, data_type: str, channels: int, calibrations: Sequence[Calibration]
) -> tuple[tuple[tuple[str, ...], Any, dict[str, str]], dict[str, Any]]:
    """Values as a variable with its labels, and the coordinates of its channels."""
    dimension = _DIMENSIONS.get(data_type, f"{data_type}_channel")
    labels = {"units": "counts", "long_name": _LONG_NAMES.get(data_type, data_type)}
    axes, source = _axes(arrangement.rows, channels, data_type, dimension, calibrations)
    if source:
        labels["axis_source"] = source
    return ((*arrangement.dimensions, dimension), values, labels), axes


@dataclass(frozen=True, slots=True)
class PositionGrid:
    """Positions one after another."""

    rows: Sequence[Measured]
    cells: Sequence[Measured | None]  # row by row; None where a lattice has a hole
    dimensions: tuple[str, ...]
    shape: tuple[int, ...]
    step_mm: tuple[float, ...] = ()

    @classmethod
    def of(cls, rows: Sequence[Measured]) -> PositionGrid:
        return cls(rows, rows, ("position",), (len(rows),))

    def coordinates(self) -> dict[str, Any]:
        """What is known of each position, with units."""
        found: dict[str, Any] = {}
        for name, field, long_name, unit in _PER_POSITION:
            values = np.array([_number(cell, field) for cell in self.cells], np.float64).reshape(self.shape)
            found[name] = (self.dimensions, values, {"units": unit, "long_name": long_name})
        found["position_uuid"] = (self.dimensions, self._texts("position_uuid"), {"long_name": "UUID"})
        found["comment"] = (self.dimensions, self._texts("comment"), {"long_name": "comment"})
        times = np.array(
            [np.datetime64("NaT") if cell is None or cell.acquired_local is None else cell.acquired_local
             for cell in self.cells], "datetime64[us]",
        )  # fmt: skip
        found["acquired"] = (
            self.dimensions,
            times.reshape(self.shape).astype("datetime64[ns]"),
            {"long_name": "acquired, on the instrument's clock"},
        )
        if self.dimensions == ("position",):
            numbers = [row.number or 0 for row in self.rows]
            found["number"] = ("position", np.array(numbers, np.int64), {"long_name": "number within its archive"})
            found["archive"] = ("position", np.array([row.archive for row in self.rows]), {"long_name": "archive"})
        for axis, step in zip(self.dimensions, self.step_mm, strict=False):
            length = self.shape[self.dimensions.index(axis)]
            label = {"units": "mm", "long_name": f"distance along the map's {axis}"}
            found[axis] = (axis, np.round(np.arange(length) * step, 9), label)
        return found

    def values(self, reader: SpectrumReader) -> Any:
        """The spectra of all cells, in their shape; a dask array where dask is installed."""
        whole_rows = max(1, _BLOCK // self.shape[-1]) * self.shape[-1] if len(self.shape) > 1 else _BLOCK
        blocks = [self.cells[start : start + whole_rows] for start in range(0, len(self.cells), whole_rows)]
        try:
            import dask  # noqa: PLC0415, F401 - an extra
        except ImportError:
            values: Any = np.concatenate([reader(block) for block in blocks])
        else:
            values = _lazy(blocks, reader)
        return values.reshape(*self.shape, reader.channels)

    def _texts(self, field: str) -> NDArray[np.str_]:
        texts = [("" if cell is None else getattr(cell, field)) or "" for cell in self.cells]
        return np.array(texts, np.str_).reshape(self.shape)


def _lazy(blocks: Sequence[Sequence[Measured | None]], reader: SpectrumReader) -> Any:
    array = load("dask.array", "xarray", "an array that is read when it is used")
    read = load("dask.delayed", "xarray", "as above").delayed(reader, pure=False)
    parts = [array.from_delayed(read(block), (len(block), reader.channels), np.float64) for block in blocks]
    return array.concatenate(parts)


def arrange(rows: Sequence[Measured]) -> PositionGrid:
    """One map as (y, x), anything else as a row."""
    if len({(row.sample, row.version, row.analysis_uuid) for row in rows}) != 1:
        return PositionGrid.of(rows)
    try:
        lattice, row_of, column_of = lattice_of(rows)
    except InputError:
        return PositionGrid.of(rows)
    cells: list[Measured | None] = [None] * (lattice.ny * lattice.nx)
    for row, y, x in zip(rows, row_of, column_of, strict=True):
        cells[int(y) * lattice.nx + int(x)] = row
    if sum(cell is not None for cell in cells) != len(rows):  # two at one place: an image would lose one
        return PositionGrid.of(rows)
    steps_mm = (lattice.step_y_um / 1000, lattice.step_x_um / 1000)
    return PositionGrid(rows, cells, ("y", "x"), (lattice.ny, lattice.nx), steps_mm)


class SpectrumReader:
    """Reads blocks of positions when dask asks; one at a time, as archives are read by one thread."""

    def __init__(self, sources: Sources, data_type: str, channels: int) -> None:
        self.channels = channels
        self._sources, self._type = sources, data_type
        self._lock = threading.Lock()

    def __call__(self, cells: Sequence[Measured | None]) -> NDArray[np.float64]:
        """One row a cell; NaN where nothing could be read, which is warned of."""
        values = np.full((len(cells), self.channels), np.nan)
        place = {id(row): number for number, row in enumerate(cells) if row is not None}
        left_out = LeftOut()
        with self._lock:
            rows = (row for row in cells if row is not None)
            for batch in read_batches(rows, self._sources, self._type, left_out):
                for row, spectrum in zip(batch.rows, batch.values, strict=True):
                    if spectrum.size == self.channels:
                        values[place[id(row)]] = spectrum
                    else:
                        left_out.note(row, f"{spectrum.size:,} channels, not {self.channels:,}")
        if left_out:
            warnings.warn(f"{self._type}: {left_out.summary()}", stacklevel=2)
        return values


def channels_of(rows: Sequence[Measured], sources: Sources, data_type: str) -> int | None:
    """How many channels the first readable spectra have; None where there is none."""
    for start in range(0, len(rows), _BLOCK):
        some = rows[start : start + (8 if start == 0 else _BLOCK)]
        lengths = Counter[int]()
        for batch in read_batches(some, sources, data_type, LeftOut()):
            lengths[batch.values.shape[1]] += len(batch.rows)
        if lengths:
            return lengths.most_common(1)[0][0]
    return None


def _axes(
    rows: Sequence[Measured], channels: int, data_type: str, dimension: str, calibrations: Sequence[Calibration]
) -> tuple[dict[str, Any], str]:
    """Wavelength and energy where all positions share them."""
    settings = list(dict.fromkeys(row.setting for row in rows))
    prefix = "" if dimension == "channel" else f"{dimension}_"
    found: dict[str, Any] = {dimension: (dimension, np.arange(channels), {"long_name": "channel of the spectrum"})}
    try:
        axes = [axis_of("wavelength", channels, data_type, setting, calibrations) for setting in settings]
    except UsageError:
        return found, ""
    first = axes[0]
    if any(not np.array_equal(first.values, axis.values) for axis in axes):
        return found, ""
    energy = axis_of("energy", channels, data_type, settings[0], calibrations)
    for name, axis, unit in (("wavelength", first, "angstrom"), ("energy", energy, "eV")):
        label: dict[str, Any] = {"units": unit, "long_name": name, "source": axis.source}
        if axis.uncertainty_angstrom is not None:
            label["uncertainty_angstrom"] = axis.uncertainty_angstrom
        found[prefix + name] = (dimension, axis.values, label)
    return found, first.source


def _number(row: Measured | None, field: str) -> float:
    value = None if row is None else getattr(row, field)
    return np.nan if value is None else float(value)


def _common(rows: Sequence[Measured]) -> dict[str, Any]:
    """What all positions agree in; absent where they do not."""
    found = {}
    for field in _COMMON:
        values = {getattr(row, field) for row in rows}
        value = values.pop() if len(values) == 1 else None
        if value is not None:
            found[field] = value
    return found
