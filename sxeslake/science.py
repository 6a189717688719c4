"""Spectra across the archives of a lake: which positions are meant, and the arrays that they are read into."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from sxeslake.archive.spectra.choice import chosen, place_of
from sxeslake.archive.spectra.comparison import compare
from sxeslake.archive.spectra.spectra import read_spectra
from sxeslake.catalog.query.measured import measured_positions
from sxeslake.catalog.query.standards import standards_like
from sxeslake.errors import InputError, NotFoundError
from sxeslake.extras import load
from sxeslake.maintenance.calibrations import known
from sxeslake.reading.open_versions import OpenVersions
from sxeslake.reading.source import VersionSource
from sxeslake.vault import refs

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
    from sxeslake.vault.vault import Vault

_SHORTEST_UUID: Final = 8  # digits and letters by which a position may be named
_AHEAD: Final = 2  # batches on their way while one is used


class LakeMeasurements:
    """The measured positions of one lake, and what their spectra are read with."""

    def __init__(self, vault: Vault, catalog: Callable[[], Catalog]) -> None:
        self.vault = vault
        self._catalog = catalog
        self._sources = OpenVersions(lambda version: VersionSource(vault, version))

    def rows(
        self,
        ref: str | None = None,
        analysis: str | int | None = None,
        positions: str | int | None = None,
        where: str | None = None,
        filters: Mapping[str, object] | None = None,
    ) -> Iterator[Measured]:
        """The positions that fit; by sample, version, analysis and number."""
        version = None if ref is None else refs.find(self.vault.state, ref)
        place = None if version is None else (version.sample, version.version)
        return chosen(measured_positions(self._catalog(), filters or {}, where=where, place=place), analysis, positions)

    def calibrations(self) -> tuple[Calibration, ...]:
        """The registered calibrations, the newest last, as of the commit that was read last."""
        return known(self.vault.state)

    def member_source(self, row: Measured) -> MemberSource:
        """The members of a position's version."""
        return self._sources.of(refs.find(self.vault.state, row.archive))

    def spectra(self, rows: Iterator[Measured], data_type: str, *, background: bool) -> Spectra:
        """Their spectra as one array."""
        return read_spectra(
            rows, self.member_source, data_type, self.calibrations(), background=background, ahead=_AHEAD
        )

    def roi(
        self,
        rows: Iterator[Measured],
        low: float,
        high: float,
        unit: str,
        background: tuple[float, float] | None,
        data_type: str,
        *,
        subtract_background: bool,
    ) -> Roi:
        """A region of interest of each."""
        from sxeslake.archive.spectra.roi import integrate  # noqa: PLC0415 - start-up time, as below

        return integrate(
            rows, self.member_source, low, high, unit, background=background, data_type=data_type,
            subtract_background=subtract_background, calibrations=self.calibrations(), ahead=_AHEAD,
        )  # fmt: skip

    def dataset(
        self, rows: Iterator[Measured], title: str, types: Sequence[str] | None, *, lattice: bool
    ) -> xr.Dataset:
        """Their spectra as a labelled Dataset, read when it is used."""
        from sxeslake.archive.spectra.dataset import dataset_of  # noqa: PLC0415

        found: xr.Dataset = dataset_of(
            rows, self.member_source, self.calibrations(), title=title, types=types, lattice=lattice
        )
        return found

    def compare(
        self, places: Sequence[str], data_type: str, normalise: Normalisation, *, standards: bool
    ) -> Comparison:
        """The first place against the others, and against standards taken under its conditions."""
        rows: dict[Measured, str | None] = {self._position(place): None for place in places}
        first = next(iter(rows))
        if standards:
            for row, material in standards_like(self._catalog(), first):
                rows.setdefault(row, material)
        if len(rows) == 1:
            raise NotFoundError(
                f"nothing to compare {first.name} with: no standard has its conditions."
                if standards
                else f"nothing to compare {first.name} with.",
                hint="Annotate standards: `sxeslake annotate SAMPLE role=standard material=Si3N4`.",
            )
        spectra = read_spectra(rows, self.member_source, data_type, self.calibrations())
        if spectra.rows[0] != first:
            raise InputError(f"the spectrum of {first.name} cannot be used.", hint=spectra.warnings[0])
        return compare(spectra, [rows[row] for row in spectra.rows], normalise)

    def _position(self, text: str) -> Measured:
        """The position that `ti-grains@2:5` names."""
        ref, word = place_of(text)
        number = int(word) if word.isdecimal() and len(word) < _SHORTEST_UUID else None
        for row in self.rows(ref):
            if row.number == number if number is not None else row.position_uuid.startswith(word.lower()):
                return row
        raise NotFoundError(f"{ref} has no position {word}.", hint=f"`sxeslake show {ref}` shows how many there are.")


def hyperspy_signals(group: Group, analysis: str | int | None, data_type: str, *, lazy: bool) -> Any:
    """The spectra of a group as HyperSpy signals: one an analysis, the signal alone where there is one."""
    from sxeslake.archive.spectra.signals import signals_of  # noqa: PLC0415

    api = load("hyperspy.api", "hyperspy", "a signal")
    made = [
        api.signals.Signal1D(**each).as_lazy() if lazy else api.signals.Signal1D(**each)
        for each in signals_of(group, analysis=analysis, data_type=data_type, lazy=lazy)
    ]
    return made[0] if len(made) == 1 else made
