"""`stats`: the lake in numbers."""

from __future__ import annotations

import click

from sxeslake.cli.app import App, pass_app
from sxeslake.cli.documents import STATS, document
from sxeslake.cli.options import LakeCommand
from sxeslake.cli.words import count, percent, size


@click.command("stats", cls=LakeCommand, example="sxeslake stats")
@pass_app
def command(app: App) -> None:
    """Say how much the lake holds, and how little room it takes."""
    with app.open_lake() as lake:
        stats = lake.stats()
    if app.as_json:
        app.emit(document(stats, STATS))
        return
    app.print(
        f"{count(stats.archives, 'archive')} of {count(stats.samples, 'sample')}, {stats.members:,} files and folders"
    )
    app.print(f"{size(stats.bytes_source):>10}  as they came")
    app.print(f"{size(stats.bytes_raw):>10}  unpacked, {size(stats.bytes_unique_raw)} without repetitions")
    app.print(
        f"{size(stats.bytes_stored):>10}  in the lake: {percent(stats.bytes_stored, stats.bytes_source)} of what came"
    )
    if app.verbose:
        app.print(
            f"{stats.blobs:,} blobs, {stats.packs:,} packs, {stats.objects:,} objects, {stats.log_head:,} commits"
        )
