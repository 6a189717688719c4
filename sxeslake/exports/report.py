"""What an export wrote, and the checksums of its files."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sxeslake.archive.spectra.reading import SpectraBatch
from sxeslake.archive.spectra.spectra import Spectra
from sxeslake.archive.sxes.axes import Axis, Calibration, axis_of
from sxeslake.errors import InputError, UsageError
from sxeslake.model import Progress


@dataclass(frozen=True, slots=True)
class ExportedFile:
    """One file of an export; `path` is relative where the export is a folder."""

    path: str
    bytes_written: int
    sha256: str


@dataclass(frozen=True, slots=True)
class ExportReport:
    """What an export wrote.

    Attributes
    ----------
    path : str
        The file or folder.
    format : str
        ``"csv"``, ``"xlsx"``, ``"msa"``, ``"hmsa"``, ``"zarr"``, ``"hspy"`` or ``"ro-crate"``.
    positions : int
        How many positions are in it.
    files : list of ExportedFile
        Its files with size in bytes and SHA-256.
    warnings : list of str
        Positions left out, corrected and uncorrected spectra mixed, axes that are derived or unknown.
    axis_source : str or None
        Where wavelengths and energies come from; None where there are channels only.

    Examples
    --------
    >>> lake.export("map", "map.csv", to="csv").positions
    12
    """

    path: str
    format: str
    positions: int
    files: list[ExportedFile]
    warnings: list[str]
    axis_source: str | None


@dataclass(slots=True)
class ExportNotes:
    """What a format has to say of what it wrote."""

    positions: int = 0
    warnings: list[str] = field(default_factory=list)
    axis_source: str | None = None


def files_of(path: Path) -> list[ExportedFile]:
    """The files at a place, by name, with size and SHA-256."""
    if path.is_dir():
        found = sorted(each for each in path.rglob("*") if each.is_file())
        return [_file(each, each.relative_to(path).as_posix()) for each in found]
    return [_file(path, str(path))]


def _file(path: Path, name: str) -> ExportedFile:
    with path.open("rb") as file:
        return ExportedFile(name, path.stat().st_size, hashlib.file_digest(file, "sha256").hexdigest())


def watched(batches: Iterable[SpectraBatch], progress: Progress | None) -> Iterator[SpectraBatch]:
    """The batches; each is told to the progress."""
    if progress is None:
        yield from batches
        return
    progress.start("export", None)
    try:
        for batch in batches:
            yield batch
            progress.advance(int(batch.values.nbytes))
    finally:
        progress.finish()


def axes_of(spectra: Spectra) -> tuple[list[Axis], list[str]]:
    """Wavelength and energy, where all spectra share them; and what to warn of."""
    try:
        axes = [spectra.axis("wavelength"), spectra.axis("energy")]
    except (UsageError, InputError) as error:
        return [], [f"channels only: {error.what}"]
    return axes, derived(axes[:1])


def derived(axes: Sequence[Axis]) -> list[str]:
    """A warning for an axis that nobody measured."""
    return [f"the axis is not measured: {axis.source}" for axis in axes if axis.is_derived]


def shared_source(spectra: Spectra) -> tuple[str | None, list[str]]:
    """The sources of the axes, one after another, and what to warn of: for formats with an axis a spectrum."""
    sources: dict[str, None] = {}
    warnings: dict[str, None] = {}
    for setting in dict.fromkeys(row.setting for row in spectra.rows):
        try:
            axis = _wavelength(spectra, setting, spectra.calibrations)
        except UsageError as error:
            warnings[f"channels only: {error.what}"] = None
            continue
        sources[axis.source] = None
        warnings.update(dict.fromkeys(derived([axis])))
    return "; ".join(sources) or None, list(warnings)


def _wavelength(spectra: Spectra, setting: object, known: Sequence[Calibration]) -> Axis:
    return axis_of("wavelength", spectra.values.shape[1], spectra.data_type, setting, known)  # type: ignore[arg-type]
