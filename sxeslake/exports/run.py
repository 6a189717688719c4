"""Exporting: spectra of a selection into one format, whole or not at all."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from sxeslake.archive.spectra.reading import LeftOut, read_batches
from sxeslake.archive.spectra.spectra import Spectra, read_spectra
from sxeslake.disk.output import check_file, check_folder, is_stream, written_file, written_folder
from sxeslake.errors import InputError, NotFoundError, UsageError
from sxeslake.exports import table
from sxeslake.exports.report import ExportNotes, ExportReport, files_of, shared_source, watched
from sxeslake.extras import load
from sxeslake.version import TOOL

if TYPE_CHECKING:
    from sxeslake.archive.spectra.measured import Measured
    from sxeslake.filter_words import FilterWords
    from sxeslake.model import Progress
    from sxeslake.science import LakeMeasurements

Format = Literal["csv", "xlsx", "msa", "hmsa", "zarr", "hspy", "ro-crate"]
FORMATS: Final = ("csv", "xlsx", "msa", "hmsa", "zarr", "hspy", "ro-crate")
_UNSAFE: Final = re.compile(r"[^\w.@+-]+|^\.+")
_OWN_MARKS: Final = {"zarr": ".zgroup", "ro-crate": "ro-crate-metadata.json"}


@dataclass(frozen=True, slots=True)
class Selected:
    """What is exported: versions, None for all, and which of their positions."""

    refs: str | Sequence[str] | None
    analysis: str | int | None
    positions: str | int | None
    where: str | None
    filters: FilterWords

    @property
    def versions(self) -> list[str | None]:
        """Their names; None for all of them."""
        return [None] if self.refs is None else [self.refs] if isinstance(self.refs, str) else list(self.refs)

    @property
    def whole(self) -> list[str]:
        """Versions that are named and of which nothing is left out."""
        narrowed = (self.analysis, self.positions, self.where, *self.filters.values())
        return [] if any(value is not None for value in narrowed) else [each for each in self.versions if each]

    def rows(self, measurements: LakeMeasurements) -> Iterator[Measured]:
        """The positions, one version after the other."""
        for each in self.versions:
            yield from measurements.rows(each, self.analysis, self.positions, self.where, self.filters)


@dataclass(slots=True)
class Export:
    """One export: what is written where."""

    measurements: LakeMeasurements
    selected: Selected
    out: Path
    to: str
    data_type: str
    pull_into: Callable[[str, Path], object]
    raw: bool = False
    force: bool = False
    progress: Progress | None = None

    def run(
        self, roi: tuple[float, float, str] | None, license_url: str | None, authors: Sequence[str], *, ends: bool
    ) -> ExportReport:
        """Write it; `ends` says that the place was written as a folder's."""
        check_words(self.to, roi, license_url, authors)
        if is_stream(self.out):
            raise UsageError("an export goes into a file or folder.", where=self.out, hint="Name one: -o map.csv")
        is_folder = self.to == "zarr" or (self.to == "ro-crate" and self.out.suffix.lower() not in (".eln", ".zip"))
        if self.to == "hmsa":
            return self._hmsa()
        if self.to != "msa":
            (check_folder if is_folder else check_file)(self.out, force=self.force)
        if self.to == "ro-crate":
            return self._crate(self.selected.whole, license_url, authors, is_folder=is_folder)
        if self.to == "msa":
            return self._msa(is_folder=ends)
        if self.to in ("zarr", "hspy"):
            return self._zarr() if self.to == "zarr" else self._hspy()
        return self._table() if roi is None else self._region(roi)

    @property
    def title(self) -> str:
        """The versions, or the lake."""
        return ", ".join(each for each in self.selected.versions if each) or self.measurements.vault.store.url

    def rows(self) -> Iterator[Measured]:
        """The positions."""
        return self.selected.rows(self.measurements)

    def _spectra(self) -> Spectra:
        source, known = self.measurements.member_source, self.measurements.calibrations()
        watch = partial(watched, progress=self.progress)
        return read_spectra(self.rows(), source, self.data_type, known, watch=watch)

    def _origin(self) -> str:
        """Lake and commit, for a note."""
        return f"lake {self.measurements.vault.store.url}, commit {self.measurements.vault.state.head().number}"

    def _notes(self, axis_source: str | None, warnings: Sequence[str]) -> list[str]:
        return [
            f"{self.title}: {self.data_type}, counts; written by {TOOL}",
            self._origin(),
            f"axis: {axis_source or 'channels only'}",
            *(f"warning: {warning}" for warning in warnings),
        ]

    def _table(self) -> ExportReport:
        self._check_excel()
        spectra, written = self._spectra(), ExportNotes()
        names, rows = table.spectra_rows(spectra, written)
        leading = len(names) - len(spectra)
        notes = self._notes(written.axis_source, written.warnings)
        with written_file(self.out, force=self.force) as file:
            if self.to == "csv":
                over = list(table.condition_rows(spectra, leading))
                table.write_csv(file, notes, over, names, rows, raw=self.raw)
            else:
                known = list(spectra.rows[0].__dataclass_fields__)
                positions = [known, *(list(record.values()) for record in spectra.table())]
                sheets = [("spectra", _after(names, rows)), ("positions", positions), ("about", [[n] for n in notes])]
                table.write_xlsx(file, sheets, raw=self.raw)
        return self._report(written)

    def _region(self, roi: tuple[float, float, str]) -> ExportReport:
        from sxeslake.archive.spectra.correction import mixed_correction  # noqa: PLC0415
        from sxeslake.archive.spectra.roi import Integrator, RoiWindow  # noqa: PLC0415

        self._check_excel()
        window, written, left_out = RoiWindow.of(*roi), ExportNotes(), LeftOut()
        integrator = Integrator(window, None, self.data_type, self.measurements.calibrations())
        measured = list(self.rows())
        batches = read_batches(measured, self.measurements.member_source, self.data_type, left_out)
        rows = table.region_rows(integrator, watched(batches, self.progress), left_out, written)
        notes = [f"{self.title}: {self.data_type}, roi = counts in {window}", self._origin()]
        with written_file(self.out, force=self.force) as file:
            if self.to == "csv":
                table.write_csv(file, notes, [], table.REGION_COLUMNS, rows, raw=self.raw)
            else:
                sheets = [("positions", _after(table.REGION_COLUMNS, rows)), ("about", [[note] for note in notes])]
                table.write_xlsx(file, sheets, raw=self.raw)
        if warning := mixed_correction(measured, self.data_type, self.measurements.member_source):
            written.warnings.append(warning)
        return self._report(written)

    def _msa(self, *, is_folder: bool) -> ExportReport:
        from sxeslake.exports.msa import msa_text  # noqa: PLC0415

        is_folder = is_folder or self.out.is_dir()
        (check_folder if is_folder else check_file)(self.out, force=self.force)
        spectra = self._spectra()
        source, warnings = shared_source(spectra)
        written = ExportNotes(len(spectra), [*spectra.warnings, *warnings], source)
        if len(spectra) == 1 and not is_folder:
            with written_file(self.out, force=self.force) as file:
                file.write(msa_text(spectra, 0))
            return self._report(written)
        with written_folder(self.out, force=self.force, guard=self._guard) as folder:
            _write_msa(folder, spectra)
        return self._report(written)

    def _hmsa(self) -> ExportReport:
        from sxeslake.exports.hmsa import pair_of, write_hmsa  # noqa: PLC0415

        pair = pair_of(self.out)
        for path in pair:
            check_file(path, force=self.force)
        spectra = self._spectra()
        source, warnings = shared_source(spectra)
        # the text comes last: where only the values were replaced, its UID is another than theirs
        with written_file(pair[0], force=self.force) as text, written_file(pair[1], force=self.force) as binary:
            warnings += write_hmsa(text, binary, spectra, self.title)
        return self._report(ExportNotes(len(spectra), [*spectra.warnings, *warnings], source), pair)

    def _zarr(self) -> ExportReport:
        from sxeslake.archive.spectra.dataset import dataset_of_spectra  # noqa: PLC0415
        from sxeslake.exports.labelled import write_zarr  # noqa: PLC0415

        load("zarr", "zarr", "a Zarr store")
        spectra = self._spectra()
        source, warnings = shared_source(spectra)
        dataset = dataset_of_spectra(spectra, self.title)
        with written_folder(self.out, force=self.force, guard=self._guard) as folder:
            write_zarr(folder, dataset)
        return self._report(ExportNotes(len(spectra), [*spectra.warnings, *warnings], source))

    def _hspy(self) -> ExportReport:
        load("hyperspy.api", "hyperspy", "an .hspy file")  # before anything is read
        from sxeslake.exports.labelled import write_hspy  # noqa: PLC0415

        spectra = self._spectra()
        source, warnings = shared_source(spectra)
        with written_file(self.out, force=self.force) as file:
            write_hspy(file, spectra, self.title)
        return self._report(ExportNotes(len(spectra), [*spectra.warnings, *warnings], source))

    def _crate(
        self, whole: Sequence[str], license_url: str | None, authors: Sequence[str], *, is_folder: bool
    ) -> ExportReport:
        from sxeslake.exports import crate  # noqa: PLC0415

        crate.people(authors)

        def fill(folder: Path) -> ExportNotes:
            rows, written = self._fill_archives(folder, whole) if whole else self._fill_selection(folder)
            if license_url is None:
                written.warnings.append("no licence is named, which RO-Crate requires: --license URL")
            commit, url = self.measurements.vault.state.head().number, self.measurements.vault.store.url
            said = crate.Provenance(self.title, url, commit, license_url, authors, written.warnings)
            crate.write_metadata(folder, rows, said)
            return written

        if is_folder:
            with written_folder(self.out, force=self.force, guard=self._guard) as made:
                written = fill(made)
            return self._report(written)
        with tempfile.TemporaryDirectory() as temporary:
            written = fill(Path(temporary))
            with written_file(self.out, force=self.force) as file:
                crate.write_zip(file, Path(temporary), _UNSAFE.sub("_", self.out.stem))
        return self._report(written)

    def _fill_archives(self, folder: Path, refs: Sequence[str]) -> tuple[list[Measured], ExportNotes]:

        for ref in refs:
            inside = folder / _UNSAFE.sub("_", ref)
            inside.mkdir()
            self.pull_into(ref, inside)
        try:
            rows = list(self.rows())
        except NotFoundError:  # an archive of something else
            rows = []
        return rows, ExportNotes(len(rows))

    def _fill_selection(self, folder: Path) -> tuple[list[Measured], ExportNotes]:

        spectra, written = self._spectra(), ExportNotes()
        names, rows = table.spectra_rows(spectra, written)
        inside = folder / "spectra"
        inside.mkdir()
        over = table.condition_rows(spectra, len(names) - len(spectra))
        with (inside / "spectra.csv").open("wb") as file:
            notes = self._notes(written.axis_source, written.warnings)
            table.write_csv(file, notes, over, names, rows, raw=self.raw)
        _write_msa(inside, spectra)
        return spectra.rows, written

    def _check_excel(self) -> None:
        if self.to == "xlsx":
            load("openpyxl", "excel", "xlsx")

    def _guard(self, out: Path) -> None:
        """Only an earlier export of the format may be replaced."""
        inside = list(out.iterdir())
        mark = _OWN_MARKS.get(self.to)
        if not (mark in {each.name for each in inside} if mark else all(each.suffix == ".msa" for each in inside)):
            raise InputError(f"this folder is not an earlier export to {self.to}; it stays.", where=out)

    def _report(self, written: ExportNotes, paths: Sequence[Path] = ()) -> ExportReport:
        files = [file for path in paths or (self.out,) for file in files_of(path)]
        return ExportReport(str(self.out), self.to, written.positions, files, written.warnings, written.axis_source)


