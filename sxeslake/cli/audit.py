"""`audit`: may I delete this original?"""

from __future__ import annotations

import csv
import io

import click

from sxeslake.cli.app import App, pass_app
from sxeslake.cli.documents import AUDIT, document
from sxeslake.cli.options import LakeCommand


@click.command("audit", cls=LakeCommand, example="sxeslake audit 2018/ > audit.csv")
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@pass_app
def command(app: App, paths: tuple[str, ...]) -> None:
    """Say of each file whether the lake holds it: stored, changed or absent.

    "stored" means: this very file was stored, as the version named. "changed" means: another state of it was.
    CSV on stdout, columns path, status, archive, size, sha256. Nothing is deleted.
    """
    with app.open_lake() as lake:
        rows = [document(row, AUDIT) for row in lake.audit(paths, progress=app.progress())]
    if app.as_json:
        app.emit(rows)
        return
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=AUDIT, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    app.print(text.getvalue().rstrip("\n"))
