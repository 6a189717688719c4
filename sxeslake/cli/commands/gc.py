"""`gc`: free what no version needs."""

from __future__ import annotations

import click

from sxeslake.cli.app import App, pass_app
from sxeslake.cli.documents import GC, document
from sxeslake.cli.options import DRY_RUN
from sxeslake.cli.recording import RecordedCommand, tell
from sxeslake.cli.words import count, shown, size

DAMAGED = 5
"""The exit code where damage was met; what could be collected safely was."""


@click.command("gc", cls=RecordedCommand, example="sxeslake gc --dry-run\nsxeslake gc --grace 1h")
@click.option(
    "--grace",
    metavar="SPAN",
    help="Collect only versions forgotten longer ago than SPAN (30s, 10m, 12h, 7d, 2w), and delete unneeded objects "
    "and unfinished uploads only when they are older. 0 deletes all at once, also uploads of a running ingest.  "
    "[default: 7d for forgotten versions, 0 for unneeded objects, 1h for uploads]",
)
@click.option(*DRY_RUN, is_flag=True, help="Show what would be deleted; change nothing.")
@click.option("--compact", is_flag=True, help="Join all packs that are not nearly full, such as many workers leave.")
@click.option("-m", "--message", help="Why, for the log.")
@pass_app
def command(app: App, grace: str | None, dry_run: bool, compact: bool, message: str | None) -> int:
    """Free the room of forgotten versions and of interrupted uploads; rewrite packs that are badly filled.

    Others may read and write meanwhile. Versions forgotten less than a week ago stay restorable, unless --grace says
    otherwise; so do uploads of the last hour that no commit names yet. Ages are counted by the bucket's clock. Can be
    interrupted at any moment; the next gc goes on.
    """
    if dry_run:
        app.kept = lambda: "Nothing was changed."
    else:
        app.kept = lambda: "The lake is whole; run the same command again to continue."
    with app.open_lake() as lake:
        report = lake.gc(grace=grace, dry_run=dry_run, compact=compact, message=message, progress=app.progress())
    tell(app, report)
    if app.as_json:
        app.emit(document(report, GC))
        return DAMAGED if report.damaged else 0
    would = "would be " if dry_run else ""
    for name in report.collected:
        app.print(f"{'would collect' if dry_run else 'collected '} {shown(name)}")
    net = report.bytes_freed - report.bytes_written
    copied = (
        f" ({size(report.bytes_freed)} less {size(report.bytes_written)} rewritten)" if report.bytes_written else ""
    )
    app.print(f"{size(net) if net >= 0 else '-' + size(-net)} {would}freed{copied}")
    if report.packs_condemned or report.manifests_condemned:
        rewritten = f", {report.packs_rewritten:,} of them rewritten" if report.packs_rewritten else ""
        packs, manifests = count(report.packs_condemned, "pack"), count(report.manifests_condemned, "manifest")
        app.say(f"{packs} and {manifests} {would}condemned{rewritten}.")
    for reason in report.later:
        app.say(f"Not yet: {reason}.")
    for line in report.damaged:
        app.complain(f"damaged    {line}")
    if report.damaged:
        app.complain("No whole copy was dropped. Run `sxeslake repair`: it rewrites what is damaged.")
    return DAMAGED if report.damaged else 0
