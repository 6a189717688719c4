"""`drill`: pull some files and compare them with the log."""

from __future__ import annotations

import click

from sxeslake.cli.app import App, pass_app
from sxeslake.cli.documents import DRILL, document
from sxeslake.cli.options import LakeCommand
from sxeslake.cli.words import count, shown, size
from sxeslake.errors import NotFoundError

DAMAGED = 5
"""The exit code where a file does not come back."""


@click.command("drill", cls=LakeCommand, example="sxeslake drill\nsxeslake drill --percent 100 --json")
@click.option(
    "--percent",
    type=click.FloatRange(0, 100, min_open=True),
    default=1.0,
    show_default=True,
    help="How many of the versions to pull, in percent; at least one.",
)
@click.option("--seed", type=click.IntRange(min=0), metavar="N", help="Which ones.  [default: others each time]")
@pass_app
def command(app: App, percent: float, seed: int | None) -> int:
    """Pull a random sample of the versions into a temporary folder, and compare SHA-256 with the log.

    Ends with exit code 5 when a file does not come back: run it from a scheduler. A version that has no recipe comes
    back with every name and content in a new container; it counts as restored, and is listed.
    """
    app.kept = lambda: "The lake is unchanged; run the same command again."
    with app.open_lake() as lake:
        report = lake.drill(percent=percent, seed=seed, progress=app.progress())
    code = (0 if report.ok else DAMAGED) if report.files else NotFoundError.exit_code
    if app.as_json:
        app.emit(document(report, DRILL))
        return code
    if not report.files:
        app.complain("Nothing was checked: the lake holds no version.")
        return code
    for row in report.files:
        if row.status != "exact":
            app.print(f"{row.status:<8}   {shown(row.sample)}@{row.version}  {shown(row.reason)}")
    tally = {word: sum(row.status == word for row in report.files) for word in ("exact", "content", "failed")}
    pulled = f"{count(len(report.files), 'version')} of {report.versions:,} pulled"
    total = size(sum(row.bytes for row in report.files))
    app.print(
        f"{pulled}, {total}: {tally['exact']} byte for byte, {tally['content']} in a new container, "
        f"{tally['failed']} failed. --seed {report.seed} repeats it."
    )
    return code
