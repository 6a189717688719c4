"""`copy`: archives from one lake into another."""

from __future__ import annotations

import click

from sxeslake.cli.app import App, pass_app
from sxeslake.cli.completion import suggest
from sxeslake.cli.documents import COPIED, COPY, document
from sxeslake.cli.options import DRY_RUN, other_storage_option
from sxeslake.cli.recording import RecordedCommand, tell
from sxeslake.cli.words import count, shown, size

DAMAGED = 5


@click.command(
    "copy",
    cls=RecordedCommand,
    params=[other_storage_option("from", "SRC"), other_storage_option("to", "DST")],
    example='sxeslake copy facility /mnt/backup/lake\nsxeslake copy facility ./mine "2018/*" ti-grains@2',
)
@click.argument("source", metavar="SRC", shell_complete=suggest.lake)
@click.argument("target", metavar="DST", shell_complete=suggest.lake)
@click.argument("refs", nargs=-1, metavar="[SAMPLE[@V]]...", shell_complete=suggest.source_sample)
@click.option(*DRY_RUN, is_flag=True, help="Say what would be copied, and how much; write nothing.")
@pass_app
def command(
    app: App,
    source: str,
    target: str,
    refs: tuple[str, ...],
    dry_run: bool,
    from_options: dict[str, str],
    to_options: dict[str, str],
) -> int:
    """Copy a whole lake, or some samples, into another lake: the second copy that every facility needs.

    Every byte is checked on the way. Names, versions, tags, annotations, who stored an archive and when go with it;
    calibrations go with a whole lake.
    Run again, it copies what is new. DST is made with `sxeslake init` first. The exit code is 5 where the source has
    lost content.

    Settings of a storage are given for each side; those of one are never sent to the other.
    """
    if app.storage_options:
        _place_options(app, (source, from_options), (target, to_options))
    if dry_run:
        app.kept = lambda: "Nothing was changed."
    else:
        app.kept = lambda: "What was committed is kept in DST; run the same command again to continue."
    with (
        app.open_named(source, storage_options=from_options) as lake,
        app.open_named(target, storage_options=to_options) as other,
    ):
        report = lake.copy_to(other, refs, dry_run=dry_run, progress=app.progress())
    tell(app, report)
    if app.as_json:
        app.emit(document(report, COPY) | {"archives": [document(row, COPIED) for row in report.archives]})
        return DAMAGED if report.failed else 0
    for row in report.archives:
        if row.status == "failed":
            app.complain(
                f"{'would fail' if dry_run else 'failed    '} {shown(row.sample)}@{row.version}: {shown(row.error)}"
            )
        elif row.status == "copied" or app.verbose:
            name = f"{shown(row.sample)}@{row.version}"
            now = "" if row.to_version in (None, row.version) else f" as {shown(row.sample)}@{row.to_version}"
            status = "would copy" if dry_run and row.status == "copied" else row.status
            app.print(f"{status:10} {name}{now}")
    tally = {status: sum(row.status == status for row in report.archives) for status in ("copied", "present", "failed")}
    copied, failed = ("would be copied", "would fail") if dry_run else ("copied", "failed")
    moved = f"; {size(report.bytes_raw)} of content, unpacked, would be copied" if dry_run else ""
    app.print(
        f"{count(len(report.archives), 'archive')}: {tally['copied']} {copied}, {tally['present']} there already, "
        f"{tally['failed']} {failed}{moved}"
    )
    return DAMAGED if report.failed else 0


def _place_options(app: App, *sides: tuple[str, dict[str, str]]) -> None:
    """Give --storage-option to the one side that can take it; with two remote lakes it would be a guess."""
    from sxeslake.settings import resolve_lake  # noqa: PLC0415  (start-up time of --help)
    from sxeslake.storage.address import is_remote  # noqa: PLC0415  (as above)

    remote = [options for word, options in sides if is_remote(resolve_lake(word)[0])]
    if len(remote) != 1:
        raise click.UsageError("--storage-option: use --from-storage-option for SRC, --to-storage-option for DST.")
    remote[0].update(app.storage_options)
