"""`sync`: an unpacked folder, brought up to date."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from sxeslake.cli.app import App, pass_app
from sxeslake.cli.documents import SYNC, document
from sxeslake.cli.options import DRY_RUN, LakeCommand, sample_argument
from sxeslake.cli.words import count, shown, size

if TYPE_CHECKING:
    from sxeslake.pull.folder.sync import SyncReport


@click.command("sync", cls=LakeCommand, example="sxeslake sync map map/\nsxeslake sync map@2 map/ --delete --dry-run")
@sample_argument
@click.argument("folder", type=click.Path(file_okay=False))
@click.option("--delete", is_flag=True, help="Remove what is in the folder and not in the archive.")
@click.option(*DRY_RUN, is_flag=True, help="Say what would be done and moved; do nothing.")
@pass_app
def command(app: App, ref: str, folder: str, delete: bool, dry_run: bool) -> None:
    """Bring an unpacked folder up to date, moving only what differs.

    Files are compared by content, written one by one, each in one step: an interrupted sync is taken up again by the
    same command. What is in the folder and not in the archive stays, unless --delete is given; --delete refuses a
    folder that is not mostly the archive's own, of any version.
    """
    if dry_run:
        app.kept = lambda: "Nothing was changed."
    else:
        app.kept = lambda: "Files that were written are whole; run the same command again to continue."
    with app.open_lake() as lake:
        report = lake.sync(ref, folder, delete=delete, dry_run=dry_run, progress=app.progress())
    if app.as_json:
        app.emit(document(report, SYNC))
    else:
        for line in _lines(report):
            app.print(line)
    for before, after in report.renamed:
        app.say(f"renamed    {shown(before)} is {shown(after)} on disk")
    for path in report.unlinked:
        app.say(f"unlinked   {shown(path)} is a link that could lead out of the folder; a file holds its target")


def _lines(report: SyncReport) -> list[str]:
    what = "would sync" if report.dry_run else "synced"
    added, changed, removed = (
        ("to add", "to change", "to remove") if report.dry_run else ("added", "changed", "removed")
    )
    counts = (
        f"{report.added:,} {added}, {report.changed:,} {changed}, {report.removed:,} {removed}, "
        f"{report.unchanged:,} as is"
    )
    lines = [f"{what:<10} {shown(report.sample)}@{report.version} → {shown(report.path)}  {counts}"]
    written, moved = ("to write", "to move") if report.dry_run else ("written", "moved")
    lines.append(f"           {size(report.bytes_written)} {written}, {size(report.bytes_moved)} {moved} from the lake")
    if report.extra:
        lines.append(f"           {count(report.extra, 'entry', 'entries')} not in the archive left alone (--delete)")
    return lines
