"""`repair`: put right what `verify` finds wrong."""

from __future__ import annotations

import click

from sxeslake.cli.app import App, pass_app
from sxeslake.cli.completion import suggest
from sxeslake.cli.documents import LOST, MENDED, OFFER_FAULT, REPAIR, document
from sxeslake.cli.options import DRY_RUN, other_storage_option
from sxeslake.cli.passwords import password_file_option, read_passwords
from sxeslake.cli.recording import RecordedCommand, tell
from sxeslake.cli.words import count, shown

DAMAGED = 5


@click.command(
    "repair",
    cls=RecordedCommand,
    params=[other_storage_option("from", "lakes of --from")],
    example="sxeslake repair --dry-run\nsxeslake repair --from map.plzip --from s3://copy/lake",
)
@click.option(
    "--from",
    "offers",
    multiple=True,
    metavar="PATH|LAKE",
    shell_complete=suggest.lake_or_file,
    help="An archive, a folder of archives, or another lake with content that this one lost. Repeat for more.",
)
@password_file_option("Passwords to try on encrypted archives of --from, one a line.")
@click.option(*DRY_RUN, is_flag=True, help="Show what would be repaired and what is lost; change nothing.")
@pass_app
def command(
    app: App, offers: tuple[str, ...], password_file: str | None, dry_run: bool, from_options: dict[str, str]
) -> int:
    """Repair the lake: the log, the archives' tables, packs, and whatever is derived from them.

    Damaged packs and tables are rewritten, never over; log entries get their own bytes back, from a checkpoint, a
    cache or another lake. What cannot be repaired is listed by archive and member, the rest stays readable; the exit
    code is then 5. Offers that cannot be read are warnings only.
    """
    passwords = read_passwords(app, password_file)
    with app.open_lake(tolerant=True) as lake:
        report = lake.repair(
            offers, from_storage_options=from_options, dry_run=dry_run, passwords=passwords, progress=app.progress()
        )
    tell(app, report)
    if app.as_json:
        parts = {
            "mended": [document(item, MENDED) for item in report.mended],
            "lost": [document(item, LOST) for item in report.lost],
            "offer_faults": [document(item, OFFER_FAULT) for item in report.offer_faults],
        }
        app.emit(document(report, REPAIR) | parts)
        return 0 if report.ok else DAMAGED
    verb = "would repair" if dry_run else "repaired    "
    for item in report.mended:
        app.print(f"{verb} {shown(item.object)}: {item.detail}")
    for lost in report.lost:
        member = f": {shown(lost.member)}" if lost.member else ""
        app.complain(f"lost       {shown(lost.archive)}{member}: {shown(lost.detail)}")
    for fault in report.offer_faults:
        app.complain(f"warning: offered, and cannot be read: {shown(fault.offer)}: {shown(fault.detail)}")
    if not report.problems:
        app.print("Nothing is wrong.")
    else:
        left = "would be left" if dry_run else "left"
        app.print(f"{count(report.problems, 'problem')} found, {len(report.lost):,} {left}")
    return 0 if report.ok else DAMAGED
