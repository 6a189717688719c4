"""`convert`: files and folders of instruments into one archive."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from sxeslake.cli.app import App, pass_app
from sxeslake.cli.documents import CONVERT, document
from sxeslake.cli.options import DRY_RUN, OUT, PATH, LakeCommand, jobs_option
from sxeslake.cli.words import count, percent, shown, size, table
from sxeslake.machine.processes import keep_little

if TYPE_CHECKING:
    from sxeslake.vendor.writing.convert import ConversionReport, RecognisedRow


NOT_ALL = 4
"""The exit code where a file or a link was left out."""


@click.command(
    "convert",
    cls=LakeCommand,
    example='sxeslake convert "D:/EPMA User/session 12" -o "session 12.plzip"\nsxeslake convert Ti_0001_QLW --dry-run',
)
@click.argument("raw", nargs=-1, required=True, metavar="RAW...", type=PATH)
@click.option(*OUT, metavar="FILE", type=PATH, help="The archive: .plzip or .pl7z.")
@click.option(*DRY_RUN, is_flag=True, help="Read everything, say what is recognised and what is odd, write nothing.")
@click.option(
    "--originals",
    type=click.Choice(["recipe", "members", "none"]),
    default="recipe",
    show_default=True,
    help="Keep the vendor's files: by a recipe that rebuilds each bit for bit, as members of their own, or not.",
)
@click.option("--level", type=click.IntRange(0, 9), help="0 copies, 1 is fast, 9 is small.  [default: 1]")
@click.option("-f", "--force", is_flag=True, help="Replace a FILE that is there.")
@jobs_option
@pass_app
def command(
    app: App,
    raw: tuple[str, ...],
    out: str | None,
    dry_run: bool,
    originals: Literal["recipe", "members", "none"],
    level: int | None,
    force: bool,
    jobs: int | None,
) -> int:
    """Convert files of instruments: spectra, maps, pictures and point analyses of whole folders into one archive.

    Files are recognised by their content (`sxeslake formats` lists what is read). What no reader takes goes in as an
    original, so that no byte is lost: `sxeslake originals` gives every file back. The finished archive is read again
    and proved before it gets its name. The same files give the same archive. Needs no lake and no vendor's software.
    The exit code is 4 where a file cannot be read, or a link was not followed.
    """
    if out is None and not dry_run:
        raise click.UsageError("name the archive: -o FILE.plzip, or look first: --dry-run.")
    from sxeslake.archive.container import DEFAULT_LEVEL  # noqa: PLC0415  (start-up time of --help)
    from sxeslake.vendor.writing.convert import convert  # noqa: PLC0415  (as above)

    keep_little()
    report = convert(
        raw, out, originals=originals, dry_run=dry_run, force=force, threads=jobs,
        level=DEFAULT_LEVEL if level is None else level, progress=app.progress(),
    )  # fmt: skip
    for left in report.left_out:
        app.complain(f"left out   {shown(left)}")
    for warning in report.warnings:
        app.complain(f"warning    {shown(warning)}")
    if app.as_json:
        app.emit(document(report, CONVERT))
    else:
        _print(app, report)
    return NOT_ALL if report.left_out else 0


def _print(app: App, report: ConversionReport) -> None:
    if report.dry_run:
        heads = ("path", "what", "files", "reader", "encoding", "note")
        for line in table(heads, [_cells(row) for row in report.recognised]):
            app.print(line)
    for line in _summary(report):
        app.print(line)


def _cells(row: RecognisedRow) -> tuple[object, ...]:
    reader = row.reader or "none"
    notes = shown("; ".join(row.notes))
    return shown(row.path), shown(row.kind), len(row.files), reader, ", ".join(row.encodings), notes


def _summary(report: ConversionReport) -> list[str]:
    """`converted  session 12.plzip  14 positions, 2 maps; 45 files, 6.2 MB in 3.1 MB (50 %)`, and what of originals."""
    read = sum(len(row.files) for row in report.recognised if row.reader is not None)
    files = f"{read:,} of {count(report.vendor_files, 'file')} recognised, {size(report.bytes_source)}"
    if report.dry_run:
        return [f"would hold {report.contents}; {files}"]
    took = f"in {size(report.bytes_written)} ({percent(report.bytes_written, report.bytes_source)})"
    lines = [f"converted  {shown(Path(report.path or '').name)}  {report.contents}; {files} {took}"]
    if report.originals != "none":
        lines.append(f"proved     {report.files_proved:,} of {count(report.vendor_files, 'file')} can be given back")
    return lines
