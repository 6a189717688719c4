"""`audit`: may I delete this original?"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from sxeslake.cli.app import App, pass_app
from sxeslake.cli.documents import AUDIT, AUDIT_VERIFIED, document
from sxeslake.cli.options import OUT, PATH, LakeCommand, links_option, raw_option, tree_option
from sxeslake.cli.passwords import password_file_option, read_passwords
from sxeslake.cli.words import count, size, table
from sxeslake.errors import NotFoundError

if TYPE_CHECKING:
    from sxeslake.ingest.audit.run import AuditRow
    from sxeslake.lake import Lake

NOT_ALL = 4
"""The exit code where something is not stored, or could not be read."""


@click.command(
    "audit",
    cls=LakeCommand,
    example="sxeslake audit 2018/ map.plzip\n"
    "sxeslake audit 2018/ --check-data -o audit.csv\n"
    "sxeslake audit --verify audit.csv",
)
@click.argument("paths", nargs=-1, metavar="PATH...", type=PATH)
@click.option(
    "--check-data", is_flag=True, help="Read and hash the lake's packs, too, not only see that they are there."
)
@click.option(
    "--accept",
    type=click.Choice(["same-content", "skipped"]),
    multiple=True,
    help="Do not take this status for a failure. Repeat for more.",
)
@tree_option
@links_option
@password_file_option("Passwords to try on encrypted 7z and zip archives, one a line.")
@click.option(*OUT, metavar="FILE", type=PATH, help="Write the CSV to a file.")
@click.option("--force", is_flag=True, help="Write over a report that is there.")
@raw_option
@click.option("--verify", metavar="REPORT", type=PATH, help="See whether a report still holds; needs no PATH.")
@pass_app
def command(
    app: App,
    paths: tuple[str, ...],
    check_data: bool,
    accept: tuple[str, ...],
    tree: bool,
    links: Literal["follow", "keep", "skip"],
    password_file: str | None,
    out: str | None,
    force: bool,
    raw: bool,
    verify: str | None,
) -> int:
    """Tell of each file whether the lake gives it back, before it is deleted: stored, same-content, changed, ...

    "stored": a pull gives back this file byte for byte. "same-content": every name and content, but not what the
    column `differs` lists. "changed": the lake holds another state of this file. "damaged": this file, or what the
    lake has of it, is damaged. "absent", "unreadable", "skipped" (a link): the lake gives back nothing of it. "link":
    a link with which nothing is lost.

    CSV on stdout, on a terminal a table. Nothing is deleted. The exit code is 4 unless all is stored,
    and 3 where there is no file.
    """
    if (verify is None) == (not paths):
        raise click.UsageError("name files or folders, or a report with --verify.")
    passwords = read_passwords(app, password_file)
    with app.open_lake() as lake:
        if verify is not None:
            return _verify(app, lake, verify, check_data=check_data, raw=raw)
        rows = lake.audit(
            paths, check_data=check_data, tree=tree, links=links, passwords=passwords, progress=app.progress()
        )
    if not rows:
        raise NotFoundError("no file is in there, so nothing was checked.", where=", ".join(paths))
    documents = [document(row, AUDIT) for row in rows]
    if out is not None:
        from sxeslake.disk.output import written_file  # noqa: PLC0415  (start-up time of --help)

        with written_file(Path(out), force=force) as file:
            file.write(_csv(documents, AUDIT, raw=raw).encode())
    if app.as_json:
        app.emit(documents)
    elif out is None and sys.stdout.isatty():
        cells = [
            (row.status, row.archive or "", size(row.size), row.path, row.reason or ", ".join(row.differs or ()))
            for row in rows
        ]
        _print_table(app, ("status", "version", "size", "file", "because"), cells)
    elif out is None:
        app.print_data(_csv(documents, AUDIT, raw=raw).rstrip("\n"))
    safe = [row for row in rows if row.is_safe or row.status in accept]
    app.say(_summary(rows, safe))
    if not rows:
        app.complain("Nothing was checked: there is no file in what was named.")
        return NotFoundError.exit_code
    return 0 if len(safe) == len(rows) else NOT_ALL


def _verify(app: App, lake: Lake, report: str, *, check_data: bool, raw: bool) -> int:
    rows = lake.verify_audit(report, check_data=check_data, progress=app.progress())
    documents = [document(row, AUDIT_VERIFIED) for row in rows]
    if app.as_json:
        app.emit(documents)
    elif sys.stdout.isatty():
        cells = [("yes" if row.holds else "no", row.was, row.status, row.archive or "", row.path) for row in rows]
        _print_table(app, ("holds", "was", "is", "version", "file"), cells)
    else:
        app.print_data(_csv(documents, AUDIT_VERIFIED, raw=raw).rstrip("\n"))
    failed = sum(not row.holds for row in rows)
    never = sum(row.was not in ("stored", "same-content") for row in rows)
    claims = f"; {count(never, 'row')} named nothing as stored" if never else ""
    app.say(f"{count(len(rows), 'row')}: {len(rows) - failed:,} hold, {failed:,} do not{claims}")
    return NOT_ALL if failed else 0


def _print_table(app: App, headings: Sequence[str], cells: Sequence[Sequence[str]]) -> None:
    """The rows that matter most to a person; all columns are in the CSV of a pipe or of -o."""
    for line in table(headings, cells):
        app.print(line)


def _csv(documents: Sequence[dict[str, object]], columns: Sequence[str], *, raw: bool) -> str:
    from sxeslake.ingest.audit.report import written  # noqa: PLC0415  (start-up time of --help)

    return written(documents, columns, raw=raw)


def _summary(rows: Sequence[AuditRow], safe: Sequence[AuditRow]) -> str:
    """`12 files: 9 stored, 2 same-content, 1 absent; 34.1 MB may be deleted`."""
    tally = Counter(row.status for row in rows)
    words = ", ".join(f"{tally[status]:,} {status}" for status in dict.fromkeys(row.status for row in rows))
    may = f"{size(sum(row.size for row in safe))} of {size(sum(row.size for row in rows))} may be deleted"
    return f"{count(len(rows), 'file')}{': ' if words else ''}{words}; {may}"
