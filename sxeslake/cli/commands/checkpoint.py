"""`checkpoint`: log and catalogue into the bucket, for clients to come."""

from __future__ import annotations

import click

from sxeslake.cli.app import App, pass_app
from sxeslake.cli.documents import document
from sxeslake.cli.recording import RecordedCommand, tell
from sxeslake.cli.words import count, size


@click.command("checkpoint", cls=RecordedCommand, example="sxeslake checkpoint")
@pass_app
def command(app: App) -> None:
    """Publish log and catalogue, so that a new machine need not read the whole log.

    Uploads only what no checkpoint holds yet. Nothing depends on it: every question is answered without one, too.
    """
    with app.open_lake() as lake:
        report = lake.checkpoint()
    tell(app, report)
    if app.as_json:
        app.emit(document(report))
        return
    app.print(
        f"Published commit {report.commit}: {count(report.new_parts, 'new part')} of {report.parts:,}, "
        f"{size(report.new_bytes)} uploaded; the catalogue has {size(report.bytes)}."
    )
