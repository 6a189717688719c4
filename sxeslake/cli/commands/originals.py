"""`originals`: the vendor's files of a converted archive."""

from __future__ import annotations

from pathlib import Path

import click

from sxeslake.cli.app import App, pass_app
from sxeslake.cli.completion import suggest
from sxeslake.cli.documents import ORIGINALS, document
from sxeslake.cli.options import OUT, PATH, LakeCommand
from sxeslake.cli.passwords import password_file_option, read_passwords
from sxeslake.cli.words import count, shown, size


@click.command(
    "originals",
    cls=LakeCommand,
    example='sxeslake originals "session 12" -o "session 12/"\nsxeslake originals "session 12.plzip" -o "session 12/"',
)
@click.argument("ref", metavar="SAMPLE[@V]|FILE", shell_complete=suggest.sample)
@click.option(*OUT, metavar="DIR", type=PATH, required=True, help="The folder to make; an empty one may be there.")
@password_file_option("Passwords to try on an encrypted 7z or zip, one a line.")
@pass_app
def command(app: App, ref: str, out: str, password_file: str | None) -> None:
    """Give back the files of the instrument, bit for bit, from a sample or from an archive file.

    Works where `sxeslake convert`, or an ingest of the instrument's folder, kept them (`--originals`). Each file is
    rebuilt and held against its SHA-256 before the folder gets its name; nothing that is there is overwritten. Names
    that would leave the folder are refused. What ends in .plzip, .pl7z, .zip or .7z, or is a folder, is a file;
    else it is a sample.
    """
    from sxeslake.ingest.discovery import SUFFIXES, is_group_folder  # noqa: PLC0415  (start-up time of --help)

    path = Path(ref)
    if path.suffix.lower() in SUFFIXES or is_group_folder(path):
        from sxeslake.vendor.writing.restoring import restore  # noqa: PLC0415  (as above)

        report = restore(path, out, password=read_passwords(app, password_file), progress=app.progress())
    else:
        with app.open_lake() as lake:
            report = lake.originals(ref, out, progress=app.progress())
    if app.as_json:
        app.emit(document(report, ORIGINALS))
        return
    files = f"{count(report.vendor_files, 'file')}, {size(report.bytes_written)}, each with its SHA-256"
    app.print(f"restored   {shown(report.path)}  {files}")
