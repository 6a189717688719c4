"""`verify`: is all there, and right?"""

from __future__ import annotations

import click

from sxeslake.cli.app import App, pass_app
from sxeslake.cli.documents import CHECKED, PROBLEM, VERIFY, document
from sxeslake.cli.options import LakeCommand
from sxeslake.cli.words import count, shown, size

DAMAGED = 5


@click.command("verify", cls=LakeCommand, example="sxeslake verify --data")
@click.option("--data", is_flag=True, help="Read and hash every stored byte, not the structure only.")
@pass_app
def command(app: App, data: bool) -> int:
    """Check the lake: the log, the archives' tables, and with --data every byte.

    The exit code is 5 where something is damaged; the archives that need it are named.
    """
    with app.open_lake() as lake:
        report = lake.verify(data=data, progress=app.progress())
    checked = document(report.checked, CHECKED)
    if app.as_json:
        problems = [document(problem, PROBLEM) for problem in report.problems]
        app.emit(document(report, VERIFY) | {"checked": checked, "problems": problems})
        return 0 if report.ok else DAMAGED
    for problem in report.problems:
        affects = f" Needed by: {', '.join(map(shown, problem.affects))}." if problem.affects else ""
        app.complain(f"{problem.kind}: {shown(problem.object)}: {shown(problem.detail)}.{affects}")
    extent = f"{size(checked['bytes'])} read" if data else "structure only; --data reads every byte"
    found = "All is well" if report.ok else count(len(report.problems), "problem")
    app.print(f"{found}: {count(checked['log_entries'], 'commit')} checked ({extent})")
    if app.verbose:
        app.print(f"{checked['manifests']:,} manifests, {checked['packs']:,} packs, {checked['blobs']:,} blobs")
    return 0 if report.ok else DAMAGED
