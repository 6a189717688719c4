"""X-ray emission lines below 2.5 keV, in every order of diffraction, as marks with a width.

The energies and intensities are those of xraydb 4.5.8 (MIT licence; W. T. Elam, B. D. Ravel and J. R. Sieber, Radiation
Physics and Chemistry 63 (2002) 121), 439 transitions from Li to Cf. A grating also diffracts order n of a line of
energy E, which then stands at E / n on the energy axis: N Kα (392.4 eV) appears in order 2 near 196 eV.

No table is exact for soft X-rays, where energy and shape follow the chemical bond: published tables differ by 1 to
5 eV. A mark is therefore a band. Nothing beats the spectrum of a standard taken under the same conditions.
"""

from __future__ import annotations

import csv
import difflib
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

from sxeslake.archive.sxes.documents.units import HC_EV_ANGSTROM
from sxeslake.errors import UsageError

__all__ = ["ELEMENTS", "HIGHEST_EV", "TABLE_UNCERTAINTY_EV", "XRAYDB_VERSION", "Line", "Mark", "lines", "marks", "near"]

XRAYDB_VERSION: Final = "4.5.8"
"""The version of xraydb that the table comes from."""

HIGHEST_EV: Final = 2500.0
"""The table ends here, in eV."""

TABLE_UNCERTAINTY_EV: Final = 2.5
"""Half the width of a mark in order 1, in eV: the median disagreement of published tables below 1 keV."""

MIN_INTENSITY: Final = 0.001
"""Transitions below this share of their shell are left out of marks: K-L1 of N has 0.0001."""

_SAME_EV = 1.0  # transitions of one family this near to each other make one mark: Kα1 and Kα2 of N are both 392.4 eV
_MAX_ORDER = 20
_GREEK = {"a": "α", "b": "β", "g": "γ", "n": "η", "z": "ζ", "l": "l"}


@dataclass(frozen=True, slots=True)
class Line:
    """One transition of the table.

    Attributes
    ----------
    element : str
        Symbol of the element, such as ``"N"``.
    number : int
        Atomic number.
    name : str
        Siegbahn's name, such as ``"Kα1"``.
    initial, final : str
        Levels of the vacancy before and after the transition, such as ``"K"`` and ``"L3"``.
    energy_ev : float
        Photon energy in eV.
    intensity : float
        Share of the transitions into the same level, 0 to 1.
    """

    element: str
    number: int
    name: str
    initial: str
    final: str
    energy_ev: float
    intensity: float

    @property
    def wavelength_angstrom(self) -> float:
        """Wavelength in Å: hc / E, with hc = 12398.42 eV·Å."""
        return HC_EV_ANGSTROM / self.energy_ev


@dataclass(frozen=True, slots=True)
class Mark:
    """A line, or several that cannot be told apart, in one order of diffraction: a band on the axis of a spectrum.

    Attributes
    ----------
    element : str
        Symbol of the element.
    name : str
        Name of the family, such as ``"Kα"``, or of the single transition, such as ``"Lβ1"``.
    energy_ev : float
        Photon energy in eV, the mean of the transitions weighted by intensity.
    intensity : float
        Sum of the transitions' shares.
    order : int
        Order of diffraction, from 1.
    """

    element: str
    name: str
    energy_ev: float
    intensity: float
    order: int

    @property
    def label(self) -> str:
        """``"N Kα"``, in higher orders ``"N Kα (order 2)"``."""
        return f"{self.element} {self.name}" + (f" (order {self.order})" if self.order > 1 else "")

    @property
    def observed_ev(self) -> float:
        """Where the mark stands on an energy axis made for order 1, in eV: energy / order."""
        return self.energy_ev / self.order

    @property
    def observed_angstrom(self) -> float:
        """Where the mark stands on a wavelength axis made for order 1, in Å: order × hc / energy."""
        return HC_EV_ANGSTROM / self.observed_ev

    def band_ev(self, axis_uncertainty_angstrom: float = 0.0) -> tuple[float, float]:
        """Lower and upper end of the mark on an energy axis made for order 1.

        Parameters
        ----------
        axis_uncertainty_angstrom : float
            Uncertainty of the wavelength axis in Å, such as the 0.21 Å of the built-in axis.

        Returns
        -------
        tuple of float
            Both ends in eV. Half the width is the table's uncertainty divided by the order, and the axis' uncertainty
            as energy (dE = E² dλ / hc), added in quadrature.

        Examples
        --------
        >>> low, high = marks("N")[0].band_ev()
        >>> round(low, 1), round(high, 1)
        (389.9, 394.9)
        """
        half = math.hypot(
            TABLE_UNCERTAINTY_EV / self.order, self.observed_ev**2 * axis_uncertainty_angstrom / HC_EV_ANGSTROM
        )
        return self.observed_ev - half, self.observed_ev + half


