"""`copy`: archives from one lake into another."""

from __future__ import annotations

import click

from sxeslake.cli.app import App, pass_app
from sxeslake.cli.documents import COPIED, COPY, document
from sxeslake.cli.options import LakeCommand
from sxeslake.cli.words import count, shown

DAMAGED = 5


@click.command(
    "copy",
    cls=LakeCommand,
    example='sxeslake copy facility /mnt/backup/lake\nsxeslake copy facility ./mine "2018/*" ti-grains@2',
)
@click.argument("source", metavar="SRC")
@click.argument("target", metavar="DST")
@click.argument("refs", nargs=-1, metavar="[SAMPLE[@V]]...")
@pass_app
def command(app: App, source: str, target: str, refs: tuple[str, ...]) -> int:
    """Copy a whole lake, or some samples, into another lake: the second copy that every facility needs.

    Every byte is checked on the way. Names, versions, tags, annotations, who stored an archive and when go with it.
    Run again, it copies what is new. DST is made with `sxeslake init` first. The exit code is 5 where the source has
    lost content.
    """
    with app.open_named(source) as lake, app.open_named(target) as other:
        report = lake.copy_to(other, refs, progress=app.progress())
    if app.as_json:
        app.emit(document(report, COPY) | {"archives": [document(row, COPIED) for row in report.archives]})
        return DAMAGED if report.failed else 0
    for row in report.archives:
        if row.status == "failed":
            app.complain(f"failed     {shown(row.sample)}@{row.version}: {shown(row.error)}")
        elif row.status == "copied" or app.verbose:
            name = f"{shown(row.sample)}@{row.version}"
            now = "" if row.to_version == row.version else f" as {shown(row.sample)}@{row.to_version}"
            app.print(f"{row.status:10} {name}{now}")
    tally = {status: sum(row.status == status for row in report.archives) for status in ("copied", "present", "failed")}
    app.print(
        f"{count(len(report.archives), 'archive')}: {tally['copied']} copied, {tally['present']} there already, "
        f"{tally['failed']} failed"
    )
    return DAMAGED if report.failed else 0
