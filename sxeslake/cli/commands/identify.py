"""`identify`: what a file or folder of an instrument is, judged by its content."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sxeslake.cli.app import App, pass_app
from sxeslake.cli.documents import IDENTIFY
from sxeslake.cli.options import LakeCommand
from sxeslake.cli.words import count, shown, table
from sxeslake.errors import InputError

if TYPE_CHECKING:
    from sxeslake.vendor.classify import Classified


@click.command(
    "identify", cls=LakeCommand, example='sxeslake identify "D:/EPMA User/session 12"\nsxeslake identify spectra/*.emsa'
)
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="PATH...")
@pass_app
def command(app: App, paths: tuple[Path, ...]) -> None:
    """Tell what files and folders of an instrument are.

    A folder is searched whole: acquisitions of several files are one line. Files are judged by their content; a
    suffix that says something else is noted. Files that no reader knows are named by their first bytes, else they are
    unknown. Nothing is changed. Needs no lake; `sxeslake formats` lists what is recognised.
    """
    from sxeslake.vendor.classify import classify  # noqa: PLC0415  (start-up time of --help)
    from sxeslake.vendor.tree import FolderTree  # noqa: PLC0415  (as above)

    if missing := next((path for path in paths if not path.exists()), None):
        raise InputError("does not exist.", where=missing)
    rows = [row for path in paths for row in _rows(path, classify(FolderTree(path)))]
    if app.as_json:
        app.emit(rows)
        return
    for line in table(("path", "what", "files", "note"), [_cells(row) for row in rows]):
        app.print(line)
    files = sum(len(row["files"]) for row in rows)
    known = sum(len(row["files"]) for row in rows if row["reader"] is not None)
    app.say(f"{known} of {count(files, 'file')} recognised")


def _rows(path: Path, classified: Classified) -> Iterator[dict[str, Any]]:
    """A row a finding, then a row a file that no reader takes, as the JSON document has them."""
    below = path if path.is_dir() else path.parent
    for finding in classified.findings:
        yield _row(
            str(below / finding.path),
            finding.what,
            finding.reader,
            finding.confidence,
            [*finding.files],
            [*finding.notes],
        )
    for left in classified.leftovers:
        yield _row(str(below / left.path), left.what, None, None, [left.path], [*left.notes])


def _row(*values: object) -> dict[str, Any]:
    return dict(zip(IDENTIFY, values, strict=True))


def _cells(row: dict[str, Any]) -> tuple[str, str, int, str]:
    return shown(row["path"]), shown(row["kind"]), len(row["files"]), shown("; ".join(row["notes"]))
