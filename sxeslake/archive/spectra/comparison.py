"""Spectra laid over one another: normalised, ranked by how alike they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from sxeslake.archive.spectra.measured import COLUMNS, Measured
from sxeslake.archive.spectra.spectra import Spectra
from sxeslake.archive.sxes.axes import Axis
from sxeslake.errors import InputError, UsageError

Normalisation = Literal["current", "max", "none"]
NORMALISATIONS: Final[tuple[str, ...]] = get_args(Normalisation)
_S_PER_DAY: Final = 86_400


@dataclass(frozen=True, slots=True)
class ComparedSpectrum:
    """One spectrum beside the first.

    Attributes
    ----------
    row : Measured
        The position.
    material : str or None
        What the annotation `material` says of it.
    similarity : float
        Pearson's correlation with the first spectrum over all channels, -1 to 1: it depends neither on the probe
        current nor on a constant background. NaN where one of them is constant.
    days : float or None
        Days from the first spectrum to this one.
    """

    row: Measured
    material: str | None
    similarity: float
    days: float | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """A spectrum and others beside it, the most alike first.

    Attributes
    ----------
    target : Measured
        The position that the others are compared with.
    others : list of ComparedSpectrum
        By similarity, the highest first.
    spectra : Spectra
        The spectra, `target` first, then in the order of `others`.
    normalise : {"current", "max", "none"}
        How `values` are normalised.

    Examples
    --------
    >>> found = lake.compare("map:1", "map:2")
    >>> [other.row.name for other in found.others]
    ['map@1:2']
    """

    target: Measured
    others: list[ComparedSpectrum]
    spectra: Spectra
    normalise: Normalisation

    def __len__(self) -> int:
        return len(self.others)

    @property
    def values(self) -> NDArray[np.float64]:
        """The normalised spectra, float64 (1 + others, channels): counts / nA, shares of the maximum, or counts."""
        return normalised(self.spectra, self.normalise)

    def axis(self, kind: str = "energy") -> Axis:
        """The axis that all of them share; see `Spectra.axis`.

        Parameters
        ----------
        kind : {"energy", "wavelength"}
            In eV or in Å.

        Returns
        -------
        Axis
            One value a channel.
        """
        return self.spectra.axis(kind)

    def table(self) -> list[dict[str, Any]]:
        """One dictionary for each of the others: rank, name, material, similarity, days, and its conditions.

        Returns
        -------
        list of dict
            The most alike first.
        """
        return [
            {
                "rank": rank,
                "name": other.row.name,
                "material": other.material,
                "similarity": other.similarity,
                "days": other.days,
            }
            | {name: getattr(other.row, name) for name in COLUMNS}
            for rank, other in enumerate(self.others, 1)
        ]


def normalised(spectra: Spectra, how: str) -> NDArray[np.float64]:
    """Spectra divided by their probe current (counts / nA) or by their maximum; float64 (positions, channels).

    InputError where a probe current is unknown.
    """
    values: NDArray[np.float64] = spectra.values.astype(np.float64)
    if how == "none":
        return values
    if how == "max":
        highest = values.max(axis=1, keepdims=True)
        np.divide(values, highest, out=values, where=highest != 0)
        return values
    if how != "current":
        raise UsageError(f"{how!r} is not a way to normalise.", hint=f"Available: {', '.join(NORMALISATIONS)}.")
    currents = np.array([row.probe_current_na or np.nan for row in spectra.rows], np.float64)
    if np.isnan(currents).any():
        unknown = next(row.name for row in spectra.rows if not row.probe_current_na)
        raise InputError(f"the probe current of {unknown} is unknown.", hint="Normalise to the maximum instead.")
    scaled: NDArray[np.float64] = values / currents[:, None]
    return scaled


def compare(spectra: Spectra, materials: Sequence[str | None], normalise: Normalisation = "max") -> Comparison:
    """Rank all spectra but the first by their correlation with it; `materials` has one entry a spectrum."""
    if normalise not in NORMALISATIONS:
        raise UsageError(f"{normalise!r} is not a way to normalise.", hint=f"Available: {', '.join(NORMALISATIONS)}.")
    values = spectra.values.astype(np.float64)
    centred = values - values.mean(axis=1, keepdims=True)
    lengths = np.linalg.norm(centred, axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        likeness = centred @ centred[0] / (lengths * lengths[0])
    order = sorted(range(1, len(values)), key=lambda number: (np.isnan(likeness[number]), -likeness[number]))
    target = spectra.rows[0]
    others = [
        ComparedSpectrum(
            spectra.rows[number],
            materials[number],
            float(likeness[number]),
            _days(target.acquired_local, spectra.rows[number].acquired_local),
        )
        for number in order
    ]
    arranged = Spectra(
        spectra.data_type,
        spectra.values[[0, *order]],
        [target, *(other.row for other in others)],
        spectra.warnings,
        spectra.calibrations,
    )
    return Comparison(target, others, arranged, normalise)


def _days(first: datetime | None, second: datetime | None) -> float | None:
    if first is None or second is None:
        return None
    return round((second - first).total_seconds() / _S_PER_DAY, 2)
