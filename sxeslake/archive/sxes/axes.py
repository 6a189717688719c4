"""The axes of a spectrum: channels as they are stored, wavelength and energy where a calibration tells them.

An archive holds no axis. One comes from a calibration that somebody registered, else from the built-in fit for
spectrometer XES300N with grating JS300N, which is named as derived. Without either, only channels are offered.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from sxeslake.archive.sxes import arrays
from sxeslake.archive.sxes.documents.units import HC_EV_ANGSTROM
from sxeslake.errors import UsageError

AxisKind = Literal["channel", "wavelength", "energy"]
AXIS_KINDS: Final[tuple[str, ...]] = get_args(AxisKind)
Unit = Literal["angstrom", "ev"]
SPECTRUM: Final = "spectrum"
"""The data type of a column sum of `xes`, beside the stored types such as `qlw`."""

_SYMBOLS: Final = {"channel": "", "wavelength": "Å", "energy": "eV"}


@dataclass(frozen=True, slots=True)
class Axis:
    """One axis of a spectrum.

    Attributes
    ----------
    kind : {"channel", "wavelength", "energy"}
        What the values are.
    values : numpy.ndarray of float64, shape (channels,)
        One value a channel, in the order of the channels; read-only.
    unit : str
        ``""``, ``"Å"`` or ``"eV"``.
    source : str
        Where the axis comes from, in words: a calibration by its id, or the built-in fit.
    uncertainty_angstrom : float or None
        Uncertainty of the wavelength in Å; None where it is unknown, 0 for channels.
    is_derived : bool
        Whether it is the built-in fit, which no instrument stored and no one measured for this spectrometer.

    Examples
    --------
    >>> axis = lake["map"].positions[0].axis()
    >>> axis.unit, len(axis.values)
    ('eV', 4095)
    """

    kind: AxisKind
    values: NDArray[np.float64]
    unit: str
    source: str
    uncertainty_angstrom: float | None = None
    is_derived: bool = False

    @property
    def label(self) -> str:
        """``"energy (eV)"``, for plots and headings."""
        return f"{self.kind} ({self.unit})" if self.unit else self.kind


@dataclass(frozen=True, slots=True)
class Calibration:
    """An axis for spectra of one instrument, spectrometer, grating and type of data, for some time.

    Attributes
    ----------
    data_type : str
        ``"qlw"``, ``"spectrum"`` (the column sum of `xes`), or another type.
    grating : str
        The grating that it is for.
    unit : {"angstrom", "ev"}
        Unit of the axis.
    source : str
        Who or what says so: a measurement, a manual, a paper.
    coefficients : tuple of float
        The axis as a polynomial in the channel number from 0, the constant first. Empty where there is a table.
    table : tuple of (float, float)
        The axis as pairs of channel and value, interpolated linearly and continued at the ends.
    instrument, spectrometer : str or None
        Only for these; None is any.
    valid_from, valid_until : datetime.date or None
        First and last day on which spectra were acquired that it is for.
    uncertainty : float or None
        In `unit`.
    id : str
        Name under which the lake has it; empty before it is stored.

    Examples
    --------
    >>> found = sxeslake.Calibration("qlw", "JS300N", "ev", "Ti Lα, 2019-03", (100.0, 0.05))
    >>> id = lake.add_calibration(found)
    >>> lake["map"].positions[0].axis("energy").source
    'calibration js300n-0e8e94: Ti Lα, 2019-03'
    """

    data_type: str
    grating: str
    unit: Unit
    source: str
    coefficients: tuple[float, ...] = ()
    table: tuple[tuple[float, float], ...] = ()
    instrument: str | None = None
    spectrometer: str | None = None
    valid_from: date | None = None
    valid_until: date | None = None
    uncertainty: float | None = None
    id: str = ""

    def __post_init__(self) -> None:
        """Refuse what is no axis."""
        if bool(self.coefficients) == bool(self.table):
            raise UsageError("a calibration is coefficients or a table, one of them.")
        numbers = [*self.coefficients, *(number for pair in self.table for number in pair)]
        if not all(math.isfinite(number) for number in numbers):
            raise UsageError("a calibration has finite numbers only.")
        if len(self.coefficients) == 1 or len(self.table) == 1:
            raise UsageError("a calibration needs two coefficients, or two rows, at least.")
        channels = [channel for channel, _ in self.table]
        if any(later <= earlier for earlier, later in pairwise(channels)):
            raise UsageError("the channels of a table rise from row to row.")
        if self.unit not in get_args(Unit):
            raise UsageError(f"{self.unit!r} is not a unit of an axis.", hint="Available: angstrom, ev.")
        if self.uncertainty is not None and not (math.isfinite(self.uncertainty) and self.uncertainty >= 0):
            raise UsageError("an uncertainty is a positive number.")
        if self.valid_from and self.valid_until and self.valid_until < self.valid_from:
            raise UsageError("valid-until is before valid-from.")

    def fits(self, spectrometer: str | None, grating: str | None, instrument: str | None, day: date | None) -> bool:
        """Whether it is for a spectrum; where the day is unknown, only a calibration without limits is.

        Parameters
        ----------
        spectrometer, grating, instrument : str or None
            Of the spectrum.
        day : date or None
            When it was acquired.

        Returns
        -------
        bool
            True where nothing contradicts.
        """
        if self.grating != grating or self.spectrometer not in (None, spectrometer):
            return False
        if self.instrument not in (None, instrument):
            return False
        if day is None:
            return self.valid_from is None and self.valid_until is None
        return (self.valid_from or day) <= day <= (self.valid_until or day)

    def values(self, channels: int) -> NDArray[np.float64]:
        """The axis in `unit`, float64 (channels,).

        Parameters
        ----------
        channels : int
            How many.

        Returns
        -------
        array of float64, (channels,)
            In `unit`.
        """
        numbers = np.arange(channels, dtype=np.float64)
        if self.coefficients:
            return np.asarray(np.polynomial.polynomial.polyval(numbers, self.coefficients), np.float64)
        known, values = np.array(self.table, np.float64).T
        return _continued(numbers, known, values)

    def wavelengths_angstrom(self, channels: int) -> NDArray[np.float64]:
        """The axis as wavelengths in Å, float64 (channels,).

        Parameters
        ----------
        channels : int
            How many.

        Returns
        -------
        array of float64, (channels,)
            In Å.

        Raises
        ------
        UsageError
            If it is not positive throughout.
        """
        values = self.values(channels)
        if not (np.isfinite(values).all() and (values > 0).all()):
            raise UsageError(
                f"calibration {self.id or self.source!r} gives wavelengths or energies that are not positive.",
                hint=f"It is used for {channels:,} channels.",
            )
        return values if self.unit == "angstrom" else HC_EV_ANGSTROM / values


@dataclass(frozen=True, slots=True)
class Setting:
    """What decides the axis of a spectrum.

    Attributes
    ----------
    spectrometer, grating, instrument : str or None
        As the condition and the analysis name them.
    day : datetime.date or None
        When the spectrum was acquired, on the instrument's calendar.
    """

    spectrometer: str | None
    grating: str | None
    instrument: str | None = None
    day: date | None = None


Calibrations = Callable[[], Iterable[Calibration]]
"""What a lake hands to its groups: the calibrations it has, the newest last, read when an axis is asked for."""


def axis_of(
    kind: str, channels: int, data_type: str, setting: Setting, known: Iterable[Calibration] = (), where: object = None
) -> Axis:
    """The axis of a spectrum.

    Parameters
    ----------
    kind : {"channel", "wavelength", "energy"}
        Which axis.
    channels : int
        How many channels the spectrum has.
    data_type : str
        ``"qlw"``, ``"spectrum"``, or another type.
    setting : Setting
        How the spectrum was measured.
    known : iterable of Calibration
        Registered calibrations, the newest last; one of them precedes the built-in fit.
    where : object, optional
        What errors name.

    Returns
    -------
    Axis
        Energy is hc / wavelength, with hc = 12398.42 eV·Å.

    Raises
    ------
    UsageError
        If `kind` is unknown, or no calibration fits.
    """
    if kind not in AXIS_KINDS:
        raise UsageError(f"there is no axis {kind!r}.", where=where, hint=f"Available: {', '.join(AXIS_KINDS)}.")
    if kind == "channel":
        return Axis("channel", _frozen(np.arange(channels, dtype=np.float64)), "", "number of the channel, from 0", 0.0)
    wavelengths, source, uncertainty, is_derived = _wavelengths(channels, data_type, setting, known, where)
    values = wavelengths if kind == "wavelength" else HC_EV_ANGSTROM / wavelengths
    return Axis(kind, _frozen(values), _SYMBOLS[kind], source, uncertainty, is_derived)  # type: ignore[arg-type]


def resolve(data_type: str, setting: Setting, known: Iterable[Calibration]) -> Calibration | None:
    """The calibration of a spectrum: the most specific that fits; of several the one valid from the latest day."""
    fitting = [
        (each.instrument is not None, each.spectrometer is not None, each.valid_from or date.min, number, each)
        for number, each in enumerate(known)
        if each.data_type == data_type
        and each.fits(setting.spectrometer, setting.grating, setting.instrument, setting.day)
    ]
    return max(fitting, key=lambda rank: rank[:-1])[-1] if fitting else None


def _wavelengths(
    channels: int, data_type: str, setting: Setting, known: Iterable[Calibration], where: object
) -> tuple[NDArray[np.float64], str, float | None, bool]:
    calibration = resolve(data_type, setting, known)
    if calibration is not None:
        wavelengths = calibration.wavelengths_angstrom(channels)
        uncertainty = calibration.uncertainty
        if uncertainty is not None and calibration.unit == "ev":  # in the middle of the axis: dλ = λ² dE / hc
            uncertainty *= float(wavelengths[channels // 2]) ** 2 / HC_EV_ANGSTROM
        return wavelengths, f"calibration {calibration.id}: {calibration.source}", uncertainty, False
    residual = arrays.DERIVED_AXIS_RESIDUAL_ANGSTROM
    name, grating = arrays.DERIVED_AXIS_SETTING
    if (setting.spectrometer, setting.grating) == (name, grating):
        source = f"derived: built-in fit for {name} with {grating}, residual up to {residual} Å"
        if data_type == "qlw" and channels == arrays.QLW_CHANNELS:
            return arrays.derived_axis_angstrom(name, grating), source, residual, True
        if data_type == SPECTRUM and channels == arrays.XES_COLUMNS - 1:
            axis = arrays.derived_axis_angstrom(name, grating)
            columns = np.arange(channels, dtype=np.float64)
            return _continued(columns, arrays.qlw_columns(), axis), source, residual, True
    raise UsageError(
        f"no wavelength or energy axis is known for {data_type} with spectrometer {setting.spectrometer or '(none)'} "
        f"and grating {setting.grating or '(none)'}.",
        where=where,
        hint='Use the axis "channel", or register a calibration for this grating.',
    )


def _continued(at: NDArray[np.float64], known: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Linear interpolation, continued beyond both ends with the slope there."""
    found = np.interp(at, known, values)
    for end, inner, beyond in ((0, 1, at < known[0]), (-1, -2, at > known[-1])):
        slope = (values[end] - values[inner]) / (known[end] - known[inner])
        found[beyond] = values[end] + slope * (at[beyond] - known[end])
    return found


def _frozen(values: NDArray[np.float64]) -> NDArray[np.float64]:
    values.flags.writeable = False
    return values


def unit_of(symbol: str) -> AxisKind:
    """The axis of a unit as people write it: ``eV``, ``Å`` or ``A``, ``nm`` is refused; ``channel``."""
    kinds: Sequence[tuple[AxisKind, tuple[str, ...]]] = (
        ("energy", ("ev", "energy")),
        ("wavelength", ("å", "å", "a", "angstrom", "wavelength")),
        ("channel", ("", "channel", "channels", "ch")),
    )
    for kind, symbols in kinds:
        if symbol.strip().casefold() in symbols:
            return kind
    raise UsageError(f"{symbol!r} is not a unit of an axis.", hint="Available: eV, Å (angstrom), channel.")
