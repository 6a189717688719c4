"""`pull`: archives out of the lake."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from ..errors import SxeslakeError
from ..model import ContainerKind
from .app import App, pass_app
from .destinations import STDOUT, Target, Wanted, container_of, one, several
from .documents import PULL, document
from .options import LakeCommand
from .refs import samples_argument
from .words import count, shown, size

if TYPE_CHECKING:
    from ..lake import Lake, PullReport


@click.command(
    "pull",
    cls=LakeCommand,
    example='sxeslake pull map@2 -o map.pl7z\nsxeslake pull map -o map/\nsxeslake pull "2018/*" -o out/',
)
@samples_argument
@click.option("-o", "--out", metavar="OUT", help="A file (.pl7z .7z .plzip .zip), a folder (OUT/) or - for stdout.")
@click.option("--all", "every", is_flag=True, help="Every sample's newest version.")
@click.option(
    "--as-source", is_flag=True, help="Recreate the folders, names and containers that archives came with, below OUT."
)
@click.option(
    "--container",
    type=click.Choice(["zip", "7z", "folder"]),
    help="Where the suffix does not say it.  [default: as it came]",
)
@click.option("--level", type=click.IntRange(0, 9), help="0 copies, low is fast, high is small.")
@click.option("--force", is_flag=True, help="Replace what is there.")
@click.option(
    "--jobs", type=click.IntRange(min=1), metavar="N", help="How many threads work.  [default: as many as processors]"
)
@pass_app
def command(
    app: App,
    refs: tuple[str, ...],
    out: str | None,
    every: bool,
    as_source: bool,
    container: ContainerKind | None,
    level: int | None,
    force: bool,
    jobs: int | None,
) -> int:
    """Take archives out, every byte, time and name as it went in.

    One archive goes to its source's own name, to the file OUT, or unpacked into the folder OUT/. Several (names,
    globs such as "2018/*", --all) go into the folder OUT/, an archive file each. Nothing half-written is left, and
    nothing is replaced without --force.
    """
    if not refs and not every:
        raise click.UsageError("name a sample, or say --all.")
    many = every or as_source or len(refs) > 1 or any(c in ref for ref in refs for c in "*?[")
    if out == STDOUT:
        if many or app.as_json or container == "folder":
            raise click.UsageError("stdout takes one archive as zip or 7z, and no --json beside it.")
        if sys.stdout.isatty():
            raise click.UsageError("an archive is binary; send it somewhere: > FILE")
    with app.open_lake() as lake:
        wanted = [_wanted(lake, ref) for ref in lake.resolve(refs, all=every)]
        if out == STDOUT:
            _to_stdout(app, lake, wanted[0], container, level)
            return 0
        targets = several(wanted, out, container, as_source=as_source) if many else [one(wanted[0], out, container)]
        return _pull(app, lake, targets, many=many, level=level, force=force, jobs=jobs)


def _wanted(lake: Lake, ref: str) -> Wanted:
    info = lake.show(ref)
    return Wanted(ref, info.sample, info.version, info.kind, info.source.name, info.source.container)


def _to_stdout(app: App, lake: Lake, wanted: Wanted, container: ContainerKind | None, level: int | None) -> None:
    source = wanted.source_container
    chosen = container or (source if source != "folder" else container_of(wanted.source_name) or "zip")
    report = lake.pull_to(wanted.ref, sys.stdout.buffer, container=chosen, level=level)
    sys.stdout.buffer.flush()
    app.say(_line(report))


def _pull(
    app: App, lake: Lake, targets: list[Target], *, many: bool, level: int | None, force: bool, jobs: int | None
) -> int:
    """Pull each; one that fails does not stop the others, and its exit code is the command's."""
    documents: list[dict[str, Any]] = []
    code = 0
    for target in targets:
        try:
            report = lake.pull(
                target.ref,
                target.path,
                container=target.container,
                level=level,
                force=force,
                jobs=jobs,
                progress=app.progress(),
            )
        except SxeslakeError as error:
            if not many:
                raise
            app.complain(f"failed     {shown(target.ref)}: {shown(error)}")
            documents.append({"sample": target.ref, "path": str(target.path), "error": str(error)})
            code = code or error.exit_code
        else:
            documents.append(document(report, PULL))
            if not app.as_json:
                app.print(_line(report))
            for before, after in report.renamed:
                app.say(f"renamed    {shown(before)} is {shown(after)} on disk: Windows cannot hold the name")
    if app.as_json:
        app.emit(documents if many else documents[0])
    return code


def _line(report: PullReport) -> str:
    where = f" → {shown(report.path)}" if report.path else ""
    extent = f"{count(report.members, 'entry', 'entries')}, {size(report.bytes_written)}"
    return f"pulled     {shown(report.sample)}@{report.version}{where}  {extent}"