@cache
def _table() -> tuple[Line, ...]:
    text = files(__package__).joinpath("lines_data.csv").read_text(encoding="utf-8")
    return tuple(
        Line(
            row["element"],
            int(row["number"]),
            _name(row["line"]),
            row["initial"],
            row["final"],
            float(row["energy_ev"]),
            float(row["intensity"]),
        )
        for row in csv.DictReader(text.splitlines())
    )


def _name(ascii_name: str) -> str:
    """`Ka1` → `Kα1`, `Ln` → `Lη`."""
    return ascii_name[0] + _GREEK[ascii_name[1]] + ascii_name[2:]


def _elements() -> tuple[str, ...]:
    return tuple(dict.fromkeys(line.element for line in _table()))


ELEMENTS: tuple[str, ...]
"""Symbols of the elements that have a line in the table, by atomic number."""


def __getattr__(name: str) -> tuple[str, ...]:
    if name == "ELEMENTS":  # the table is read when it is asked for: importing this module stays free
        return _elements()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def lines(*elements: str) -> list[Line]:
    """The transitions of some elements, or of all.

    Parameters
    ----------
    *elements : str
        Symbols such as ``"N"`` or families such as ``"N K"`` and ``"Fe L"``; none of them means every element.

    Returns
    -------
    list of Line
        By atomic number, then by energy, the highest first.

    Raises
    ------
    UsageError
        If an element is unknown, or has no line below 2.5 keV.

    Examples
    --------
    >>> [(line.name, line.energy_ev) for line in lines("Li")]
    [('Kα3', 49.4)]
    """
    wanted = [_parse(text) for text in elements]
    found = [
        line
        for line in _table()
        if not wanted or any(line.element == element and line.name.startswith(family) for element, family in wanted)
    ]
    return sorted(found, key=lambda line: (line.number, -line.energy_ev, line.name))


def marks(
    *elements: str,
    orders: Iterable[int] = (1,),
    range_ev: tuple[float, float] | None = None,
    min_intensity: float = MIN_INTENSITY,
) -> list[Mark]:
    """Marks for a spectrum: what some elements show, transitions that coincide joined into one mark.

    Parameters
    ----------
    *elements : str
        Symbols or families, as in `lines`; none of them means every element.
    orders : iterable of int
        Orders of diffraction, 1 to 20.
    range_ev : tuple of float, optional
        Only marks that stand between these two energies on the axis, in eV.
    min_intensity : float
        Leave out transitions with a smaller share of their shell; a shell's only transition always counts.

    Returns
    -------
    list of Mark
        By the energy at which they stand, the lowest first.

    Raises
    ------
    UsageError
        If an element, a family or an order is unknown.

    Examples
    --------
    >>> [(mark.label, round(mark.observed_ev, 1)) for mark in marks("N", orders=(1, 2))]
    [('N Kα (order 2)', 196.2), ('N Kα', 392.4)]
    """
    chosen = _orders(orders)
    joined = _joined([line for line in lines(*elements) if line.intensity >= min_intensity])
    found = [Mark(*line, order) for line in joined for order in chosen]
    if range_ev is not None:
        low, high = sorted(range_ev)
        found = [mark for mark in found if low <= mark.observed_ev <= high]
    return sorted(found, key=lambda mark: (mark.observed_ev, mark.order, mark.label))