def _after(first: Sequence[Any], rows: Iterator[Sequence[Any]]) -> Iterator[Sequence[Any]]:
    yield first
    yield from rows


def _write_msa(folder: Path, spectra: Spectra) -> None:
    """A file a spectrum; names that a disk may take for one are told apart by a number."""
    from sxeslake.exports.msa import msa_text  # noqa: PLC0415

    seen: set[str] = set()
    for number, row in enumerate(spectra.rows):
        stem = _UNSAFE.sub("_", row.name)[:100]
        if stem.casefold() in seen:
            stem = f"{stem}~{number + 1}"
        seen.add(stem.casefold())
        (folder / f"{stem}.msa").write_bytes(msa_text(spectra, number))


def check_words(to: str, roi: object, license_url: str | None, authors: Sequence[str]) -> None:
    """Refuse a format that there is not, and words that do not go with it."""
    if to not in FORMATS:
        raise UsageError(f"there is no format {to!r}.", hint=f"Available: {', '.join(FORMATS)}.")
    if roi is not None and to not in ("csv", "xlsx"):
        raise UsageError(f"a region of interest does not go into {to}.", hint="Export it to csv or xlsx.")
    if (license_url or authors) and to != "ro-crate":
        raise UsageError("a licence and authors go into ro-crate only.")
