"""`plan`: what an ingest by many workers would take in, and which archives belong together."""

from __future__ import annotations

import shlex
from typing import Literal

import click

from sxeslake.cli.app import App, pass_app
from sxeslake.cli.commands.ingest import FAILED
from sxeslake.cli.documents import MISSED, PLAN, document
from sxeslake.cli.options import OUT, PATH, LakeCommand, form_option, links_option, tree_option
from sxeslake.cli.words import count, percent, shown, size


@click.command(
    "plan",
    cls=LakeCommand,
    example="sxeslake plan /mnt/share -o plan.parquet\nsxeslake ingest --plan plan.parquet --workers 8",
)
@click.argument("paths", nargs=-1, required=True, metavar="PATH...", type=PATH)
@click.option(*OUT, metavar="FILE", type=PATH, required=True, help="The plan, a Parquet file; brought up to date.")
@tree_option
@form_option
@links_option
@pass_app
def command(
    app: App,
    paths: tuple[str, ...],
    out: str,
    tree: bool,
    as_: Literal["auto", "vendor", "tree"],
    links: Literal["follow", "keep", "skip"],
) -> int:
    """Plan an ingest by several workers or machines: a Parquet file with a row an archive.

    Finds what `sxeslake ingest` would. A row has path, relative name (of which the sample's name is made), kind, size,
    mtime and group. Archives that are likely to share content have one group, which one worker ingests: files of equal
    SHA-256, archives with members of equal size and CRC-32, and files of one name. The SHA-256 is made of files up to
    1 MiB, and of larger ones that agree with another in size, head and tail. Groups are numbered by size.

    Run again with the same FILE, files of unchanged size and time are not read again; also after Ctrl-C. No lake is
    needed. The exit code is 4 where something cannot be searched.
    """
    from sxeslake.clusters.planning import plan  # noqa: PLC0415  (start-up time of --help)

    app.kept = lambda: "What was read is kept in the plan; run the same command again to continue."
    report = plan(paths, out, tree=tree, as_=as_, links=links, progress=app.progress())
    for each in report.missed:
        app.complain(f"{each.status:10} {shown(each.path)}: {shown(each.error)}")
    if app.as_json:
        missed = [document(each, MISSED) for each in report.missed]
        app.emit(document(report, PLAN) | {"missed": missed})
        return FAILED if report.failed else 0
    for path in report.unrecognised:
        app.say(f"skipped    {shown(path)}: not an archive")
    reused = f"; {report.reused:,} as in the plan before" if report.reused else ""
    copies = f", {count(report.copies, 'copy', 'copies')}" if report.copies else ""
    app.print(
        f"{count(report.archives, 'archive')}, {size(report.bytes_source)}{copies}, in "
        f"{count(report.groups, 'group')}; the largest has {size(report.bytes_largest_group)} "
        f"({percent(report.bytes_largest_group, report.bytes_source)}){reused}"
    )
    app.print(f"Next: sxeslake ingest --plan {shlex.quote(shown(report.path))} --workers N")
    return FAILED if report.failed else 0
