"""The verb that gives spectra in the formats of other programs: what `Lake` inherits."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, Unpack

from sxeslake.errors import InputError, NotFoundError, UsageError
from sxeslake.extras import load
from sxeslake.science import ScienceVerbs

if TYPE_CHECKING:
    from sxeslake.archive.spectra.measured import Measured
    from sxeslake.archive.spectra.spectra import Spectra
    from sxeslake.exports.report import ExportNotes, ExportReport
    from sxeslake.filter_words import FilterWords
    from sxeslake.model import Progress

Format = Literal["csv", "xlsx", "msa", "zarr", "hspy", "ro-crate"]
FORMATS: Final = ("csv", "xlsx", "msa", "zarr", "hspy", "ro-crate")
_UNSAFE: Final = re.compile(r"[^\w.@+-]+|^\.+")
_OWN_MARKS: Final = {"zarr": ".zgroup", "ro-crate": "ro-crate-metadata.json"}


class ExportVerbs(ScienceVerbs):
    """Exports of spectra."""

    def export(
        self,
        ref: str | Sequence[str] | None,
        out: str | Path,
        *,
        to: Format,
        analysis: str | int | None = None,
        positions: str | int | None = None,
        where: str | None = None,
        data_type: str = "qlw",
        roi: tuple[float, float, str] | None = None,
        raw: bool = False,
        force: bool = False,
        license_url: str | None = None,
        authors: Sequence[str] = (),
        progress: Progress | None = None,
        **filters: Unpack[FilterWords],
    ) -> ExportReport:
        """Write spectra in the format of another program; whole, or not at all.

        Parameters
        ----------
        ref : str, sequence of str or None
            Versions, such as ``"ti-map@2"``; None for all.
        out : path
            A file; a folder for ``"zarr"``, several ``"msa"``, and ``"ro-crate"`` unless it ends in .eln or .zip.
        to : {"csv", "xlsx", "msa", "zarr", "hspy", "ro-crate"}
            The format. ``"ro-crate"`` holds whole archives, or CSV and MSA files of a selection.
        analysis, positions, where, **filters
            As for `spectra`.
        data_type : str
            ``"qlw"`` or ``"spectrum"`` (column sum of the camera image).
        roi : (float, float, str), optional
            For ``"csv"`` and ``"xlsx"``: counts between two ends in ``"eV"``, ``"Å"`` or ``"channel"``, a row a
            position.
        raw : bool
            Leave text as it is that a spreadsheet takes for a formula.
        force : bool
            Replace a file, or the folder of an earlier export.
        license_url : str, optional
            For ``"ro-crate"``: the URL of the licence.
        authors : sequence of str
            For ``"ro-crate"``: ``"NAME"`` or ``"NAME;ORCID"``.
        progress : Progress, optional
            What is told of the bytes that are read.

        Returns
        -------
        ExportReport
            Path, files with SHA-256, the axis' source, and warnings.

        Raises
        ------
        UsageError
            If the format is unknown, or does not go with the other words.
        MissingExtraError
            If the format needs a package that is not installed.
        NotFoundError
            If no position fits.
        AlreadyExistsError
            If something is there already, without `force`.

        Examples
        --------
        >>> lake.export("map", "map.csv", to="csv", positions="1..5").positions
        5
        """
        from sxeslake.disk.output import check_file, check_folder, is_stream, named  # noqa: PLC0415 - start-up time

        check_words(to, roi, license_url, authors)
        target = named(out)
        if is_stream(target):
            raise UsageError("an export goes into a file or folder.", where=target, hint="Name one: -o map.csv")
        refs = [None] if ref is None else [ref] if isinstance(ref, str) else list(ref)
        chooses = {"analysis": analysis, "positions": positions, "where": where, **filters}
        is_whole = ref is not None and all(value is None for value in chooses.values())

        def rows() -> Iterator[Measured]:
            for each in refs:
                yield from self.measured(each, analysis=analysis, positions=positions, where=where, **filters)

        title = ", ".join(each for each in refs if each) or self._vault.store.url
        job = _Export(self, target, to, title, data_type, rows, raw=raw, force=force, progress=progress)
        is_folder = to == "zarr" or (to == "ro-crate" and target.suffix.lower() not in (".eln", ".zip"))
        if to != "msa":
            (check_folder if is_folder else check_file)(target, force=force)
        if to == "ro-crate":
            whole = [each for each in refs if each] if is_whole else []
            return job.crate(whole, license_url, authors, is_folder=is_folder)
        if to == "msa":
            return job.msa(is_folder=str(out).endswith(("/", "\\")))
        if to in ("zarr", "hspy"):
            return job.zarr() if to == "zarr" else job.hspy()
        return job.table() if roi is None else job.region(roi)

    if TYPE_CHECKING:  # what `Lake` brings

        def _pull_into(self, ref: str, folder: Path, progress: Progress | None) -> None: ...


def check_words(to: str, roi: object, license_url: str | None, authors: Sequence[str]) -> None:
    """Refuse a format that there is not, and words that do not go with it."""
    if to not in FORMATS:
        raise UsageError(f"there is no format {to!r}.", hint=f"Available: {', '.join(FORMATS)}.")
    if roi is not None and to not in ("csv", "xlsx"):
        raise UsageError(f"a region of interest does not go into {to}.", hint="Export it to csv or xlsx.")
    if (license_url or authors) and to != "ro-crate":
        raise UsageError("a licence and authors go into ro-crate only.")


@dataclass(slots=True)
class _Export:
    """One export: what is written where."""

    lake: ExportVerbs
    out: Path
    to: str
    title: str
    data_type: str
    rows: Callable[[], Iterator[Measured]]
    raw: bool = False
    force: bool = False
    progress: Progress | None = None

    def spectra(self) -> Spectra:
        from sxeslake.archive.spectra.spectra import read_spectra  # noqa: PLC0415 - start-up time, as below
        from sxeslake.exports.report import watched  # noqa: PLC0415

        source, known = self.lake._member_source, self.lake._calibrations()
        watch = partial(watched, progress=self.progress)
        return read_spectra(self.rows(), source, self.data_type, known, watch=watch)

    def origin(self) -> str:
        """Lake and commit, for a note."""
        return f"lake {self.lake._vault.store.url}, commit {self.lake._vault.state.head().number}"

    def notes(self, axis_source: str | None, warnings: Sequence[str]) -> list[str]:
        from sxeslake.version import TOOL  # noqa: PLC0415

        return [
            f"{self.title}: {self.data_type}, counts; written by {TOOL}",
            self.origin(),
            f"axis: {axis_source or 'channels only'}",
            *(f"warning: {warning}" for warning in warnings),
        ]

    def table(self) -> ExportReport:
        from sxeslake.disk.output import written_file  # noqa: PLC0415
        from sxeslake.exports import table  # noqa: PLC0415
        from sxeslake.exports.report import ExportNotes  # noqa: PLC0415

        self._check_excel()
        spectra, written = self.spectra(), ExportNotes()
        names, rows = table.spectra_rows(spectra, written)
        leading = len(names) - len(spectra)
        notes = self.notes(written.axis_source, written.warnings)
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

    def region(self, roi: tuple[float, float, str]) -> ExportReport:
        from sxeslake.archive.spectra.reading import LeftOut, read_batches  # noqa: PLC0415
        from sxeslake.archive.spectra.roi import Integrator, RoiWindow  # noqa: PLC0415
        from sxeslake.disk.output import written_file  # noqa: PLC0415
        from sxeslake.exports import table  # noqa: PLC0415
        from sxeslake.exports.report import ExportNotes, watched  # noqa: PLC0415

        self._check_excel()
        window, written, left_out = RoiWindow.of(*roi), ExportNotes(), LeftOut()
        integrator = Integrator(window, None, self.data_type, self.lake._calibrations())
        batches = read_batches(self.rows(), self.lake._member_source, self.data_type, left_out)
        rows = table.region_rows(integrator, watched(batches, self.progress), left_out, written)
        notes = [f"{self.title}: {self.data_type}, roi = counts in {window}", self.origin()]
        with written_file(self.out, force=self.force) as file:
            if self.to == "csv":
                table.write_csv(file, notes, [], table.REGION_COLUMNS, rows, raw=self.raw)
            else:
                sheets = [("positions", _after(table.REGION_COLUMNS, rows)), ("about", [[note] for note in notes])]
                table.write_xlsx(file, sheets, raw=self.raw)
        return self._report(written)

    def msa(self, *, is_folder: bool) -> ExportReport:
        from sxeslake.disk.output import check_file, check_folder, written_file, written_folder  # noqa: PLC0415
        from sxeslake.exports.msa import msa_text  # noqa: PLC0415
        from sxeslake.exports.report import ExportNotes, shared_source  # noqa: PLC0415

        is_folder = is_folder or self.out.is_dir()
        (check_folder if is_folder else check_file)(self.out, force=self.force)
        spectra = self.spectra()
        source, warnings = shared_source(spectra)
        written = ExportNotes(len(spectra), [*spectra.warnings, *warnings], source)
        if len(spectra) == 1 and not is_folder:
            with written_file(self.out, force=self.force) as file:
                file.write(msa_text(spectra, 0))
            return self._report(written)
        with written_folder(self.out, force=self.force, guard=self._guard) as folder:
            _write_msa(folder, spectra)
        return self._report(written)

    def zarr(self) -> ExportReport:
        from sxeslake.archive.spectra.dataset import dataset_of_spectra  # noqa: PLC0415
        from sxeslake.disk.output import written_folder  # noqa: PLC0415
        from sxeslake.exports.labelled import write_zarr  # noqa: PLC0415
        from sxeslake.exports.report import ExportNotes, shared_source  # noqa: PLC0415

        load("zarr", "zarr", "a Zarr store")
        spectra = self.spectra()
        source, warnings = shared_source(spectra)
        dataset = dataset_of_spectra(spectra, self.title)
        with written_folder(self.out, force=self.force, guard=self._guard) as folder:
            write_zarr(folder, dataset)
        return self._report(ExportNotes(len(spectra), [*spectra.warnings, *warnings], source))

    def hspy(self) -> ExportReport:
        load("hyperspy.api", "hyperspy", "an .hspy file")  # before anything is read
        from sxeslake.disk.output import written_file  # noqa: PLC0415
        from sxeslake.exports.labelled import write_hspy  # noqa: PLC0415
        from sxeslake.exports.report import ExportNotes, shared_source  # noqa: PLC0415

        spectra = self.spectra()
        source, warnings = shared_source(spectra)
        with written_file(self.out, force=self.force) as file:
            write_hspy(file, spectra, self.title)
        return self._report(ExportNotes(len(spectra), [*spectra.warnings, *warnings], source))

    def crate(
        self, whole: Sequence[str], license_url: str | None, authors: Sequence[str], *, is_folder: bool
    ) -> ExportReport:
        from sxeslake.disk.output import written_file, written_folder  # noqa: PLC0415
        from sxeslake.exports import crate  # noqa: PLC0415

        crate.people(authors)

        def fill(folder: Path) -> ExportNotes:
            rows, written = self._fill_archives(folder, whole) if whole else self._fill_selection(folder)
            if license_url is None:
                written.warnings.append("no licence is named, which RO-Crate requires: --license URL")
            commit, url = self.lake._vault.state.head().number, self.lake._vault.store.url
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
        from sxeslake.exports.report import ExportNotes  # noqa: PLC0415

        for ref in refs:
            inside = folder / _UNSAFE.sub("_", ref)
            inside.mkdir()
            self.lake._pull_into(ref, inside, self.progress)
        try:
            rows = list(self.rows())
        except NotFoundError:  # an archive of something else
            rows = []
        return rows, ExportNotes(len(rows))

    def _fill_selection(self, folder: Path) -> tuple[list[Measured], ExportNotes]:
        from sxeslake.exports import table  # noqa: PLC0415
        from sxeslake.exports.report import ExportNotes  # noqa: PLC0415

        spectra, written = self.spectra(), ExportNotes()
        names, rows = table.spectra_rows(spectra, written)
        inside = folder / "spectra"
        inside.mkdir()
        over = table.condition_rows(spectra, len(names) - len(spectra))
        with (inside / "spectra.csv").open("wb") as file:
            notes = self.notes(written.axis_source, written.warnings)
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

    def _report(self, written: ExportNotes) -> ExportReport:
        from sxeslake.exports.report import ExportReport, files_of  # noqa: PLC0415

        return ExportReport(
            str(self.out), self.to, written.positions, files_of(self.out), written.warnings, written.axis_source
        )


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
