"""Tables for spreadsheets, Origin and pandas: spectra a column each, or a row a position with a region's counts.

CSV is UTF-8 without a byte order mark, as pandas, numpy and Origin want it. Lines that start with `#` say what the file
is and, column by column, how each position was measured; `pandas.read_csv(path, comment="#")` reads the rest.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, BinaryIO, Final

import numpy as np

from sxeslake.archive.spectra.measured import COLUMNS
from sxeslake.archive.spectra.reading import LeftOut, SpectraBatch
from sxeslake.archive.spectra.roi import Integrator
from sxeslake.archive.spectra.spectra import Spectra
from sxeslake.errors import NotFoundError, UsageError
from sxeslake.exports.report import ExportNotes, axes_of
from sxeslake.extras import load
from sxeslake.text.safe import inert, visible

Guard = Callable[[str], str]
Row = Sequence[Any]

CONDITIONS: Final = tuple(name for name in COLUMNS if name not in ("sample", "version"))
_AXIS_NAMES: Final = {"wavelength": "wavelength_angstrom", "energy": "energy_ev"}
_QUOTED: Final = re.compile(r'[,"#\r\n]|^\s|\s$')
_NOT_IN_XML: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_MOST_COLUMNS: Final = 16_384  # of an Excel sheet
_MOST_ROWS: Final = 1_048_576


def spectra_rows(spectra: Spectra, written: ExportNotes) -> tuple[list[str], Iterator[Row]]:
    """The names of the columns and the rows, a channel each; `written` gets the axes' source and warnings."""
    axes, warnings = axes_of(spectra)
    written.positions = len(spectra)
    written.warnings = [*spectra.warnings, *warnings]
    written.axis_source = axes[0].source if axes else None
    names = ["channel", *(_AXIS_NAMES[axis.kind] for axis in axes), *(row.name for row in spectra.rows)]
    columns = np.array([axis.values for axis in axes]).T
    rows = (
        [channel, *(columns[channel].tolist() if axes else ()), *spectra.values[:, channel].tolist()]
        for channel in range(spectra.values.shape[1])
    )
    return names, rows


def condition_rows(spectra: Spectra, leading: int) -> Iterator[list[Any]]:
    """Each condition as a row that stands over the spectra's columns: its name, blanks, a value a position."""
    for name in CONDITIONS:
        values = [getattr(row, name) for row in spectra.rows]
        if any(value is not None for value in values):
            yield [name, *[None] * (leading - 1), *values]


def region_rows(
    integrator: Integrator, batches: Iterable[SpectraBatch], left_out: LeftOut, written: ExportNotes
) -> Iterator[list[Any]]:
    """A row a position, batch by batch; `written` is complete when the last is out."""
    refused: UsageError | None = None
    for batch in batches:
        try:
            found = integrator.integrate([batch], left_out)
        except UsageError as error:
            refused = refused or error
            continue
        yield from (list(record.values()) for record in found.records())
        written.positions += len(found)
        written.axis_source = "; ".join(dict.fromkeys([*(written.axis_source or "").split("; "), *found.axis_sources]))
    if not written.positions:
        raise refused or NotFoundError(left_out.summary() if left_out else "no position fits.")
    written.axis_source = (written.axis_source or "").strip("; ") or None
    written.warnings = [left_out.summary()] if left_out else []
    if written.axis_source and "derived:" in written.axis_source:
        written.warnings.append(f"the axis is not measured: {written.axis_source}")


REGION_COLUMNS: Final = (*COLUMNS, "roi", "roi_channels")


def write_csv(
    out: BinaryIO, notes: Iterable[str], over: Iterable[Row], names: Row, rows: Iterable[Row], *, raw: bool = False
) -> None:
    """Comments, rows over the columns, the names, the rows."""
    guard: Guard = str if raw else inert
    for note in notes:
        out.write(f"# {visible(note)}\n".encode())
    for row in over:
        out.write(("# " + _line(row, guard)).encode())
    out.write(_line(names, guard).encode())
    for row in rows:
        out.write(_line(row, guard).encode())


def _line(row: Row, guard: Guard) -> str:
    return ",".join(_csv_cell(value, guard) for value in row) + "\n"


def _csv_cell(value: Any, guard: Guard) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float | int):
        return repr(value)
    text = value.isoformat(" ") if isinstance(value, datetime) else guard(visible(value))
    return '"' + text.replace('"', '""') + '"' if _QUOTED.search(text) else text


def write_xlsx(out: BinaryIO, sheets: Iterable[tuple[str, Iterable[Row]]], *, raw: bool = False) -> None:
    """Sheets with their rows, the first of each bold and frozen."""
    openpyxl = load("openpyxl", "excel", "xlsx")
    cells, styles = load("openpyxl.cell", "excel", "xlsx"), load("openpyxl.styles", "excel", "xlsx")
    guard: Guard = str if raw else inert
    book = openpyxl.Workbook(write_only=True)
    opened = []

    def cell(sheet: Any, value: Any, *, bold: bool) -> Any:
        if isinstance(value, str):
            value = guard(_NOT_IN_XML.sub("\ufffd", value))[:32_767]  # a cell's own limit
        made = cells.WriteOnlyCell(sheet, value=value)
        if isinstance(value, str):
            made.data_type = "s"
        if bold:
            made.font = styles.Font(bold=True)
        return made

    try:
        for title, rows in sheets:
            sheet = book.create_sheet(title)
            sheet.freeze_panes = "A2"
            opened.append(sheet)
            for number, row in enumerate(rows):
                if number >= _MOST_ROWS or len(row) > _MOST_COLUMNS:
                    raise UsageError(
                        f"an Excel sheet holds {_MOST_ROWS:,} rows and {_MOST_COLUMNS:,} columns; there are more.",
                        hint="Export to csv.",
                    )
                sheet.append([cell(sheet, value, bold=number == 0) for value in row])
    except BaseException:
        for sheet in opened:
            sheet.close()  # else openpyxl's own temporary file stays half open
        raise
    book.save(out)