def near(
    energy_ev: float,
    *elements: str,
    orders: Iterable[int] = (1, 2, 3, 4),
    tolerance_ev: float | None = None,
    axis_uncertainty_angstrom: float = 0.0,
) -> list[Mark]:
    """What may stand at an energy of a spectrum.

    Parameters
    ----------
    energy_ev : float
        Energy on the axis, in eV.
    *elements : str
        Only these elements; none of them means every element.
    orders : iterable of int
        Orders of diffraction to consider.
    tolerance_ev : float, optional
        How far a mark may be from `energy_ev`, in eV. By default the mark's own band decides.
    axis_uncertainty_angstrom : float
        Uncertainty of the spectrum's wavelength axis in Å; it widens the bands.

    Returns
    -------
    list of Mark
        The nearest first.

    Raises
    ------
    UsageError
        If the energy is not a positive number, or an element or order is unknown.

    Examples
    --------
    >>> near(196.2, "N")[0].label
    'N Kα (order 2)'
    """
    if not (math.isfinite(energy_ev) and energy_ev > 0):
        raise UsageError(f"{energy_ev:g} eV is not an energy.", hint="Give a positive number of eV.")

    def fits(mark: Mark) -> bool:
        if tolerance_ev is not None:
            return abs(mark.observed_ev - energy_ev) <= tolerance_ev
        low, high = mark.band_ev(axis_uncertainty_angstrom)
        return low <= energy_ev <= high

    found = [mark for mark in marks(*elements, orders=orders) if fits(mark)]
    return sorted(found, key=lambda mark: (abs(mark.observed_ev - energy_ev), mark.order, mark.label))


def _parse(text: str) -> tuple[str, str]:
    """`n` → (N, ""), `Fe L` → (Fe, L), `N Ka` → (N, Kα); UsageError for what is unknown."""
    symbol, _, family = text.strip().partition(" ")
    symbol = symbol[:1].upper() + symbol[1:].lower()
    if symbol not in _elements():
        close = difflib.get_close_matches(symbol, _elements(), 3, 0.5)
        raise UsageError(
            f"no X-ray line below 2.5 keV is known for {text.strip()!r}.",
            hint=f"Did you mean {' or '.join(close)}?" if close else "Give symbols of elements, such as N, O or Fe.",
        )
    family = family.strip()
    family = family[:1].upper() + "".join(_GREEK.get(letter, letter) for letter in family[1:])
    names = {line.name for line in _table() if line.element == symbol}
    if not any(name.startswith(family) for name in names):
        raise UsageError(
            f"{symbol} has no line {family} below 2.5 keV.", hint=f"Available: {', '.join(sorted(names))}."
        )
    return symbol, family


def _orders(orders: Iterable[int]) -> Sequence[int]:
    chosen = sorted(set(orders))
    if not chosen or chosen[0] < 1 or chosen[-1] > _MAX_ORDER:
        raise UsageError(f"orders of diffraction are 1 to {_MAX_ORDER}.", hint="Give 1, 1..4 or 1,3.")
    return chosen


def _joined(found: Sequence[Line]) -> list[tuple[str, str, float, float]]:
    """Element, name, energy and intensity of marks: transitions of one family that coincide are one."""
    groups: list[list[Line]] = []
    for line in found:  # of one element the highest energy first
        for group in groups:
            first = group[0]
            if (
                first.element == line.element
                and _family(first) == _family(line)
                and (abs(first.energy_ev - line.energy_ev) < _SAME_EV)
            ):
                group.append(line)
                break
        else:
            groups.append([line])
    families = [(group[0].element, _family(group[0])) for group in groups]
    return [
        (
            group[0].element,
            family[1] if families.count(family) == 1 else _joint_name(group),
            sum(line.energy_ev * line.intensity for line in group) / sum(line.intensity for line in group),
            sum(line.intensity for line in group),
        )
        for group, family in zip(groups, families, strict=True)
    ]


def _joint_name(group: Sequence[Line]) -> str:
    """Lβ3, Lβ4 → `Lβ3,4`."""
    numbers = sorted(line.name.removeprefix(_family(line)) for line in group)
    return _family(group[0]) + ",".join(numbers)


def _family(line: Line) -> str:
    """`Kα1` → `Kα`."""
    return line.name.rstrip("0123456789")
